import SansIO
import Testing

@testable import SwiftDHT

/// Tokens that nodes gave for one key and that serve for another.
@Suite struct KnownTokensTests {
    private let keys = (0..<40).map { InfoHash(hashing: "key \($0)") }
    private let asker = 3

    /// A settled network whose way from node to node takes ten milliseconds, and in which one node has asked all around.
    private func network() -> World {
        var world = World(seed: 12)
        world.delay = .milliseconds(10)...(.milliseconds(10))
        world.grow(to: 40)
        for (number, key) in keys.dropLast().enumerated() {
            _ = world.get(key, as: OperationID(UInt64(number)), from: asker)
        }
        return world
    }

    @Test func aPutAmongNodesThatGaveTheirTokensAsksAFewOfThemAndStoresAtOnce() throws {
        var world = network()
        let key = try #require(keys.last)
        let (start, asked) = (world.now, world.nodes[asker].counters.requestsSent)
        let outcome = world.put(Value(id: Value.ID(1), data: [1]), at: key, as: OperationID(100), from: asker)
        #expect(outcome == .completed(nodes: 8))
        #expect(start.duration(to: world.now) == .milliseconds(20))
        let configuration = Configuration()
        #expect(
            world.nodes[asker].counters.requestsSent - asked == configuration.replication + configuration.explorations)
        #expect(holders(of: key, in: world) == closest(to: key, in: world))
    }

    @Test func aNodeNearerThanAllThatAreKnownIsStillFound() throws {
        var world = network()
        let key = try #require(keys.last)
        // The asker hears nothing while it comes, and the others have the time to know it.
        world.severed = [asker]
        let newcomer = world.addNode(id: key.flippingBit(at: 150))
        let contact = world.endpoints[5]
        world.perform(newcomer) { $0.bootstrap([contact], at: $1) }
        world.run(for: .seconds(5))
        world.severed = []
        #expect(world.nodes[asker].networks[.v4].nodes[world.nodes[newcomer].nodeID] == nil)
        _ = world.put(Value(id: Value.ID(1), data: [1]), at: key, as: OperationID(100), from: asker)
        #expect(holders(of: key, in: world).contains(newcomer))
    }

    @Test func tokensOfNodesThatStartedAnewAreReplacedAndNobodyIsBlamed() throws {
        var world = network()
        for index in world.nodes.indices where index != asker {
            let fresh = DHT(
                configuration: Configuration(), id: world.nodes[index].nodeID, clock: World.clock,
                random: .seeded(UInt64(1000 + index)))
            world.nodes[index] = fresh
        }
        for (number, key) in keys.enumerated() {
            world.perform(asker) {
                $0.put(Value(id: Value.ID(9), data: [9]), at: key, as: OperationID(200 + UInt64(number)), at: $1)
            }
        }
        world.run(for: .seconds(5))
        for key in keys { #expect(holders(of: key, in: world).isSuperset(of: closest(to: key, in: world))) }
        #expect(world.nodes[asker].networks[.v4].nodes.nodes.allSatisfy { !$0.isExpired })
    }

    @Test func aChangeOfOurAddressForgetsAllOfThem() {
        var world = network()
        #expect(world.nodes[asker].networks[.v4].tokens.count > 8)
        world.perform(asker) { $0.connectivityChanged(at: $1) }
        #expect(world.nodes[asker].networks[.v4].tokens.count == 0)
    }

    @Test func areFewAndGrowOld() throws {
        var tokens = KnownTokens()
        var random = RandomSource.seeded(1)
        let endpoint = Endpoint(.v4(1), port: 2)
        let known = (0..<20).map { _ in KnownNode(id: .random(using: &random), endpoint: endpoint) }
        for node in known { tokens.insert([1], of: node, limit: 16, at: .zero) }
        #expect(tokens.count == 16)
        #expect(tokens.token(of: known[0], after: Instant(nanoseconds: -1))?.bytes == [1])
        #expect(tokens.token(of: known[0], after: .zero) == nil)
        #expect(tokens.token(of: known[19], after: Instant(nanoseconds: -1)) == nil)
        let elsewhere = KnownNode(id: known[0].id, endpoint: Endpoint(.v4(1), port: 3))
        #expect(tokens.token(of: elsewhere, after: Instant(nanoseconds: -1)) == nil)
        let later = Instant.zero.advanced(by: .seconds(60))
        tokens.insert([2], of: known[0], limit: 16, at: later)
        #expect(tokens.token(of: known[0], after: .zero)?.bytes == [2])
        tokens.removeAll(givenBefore: later)
        #expect(tokens.count == 1)
    }

    private func holders(of key: InfoHash, in world: World) -> Set<Int> {
        Set(world.nodes.indices.filter { world.nodes[$0].storage.knows(key) && $0 != asker })
    }

    private func closest(to key: InfoHash, in world: World) -> Set<Int> {
        let others = world.nodes.indices.filter { $0 != asker }
        return Set(others.sorted { world.nodes[$0].nodeID.isCloser(to: key, than: world.nodes[$1].nodeID) }.prefix(8))
    }
}
