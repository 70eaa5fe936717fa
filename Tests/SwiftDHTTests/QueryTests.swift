import SansIO
import SwiftDHT
import Testing

/// Queries that ask for fields of values only.
@Suite struct QueryTests {
    private let key = InfoHash(hashing: "key")

    private func rows(_ world: World, of operation: OperationID, at node: Int) -> [FieldRow] {
        world.notes.compactMap { note in
            guard note.node == node, case .row(let row, operation) = note.effect else { return nil }
            return row
        }
    }

    @Test func aQueryFindsEachRowOnceAndEnds() throws {
        var world = World(seed: 5)
        world.grow(to: 20)
        let alice = FakeKey(name: "alice")
        let signed = try Value.signed(
            ValueBody(type: .instantMessage, data: [1], userType: "text", sequence: 7), id: Value.ID(2), by: alice)
        _ = world.put(Value(id: Value.ID(1), data: [1], userType: "other"), at: key, as: OperationID(1), from: 0)
        _ = world.put(signed, at: key, as: OperationID(2), from: 1)
        world.perform(15) {
            $0.query(key, ValueQuery(select: [.sequence, .id, .userType]), as: OperationID(3), at: $1)
        }
        world.run(for: .seconds(10))
        let found = rows(world, of: OperationID(3), at: 15).sorted { ($0.id ?? Value.ID(0)) < ($1.id ?? Value.ID(0)) }
        #expect(found.map(\.id) == [Value.ID(1), Value.ID(2)])
        #expect(found.map(\.sequence) == [0, 7])
        #expect(found.map(\.userType) == ["other", "text"])
        #expect(found.allSatisfy { $0.type == nil && $0.owner == nil })
        #expect(world.outcome(of: OperationID(3), at: 15) == .completed(nodes: 8))

        let condition = ValueQuery(select: [.id, .owner], where: [.userType(Array("text".utf8))])
        world.perform(16) { $0.query(key, condition, as: OperationID(4), at: $1) }
        world.run(for: .seconds(10))
        let matching = rows(world, of: OperationID(4), at: 16)
        #expect(matching.map(\.id) == [Value.ID(2)])
        #expect(matching.first?.owner == alice.publicKey)
    }

    @Test func aQueryConsultsTheOwnStorageAndNeedsASelection() {
        var node = AskedNode()
        node.put([Value(id: Value.ID(3), data: [1])], at: key)
        node.take(node.dht.query(key, ValueQuery(select: [.id]), as: OperationID(1), at: .zero))
        var row = FieldRow()
        row.id = Value.ID(3)
        #expect(node.effects == [.row(row, for: OperationID(1))])
        (node.effects, node.sent) = ([], [])
        node.take(node.dht.query(key, .all, as: OperationID(2), at: .zero))
        #expect(node.effects == [.finished(OperationID(2), .failed)])
    }
}
