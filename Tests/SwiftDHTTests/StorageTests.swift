import SansIO
import SwiftDHT
import Testing

/// How much of a node's storage one sender may have.
@Suite struct StorageTests {
    private let key = InfoHash(hashing: "key")
    /// What a value of 100 bytes takes, its keeper's tables included.
    private let footprint = 356

    private func source(_ word: UInt32) -> Endpoint { Endpoint(.v4(word), port: 1) }

    private func value(_ id: Int) -> Value { Value(id: Value.ID(UInt64(id)), data: [UInt8](repeating: 1, count: 100)) }

    @Test func aSourceThatIsFullLosesItsOldestValuesAndNobodyElseDoes() {
        var configuration = Configuration()
        configuration.storageLimitPerSource = 3 * footprint
        var node = AskedNode(configuration)
        node.put([value(100)], at: key, from: source(0x0A00_0001))
        for id in 1...5 { node.put([value(id)], at: key, from: source(0x0B00_0001)) }
        #expect(node.stored(at: key) == [3, 4, 5, 100])
    }

    @Test func aPrefixThatIsFullTakesNothingFromOthers() {
        var configuration = Configuration()
        configuration.storageLimitPerPrefix = 4 * footprint
        var node = AskedNode(configuration)
        node.put([value(100)], at: key, from: source(0x0A00_0001))
        for id in 1...8 { node.put([value(id)], at: key, from: source(0x0B00_0000 + UInt32(id))) }
        #expect(node.stored(at: key) == [1, 2, 3, 4, 100])
        // An address of another prefix is not concerned.
        node.put([value(101)], at: key, from: source(0x0B00_0101))
        #expect(node.stored(at: key) == [1, 2, 3, 4, 100, 101])
    }

    @Test func sourcesOfOneIPv6NetworkAreOne() {
        var configuration = Configuration()
        configuration.storageLimitPerSource = 2 * footprint
        var node = AskedNode(configuration)
        for id in 1...4 {
            let address = IPAddress.v6(high: 0x2001_0DB8_0000_0001, low: UInt64(id))
            node.put([value(id)], at: key, from: Endpoint(address, port: 1))
        }
        #expect(node.stored(at: key) == [3, 4])
    }

    @Test func aFullKeyMakesRoomAtTheCostOfWhoHasMostThere() {
        var configuration = Configuration()
        configuration.valuesPerKeyLimit = 5
        var node = AskedNode(configuration)
        for id in 1...5 { node.put([value(id)], at: key, from: source(0x0B00_0001)) }
        node.put([value(10)], at: key, from: source(0x0A00_0001))
        node.put([value(11)], at: key, from: source(0x0A00_0001))
        #expect(node.stored(at: key) == [3, 4, 5, 10, 11])
        // Who has most finds no room.
        node.put([value(6)], at: key, from: source(0x0B00_0001))
        #expect(node.stored(at: key) == [3, 4, 5, 10, 11])
    }

    @Test func listenersHearOfValuesThatHadToGo() {
        var configuration = Configuration()
        configuration.storageLimitPerSource = footprint
        var node = AskedNode(configuration)
        node.take(node.dht.listen(key, as: OperationID(1), at: .zero))
        node.put([value(1)], at: key)
        node.put([value(2)], at: key)
        #expect(node.effects == [.expired(Value.ID(1), for: OperationID(1)), .value(value(2), for: OperationID(1))])
    }

    @Test func manySmallValuesCountForWhatTheyTake() {
        var configuration = Configuration()
        (configuration.storageLimit, configuration.limitsRequestRate) = (64 << 10, false)
        var node = AskedNode(configuration)
        for id in 1...2000 { node.put([Value(id: Value.ID(UInt64(id)), data: [])], at: InfoHash(hashing: "\(id)")) }
        #expect(node.dht.state(at: .zero).values.count <= (64 << 10) / 256)
    }

    @Test func listenersOfOneSourceAreLimitedAndMakeRoomWhenTheyGo() {
        var configuration = Configuration()
        configuration.listenersPerSource = 2
        var node = AskedNode(configuration)
        func listen(_ socket: UInt32, from source: Endpoint, query: ValueQuery? = nil, at now: Instant = .zero) -> Bool
        {
            let token = node.token(for: source, at: now)
            node.ask(
                .listen(key: key, token: token, socket: socket, version: 1, query: query), from: source, at: now)
            return !node.effects.contains(.ignored(.overLimit))
        }
        #expect(listen(1, from: source(0x0B00_0001)))
        #expect(listen(2, from: source(0x0B00_0001)))
        #expect(!listen(3, from: source(0x0B00_0001)))
        #expect(listen(1, from: source(0x0B00_0001)), "a renewal is not new")
        #expect(listen(3, from: source(0x0A00_0001)))
        let long = ValueQuery(where: [.userType([UInt8](repeating: 1, count: 3000))])
        #expect(!listen(4, from: source(0x0A00_0001), query: long))
        let later = Instant.zero.advanced(by: .seconds(1000))
        node.take(node.dht.advance(to: later))
        #expect(listen(5, from: source(0x0B00_0001), at: later))
    }
}
