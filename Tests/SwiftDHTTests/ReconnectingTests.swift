import SansIO
import SwiftDHT
import Testing

/// Nodes and networks that lose each other, and find each other again.
@Suite struct ReconnectingTests {
    private let key = InfoHash(hashing: "again")

    private func lostContact(_ world: World, _ node: Int, after start: Instant) -> Instant? {
        world.notes.first {
            guard $0.node == node, $0.time >= start, case .status(let status, _) = $0.effect else { return false }
            return status != .connected
        }?.time
    }

    /// A world of ten nodes whose last has a listen, and is cut off from all others.
    private func cutOff(seed: UInt64) -> World {
        var world = World(seed: seed)
        world.grow(to: 10)
        world.perform(9) { $0.listen(key, as: OperationID(1), at: $1) }
        world.run(for: .seconds(5))
        world.severed = [9]
        return world
    }

    private func isHeard(_ world: inout World) -> Bool {
        _ = world.put(Value(id: Value.ID(1), data: [1]), at: key, as: OperationID(2), from: 4)
        world.run(for: .seconds(1))
        return world.values(of: OperationID(1), at: 9).count == 1
    }

    @Test func aNodeThatHearsNobodyKnowsWithinAMinuteThatItIsCutOff() throws {
        var world = cutOff(seed: 51)
        let cut = world.now
        world.run(for: .seconds(120))
        let noticed = try #require(lostContact(world, 9, after: cut))
        #expect(cut.duration(to: noticed) < .seconds(60))
    }

    @Test(arguments: [30, 300, 3600])
    func aNodeCutOffIsBackWithinThePauseBetweenItsAttempts(seconds: Int) {
        var world = cutOff(seed: UInt64(seconds))
        world.run(for: .seconds(seconds))
        world.severed = []
        let start = world.now
        world.run(until: start.advanced(by: .seconds(310))) { $0.nodes[9].status(of: .v4) == .connected }
        #expect(world.nodes[9].status(of: .v4) == .connected)
        #expect(start.duration(to: world.now) <= .seconds(min(300, 2 * seconds + 20)))
        world.run(for: .seconds(2))
        #expect(isHeard(&world))
    }

    @Test func aChangeOfNetworkBringsANodeBackAtOnce() {
        var world = cutOff(seed: 52)
        world.run(for: .seconds(3600))
        #expect(world.nodes[9].status(of: .v4) != .connected)
        world.severed = []
        world.perform(9) { $0.connectivityChanged(at: $1) }
        world.run(for: .seconds(2))
        #expect(world.nodes[9].status(of: .v4) == .connected)
        #expect(isHeard(&world))
    }

    /// Without any endpoint to bootstrap from, whoever was known is the way back.
    @Test func aNodeStartedFromSavedNodesComesBackThroughThem() {
        var world = World(seed: 53)
        world.grow(to: 10)
        let saved = world.nodes[0].goodNodes(.v4, limit: 5, at: world.now)
        let late = world.addNode()
        world.perform(late) { $0.insert(saved, at: $1) }
        world.run(for: .seconds(30))
        #expect(world.nodes[late].status(of: .v4) == .connected)
        world.severed = [late]
        world.run(for: .seconds(1800))
        #expect(world.nodes[late].status(of: .v4) != .connected)
        world.severed = []
        world.run(for: .seconds(310))
        #expect(world.nodes[late].status(of: .v4) == .connected)
    }

    @Test func aNetworkThatWasDividedGrowsTogetherAgain() {
        var world = World(seed: 54)
        world.grow(to: 30)
        world.island = Set(0..<15)
        world.run(for: .seconds(2400))
        let value = Value(id: Value.ID(1), data: [7])
        for node in [3, 20] { #expect(world.nodes[node].status(of: .v4) == .connected) }
        _ = world.put(value, at: key, as: OperationID(1), from: 3)
        #expect(world.get(key, as: OperationID(2), from: 20).isEmpty)
        world.island = []
        world.run(for: .seconds(1200))
        for round in 0..<10 {
            let target = InfoHash(hashing: "whole again \(round)")
            _ = world.put(value, at: target, as: OperationID(UInt64(10 + round)), from: round)
            let found = world.get(target, as: OperationID(UInt64(30 + round)), from: 29 - round)
            #expect(found == [value], "round \(round)")
        }
    }

    @Test func aClosedPortIsGivenUpWhenTheDriverHearsOfIt() {
        var world = World(seed: 55)
        let alone = world.addNode()
        let nobody = Endpoint(.v4(0x0A00_00FF), port: 4222)
        world.perform(alone) { $0.bootstrap([nobody], at: $1) }
        #expect(world.nodes[alone].status(of: .v4) == .connecting)
        world.perform(alone) { $0.sendFailed(to: nobody, at: $1) }
        #expect(world.nodes[alone].status(of: .v4) == .disconnected)
    }

    @Test func aSilentBootstrapEndpointIsGivenUpWithinFiveSeconds() {
        var world = World(seed: 56)
        let alone = world.addNode()
        world.perform(alone) { $0.bootstrap([Endpoint(.v4(0x0A00_00FF), port: 4222)], at: $1) }
        world.run(for: .seconds(5))
        #expect(world.nodes[alone].status(of: .v4) == .disconnected)
    }
}
