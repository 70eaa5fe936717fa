import SansIO
import SwiftDHT
import TestVectors
import Testing

@Suite("Discovery")
struct DiscoveryTests {
    private struct Vector: Decodable {
        struct Datagram: Decodable {
            let hex: String
        }
        let query: Datagram
        let announcement: Datagram
    }

    private static let id = NodeID(hashing: "us")
    private static let neighbour = Endpoint(.v4(0xC000_0202), port: 40_000)
    private static let neighbourID = NodeID(hashing: "neighbour")

    private static func machine(
        _ configuration: Discovery.Configuration = .init(), ports: [IPAddress.Family: UInt16] = [.v4: 4222, .v6: 4223]
    ) -> Discovery {
        Discovery(configuration: configuration, id: id, ports: ports)
    }

    private static func announcement(
        _ id: NodeID = neighbourID, port: UInt16 = 4777, network: UInt32 = 0
    ) -> [UInt8] {
        DiscoveryMessage.announcement(.init(id: id, port: port, network: network)).encoded
    }

    private static let query = DiscoveryMessage.query.encoded

    @Test("Captured datagrams are read and written as they were")
    func vectors() throws {
        let vector: Vector = try TestVectors.json("opendht/discovery.json")
        let (query, announcement) = (hex(vector.query.hex), hex(vector.announcement.hex))
        #expect(try DiscoveryMessage(decoding: query) == .query)
        #expect(DiscoveryMessage.query.encoded == query)
        let id = try #require(NodeID("3ee6dbf385d6a2a678e7280b0defcf28842ddbe0"))
        let read = try DiscoveryMessage(decoding: announcement)
        #expect(read == .announcement(.init(id: id, port: 4777, network: 5)))
        #expect(read.encoded == announcement)
    }

    @Test("Other services in an announcement, and later additions, are skipped")
    func otherServices() throws {
        var writer = MessagePackWriter()
        writer.writeMapHeader(2)
        writer.write("jami")
        writer.writeArrayHeader(1)
        writer.write("somebody")
        writer.write("dht")
        writer.writeArrayHeader(4)
        writer.write(Self.neighbourID.bytes)
        writer.write(UInt16(4777))
        writer.write(UInt32(0))
        writer.write(true)
        let message = try DiscoveryMessage(decoding: writer.bytes)
        #expect(message == .announcement(.init(id: Self.neighbourID, port: 4777, network: 0)))
    }

