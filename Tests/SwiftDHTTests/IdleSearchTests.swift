import SansIO
import Testing

@testable import SwiftDHT

/// Searches that are kept for what is asked next.
@Suite struct IdleSearchTests {
    private let key = InfoHash(hashing: "a key")

    /// A settled network whose way from node to node takes ten milliseconds.
    private func network() -> World {
        var world = World(seed: 11)
        world.delay = .milliseconds(10)...(.milliseconds(10))
        world.grow(to: 40)
        return world
    }

    @Test func aPutWhereSomethingWasJustAskedForTakesOneRoundTrip() {
        var world = network()
        #expect(world.get(key, as: OperationID(1), from: 3).isEmpty)
        let (start, asked) = (world.now, world.nodes[3].counters.requestsSent)
        let outcome = world.put(Value(id: Value.ID(1), data: [1]), at: key, as: OperationID(2), from: 3)
        #expect(outcome == .completed(nodes: 8))
        #expect(start.duration(to: world.now) == .milliseconds(20))
        #expect(world.nodes[3].counters.requestsSent - asked == 8)
    }

    @Test func theNextPutGoesToANodeThatCameMeanwhile() throws {
        var world = network()
        _ = world.get(key, as: OperationID(1), from: 3)
        let newcomer = world.addNode(id: key.flippingBit(at: 150))
        let contact = world.endpoints[3]
        world.perform(newcomer) { $0.bootstrap([contact], at: $1) }
        world.run(for: .seconds(2))
        _ = world.put(Value(id: Value.ID(1), data: [1]), at: key, as: OperationID(2), from: 3)
        let slot = Storage.Slot(key: key, id: Value.ID(1))
        #expect(world.nodes[newcomer].storage.entry(slot) != nil)
    }

    @Test func fewAreKeptAndNotForLong() {
        var world = network()
        let before = world.nodes[3].searches.count
        for number in UInt64(1)...20 {
            _ = world.get(InfoHash(hashing: "key \(number)"), as: OperationID(number), from: 3)
        }
        let limit = Configuration().idleSearchLimit
        #expect(world.nodes[3].idleSearches.count == limit)
        #expect(world.nodes[3].searches.count <= before + limit)
        #expect(world.nodes[3].networks[.v4].searchKeys.count == world.nodes[3].searches.count)
        world.run(for: .seconds(61))
        #expect(world.nodes[3].idleSearches.isEmpty && world.nodes[3].searches.isEmpty)
    }
}
