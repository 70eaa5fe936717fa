import Foundation
import SansIO
import SwiftDHT
import TestVectors
import Testing

/// What a node keeps beyond a run.
@Suite struct StateTests {
    private let key = InfoHash(hashing: "key")
    private let unix = World.clock.unixNanoseconds(at: .zero)

    private func restore(_ node: inout AskedNode, _ state: DHT.State, at now: Instant = .zero) {
        node.take(node.dht.restore(state, at: now))
        while !node.open.isEmpty { node.examine(at: now) }
    }

    @Test func aStateReadsBackAsItWasWritten() throws {
        let values = [
            DHT.State.StoredValue(
                key: key, value: Value(id: Value.ID(1), data: [1]), created: unix, expires: unix + 600_000_000_001,
                source: .v4(0x0102_0304)),
            DHT.State.StoredValue(
                key: key, value: Value(id: Value.ID(2), content: .encrypted([1, 2])), created: -1,
                expires: 5_000_000_000,
                source: nil),
            DHT.State.StoredValue(
                key: InfoHash(hashing: "other"), value: Value(id: Value.ID(3), data: []), created: Int64.max,
                expires: Int64.max, source: .v6(high: 1, low: 2)),
        ]
        let state = DHT.State(
            id: InfoHash(hashing: "id"),
            nodes: [
                KnownNode(id: InfoHash(hashing: "a"), endpoint: AskedNode.peer),
                KnownNode(id: InfoHash(hashing: "b"), endpoint: Endpoint(.v6(high: 1, low: 2), port: 3)),
            ],
            values: values, puts: [.init(key: key, value: Value(id: Value.ID(9), data: [9]))])
        #expect(try DHT.State(decoding: state.packed, at: 0) == state)
    }

    @Test func whatIsStoredLivesOnInAnotherRunAndEndsWhenItWouldHave() throws {
        var first = AskedNode()
        let alice = FakeKey(name: "alice")
        let signed = try Value.signed(ValueBody(type: .userData, data: [1]), id: Value.ID(1), by: alice)
        first.put([signed], at: key)
        first.examine()
        first.put([Value(id: Value.ID(2), data: [2])], at: key, created: World.clock.unixSeconds(at: .zero) - 500)
        first.take(
            first.dht.put(Value(id: Value.ID(3), data: [3]), at: key, permanently: true, as: OperationID(1), at: .zero))
        let state = try DHT.State(decoding: first.dht.state(at: .zero).packed, at: unix)
        #expect(state.values.map(\.value.id) == [Value.ID(1), Value.ID(2)])
        #expect(state.puts == [.init(key: key, value: Value(id: Value.ID(3), data: [3]))])

        var second = AskedNode()
        let later = Instant.zero.advanced(by: .seconds(50))
        restore(&second, state, at: later)
        #expect(second.stored(at: key, now: later) == [1, 2])
        let end = Instant.zero.advanced(by: .seconds(101))
        second.take(second.dht.advance(to: end))
        #expect(second.stored(at: key, now: end) == [1])
    }

    @Test func forgedAndEndlessValuesOfAFileAreNotBelieved() throws {
        let alice = FakeKey(name: "alice")
        guard
            case .plain(var body, let signature) = try Value.signed(
                ValueBody(type: .userData, data: [1]), id: Value.ID(1), by: alice
            ).content
        else { return }
        body.data = [2]
        let forged = Value(id: Value.ID(1), content: .plain(body, signature: signature))
        let state = DHT.State(
            id: key,
            values: [
                .init(key: key, value: forged, created: unix, expires: .max, source: nil),
                .init(key: key, value: Value(id: Value.ID(2), data: []), created: .min, expires: .max, source: nil),
                .init(key: key, value: Value(id: Value.ID(3), data: []), created: .min, expires: unix, source: nil),
            ])
        var node = AskedNode()
        restore(&node, state)
        #expect(node.stored(at: key) == [2])
        let end = Instant.zero.advanced(by: .seconds(601))
        node.take(node.dht.advance(to: end))
        #expect(node.stored(at: key, now: end) == [])
    }

    @Test func restoredNodesAreAsked() {
        var node = AskedNode()
        let state = DHT.State(id: key, nodes: [KnownNode(id: key, endpoint: AskedNode.peer)])
        node.take(node.dht.restore(state, at: .zero))
        #expect(node.sent.map(\.to) == [AskedNode.peer])
    }

    /// The file a 2.4.12 node wrote, with one node and two values that are two seconds apart.
    @Test func theFileOfAnOldReleaseIsRead() throws {
        let file = try #require(try TestVectors.object("opendht/state.json") as? [String: Any])
        let bytes = hex(try #require(file["hex"] as? String))
        let state = try DHT.State(decoding: bytes, at: unix)
        #expect(state.id.description == file["id"] as? String)
        #expect(state.nodes.map(\.endpoint.description) == ["127.0.0.1:41001"])
        #expect(state.values.map(\.value.id) == [Value.ID(77), Value.ID(78)])
        #expect(state.values.allSatisfy { $0.key == InfoHash(hashing: "state one") && $0.source == nil })
        #expect(state.values.map { ($0.created - unix) / 1_000_000_000 } == [-2, 0])
        #expect(state.values.map { $0.expires - $0.created } == [600_000_000_000, 600_000_000_000])
        #expect(state.values.last?.value.body?.userType == "text/plain")
    }

    @Test func aBrokenFileIsAnErrorAndNeverATrap() throws {
        var node = AskedNode()
        node.put([Value(id: Value.ID(1), data: [1, 2, 3])], at: key)
        let good = node.dht.state(at: .zero).packed
        for count in good.indices {
            #expect(throws: WireError.self) { try DHT.State(decoding: Array(good[..<count]), at: unix) }
        }
        #expect(throws: WireError.self) { try DHT.State(decoding: good + [0], at: unix) }
        var random = RandomSource.seeded(5)
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0...2 {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let state = try? DHT.State(decoding: bytes, at: unix) else { continue }
            #expect(try DHT.State(decoding: state.packed, at: unix) == state)
        }
    }
}