    @Test("No change of a datagram does more than make it unreadable, or another message")
    func mutations() throws {
        for bytes in [Self.query, Self.announcement()] {
            for index in bytes.indices {
                for bit in 0..<8 {
                    var changed = bytes
                    changed[index] ^= 1 << bit
                    guard let message = try? DiscoveryMessage(decoding: changed) else { continue }
                    #expect(try DiscoveryMessage(decoding: message.encoded) == message)
                }
                #expect(throws: WireError.self) { try DiscoveryMessage(decoding: Array(bytes[..<index])) }
            }
        }
        #expect(throws: WireError.overLimit("announcement", limit: DiscoveryMessage.sizeLimit)) {
            try DiscoveryMessage(decoding: [UInt8](repeating: 0x81, count: DiscoveryMessage.sizeLimit + 1))
        }
    }

    @Test("It says that it is here, asks, and asks again with growing pauses until connected")
    func asking() {
        var machine = Self.machine(ports: [.v4: 4222])
        let own = DiscoveryMessage.announcement(.init(id: Self.id, port: 4222, network: 0)).encoded
        #expect(machine.start(at: .zero) == [.multicast(own, .v4), .multicast(Self.query, .v4)])
        var pauses: [Duration] = []
        var now = Instant.zero
        for _ in 0..<6 {
            guard let next = machine.deadline else { break }
            pauses.append(now.duration(to: next))
            now = next
            #expect(machine.advance(to: now) == [.multicast(Self.query, .v4)])
        }
        #expect(pauses == [10, 20, 40, 60, 60, 60].map { .seconds($0) })
        #expect(machine.connectionChanged(of: .v4, isConnected: true, at: now).isEmpty)
        #expect(machine.deadline == nil)
        #expect(machine.connectionChanged(of: .v4, isConnected: false, at: now).isEmpty)
        #expect(machine.deadline == now.advanced(by: .seconds(10)))
        #expect(machine.start(at: now).count == 2, "interfaces changed")
    }

    @Test("A client asks, and tells nobody that it is here")
    func client() {
        var configuration = Discovery.Configuration()
        configuration.announces = false
        var machine = Self.machine(configuration, ports: [.v6: 1])
        #expect(machine.start(at: .zero) == [.multicast(Self.query, .v6)])
        let asker = Endpoint(.v6(high: 0xFE80 << 48, low: 5), port: 8888, scope: 2)
        #expect(machine.receive(Self.query.span, from: asker, at: .zero) == [.ignored(.nothingToSay)])
    }

    @Test("Who asks is told, to its own port")
    func answering() {
        var machine = Self.machine()
        let own6 = DiscoveryMessage.announcement(.init(id: Self.id, port: 4223, network: 0)).encoded
        let asker = Endpoint(.v6(high: 0xFE80 << 48, low: 5), port: 8888, scope: 2)
        #expect(machine.receive(Self.query.span, from: asker, at: .zero) == [.send(own6, to: asker)])
    }

    @Test("A neighbour is found at the port it names, with its scope; others are not")
    func finding() {
        var machine = Self.machine()
        func found(_ datagram: [UInt8], from source: Endpoint = Self.neighbour) -> [Discovery.Effect] {
            machine.receive(datagram.span, from: source, at: .zero)
        }
        let here = KnownNode(id: Self.neighbourID, endpoint: Self.neighbour.with(port: 4777))
        #expect(found(Self.announcement()) == [.found(here)])
        let local = Endpoint(.v6(high: 0xFE80 << 48, low: 5), port: 8888, scope: 2)
        #expect(
            found(Self.announcement(), from: local) == [.found(.init(id: here.id, endpoint: local.with(port: 4777)))])
        #expect(found(Self.announcement(network: 1)) == [.ignored(.otherNetwork)])
        #expect(found(Self.announcement(Self.id)) == [.ignored(.ownIdentifier)])
        #expect(found(Self.announcement(port: 0)) == [.ignored(.martian)])
        #expect(found(Self.announcement(.zero)) == [.ignored(.martian)])
        #expect(found(Self.announcement(), from: Endpoint(.v4(0xEFC0_0001), port: 8888)) == [.ignored(.martian)])
        guard case .ignored(.malformed)? = found([0xC0]).first else {
            Issue.record("nonsense was taken")
            return
        }
    }

    @Test("A flood of questions or announcements costs a few datagrams a second and constant memory")
    func flood() {
        var machine = Self.machine()
        var (answers, nodes) = (0, 0)
        for index in 0..<10_000 {
            let source = Endpoint(.v4(0x0A00_0000 + UInt32(index)), port: 1000)
            let now = Instant.zero.advanced(by: .milliseconds(index / 10))
            if case .send? = machine.receive(Self.query.span, from: source, at: now).first { answers += 1 }
            let id = NodeID(hashing: "\(index)")
            if case .found? = machine.receive(Self.announcement(id).span, from: source, at: now).first { nodes += 1 }
        }
        let configuration = Discovery.Configuration()
        #expect(answers == configuration.answersPerSecond && nodes == configuration.nodesPerSecond)
        // One asker alone is answered once a second.
        let later = Instant.zero.advanced(by: .seconds(5))
        let repeated = (0..<5).flatMap { _ in machine.receive(Self.query.span, from: Self.neighbour, at: later) }
        #expect(repeated.dropFirst().allSatisfy { $0 == .ignored(.rateLimited) } && repeated.count == 5)
    }

    @Test("Two nodes on one link find each other, whoever starts first")
    func pair() throws {
        var first = Discovery(id: NodeID(hashing: "first"), ports: [.v4: 1111])
        var second = Discovery(id: NodeID(hashing: "second"), ports: [.v4: 2222])
        let (firstAddress, secondAddress) = (
            Endpoint(.v4(0xC000_0201), port: 50_001), Endpoint(.v4(0xC000_0202), port: 50_002)
        )
        _ = first.start(at: .zero)
        var foundByFirst: [KnownNode] = []
        var foundBySecond: [KnownNode] = []
        for case .multicast(let bytes, .v4) in second.start(at: .zero) {
            for effect in first.receive(bytes.span, from: secondAddress, at: .zero) {
                if case .found(let node) = effect { foundByFirst.append(node) }
                guard case .send(let answer, secondAddress) = effect else { continue }
                for case .found(let node) in second.receive(answer.span, from: firstAddress, at: .zero) {
                    foundBySecond.append(node)
                }
            }
        }
        #expect(foundByFirst == [KnownNode(id: NodeID(hashing: "second"), endpoint: secondAddress.with(port: 2222))])
        #expect(foundBySecond == [KnownNode(id: NodeID(hashing: "first"), endpoint: firstAddress.with(port: 1111))])
    }
}
