import SansIO
import Testing

@testable import SwiftDHT

/// Whoever uses a node's identifier somewhere else does not become that node.
@Suite struct IdentityTheftTests {
    private let peer = KnownNode(id: InfoHash(hashing: "peer"), endpoint: Endpoint(.v4(0x0A00_0050), port: 4222))
    private let thief = Endpoint(.v4(0x0A00_0060), port: 4222)

    /// A node that `peer` answered.
    private func acquainted() -> DHT {
        var dht = DHT(
            configuration: Configuration(), id: InfoHash(hashing: "node"), verifier: FakeKey(name: "any"),
            clock: World.clock, random: .seeded(1))
        answer(&dht, dht.insert([peer], at: .zero), as: peer, at: .zero)
        return dht
    }

    /// Lets a node answer what is asked of it where it is.
    private func answer(_ dht: inout DHT, _ effects: [DHT.Effect], as node: KnownNode, at now: Instant) {
        for effect in effects {
            guard case .send(let bytes, node.endpoint) = effect, let packet = try? Packet(decoding: bytes),
                case .request = packet.message
            else { continue }
            var answer = Reply(sender: node.id)
            answer.token = [1]
            let reply = Packet(.reply(answer), transaction: packet.transaction)
            _ = dht.receive(reply.encoded.span, from: node.endpoint, at: now)
        }
    }

    /// Somebody sends a request under the identifier of `peer`.
    private func pretend(_ dht: inout DHT, at now: Instant) -> [DHT.Effect] {
        let request = Packet(.request(Request(sender: peer.id, method: .ping)), transaction: 7)
        return dht.receive(request.encoded.span, from: thief, at: now)
    }

    /// Lets time pass; `node` answers if given.
    private func pass(_ dht: inout DHT, until end: Instant, answering node: KnownNode?) {
        while let next = dht.deadline, next <= end {
            let effects = dht.advance(to: next)
            if let node { answer(&dht, effects, as: node, at: next) }
        }
    }

    private func home(_ dht: DHT) -> Endpoint? { dht.networks[.v4].nodes[peer.id]?.endpoint }

    @Test func anIdentifierKeepsItsAddressWhileTheNodeThereAnswers() {
        var dht = acquainted()
        let now = Instant.zero.advanced(by: .seconds(1))
        let effects = pretend(&dht, at: now)
        #expect(effects.contains { if case .send(_, peer.endpoint) = $0 { true } else { false } })
        answer(&dht, effects, as: peer, at: now)
        pass(&dht, until: now.advanced(by: .seconds(60)), answering: peer)
        #expect(home(dht) == peer.endpoint)
        #expect(dht.goodNodes(.v4, limit: 8, at: now) == [peer])
    }

    @Test func anIdentifierMovesWhenTheNodeIsGoneFromItsAddress() {
        var dht = acquainted()
        let now = Instant.zero.advanced(by: .seconds(1))
        _ = pretend(&dht, at: now)
        let moved = KnownNode(id: peer.id, endpoint: thief)
        pass(&dht, until: now.advanced(by: .seconds(3)), answering: moved)
        #expect(home(dht) == thief)
        #expect(dht.goodNodes(.v4, limit: 8, at: now.advanced(by: .seconds(3))) == [moved])
    }

    /// The questions whether a node is still there must not become a weapon against it.
    @Test func aThousandClaimsCostTheNodeOneQuestion() {
        var dht = acquainted()
        var questions = 0
        for round in 0..<1000 {
            let now = Instant.zero.advanced(by: .milliseconds(1000 + round))
            let effects = pretend(&dht, at: now)
            for case .send(_, peer.endpoint) in effects { questions += 1 }
            answer(&dht, effects, as: peer, at: now)
        }
        #expect(questions == 1)
    }

    /// Third parties move nobody, however long the node was quiet.
    @Test func whatOthersSayOfANodeThatIsQuietMovesItOnlyWhenItIsGone() {
        var dht = acquainted()
        let now = Instant.zero.advanced(by: .seconds(700))
        dht.learn(KnownNode(id: peer.id, endpoint: thief), .named, isClient: false, at: now)
        answer(&dht, dht.flush(), as: peer, at: now)
        #expect(home(dht) == peer.endpoint)
        pass(&dht, until: now.advanced(by: .seconds(10)), answering: peer)
        #expect(home(dht) == peer.endpoint)
    }
}

/// Somebody surrounds a key with nodes that acknowledge everything and keep nothing.
@Suite struct EclipseTests {
    private let key = InfoHash(hashing: "victim")
    private let value = Value(id: Value.ID(1), data: [42])

    /// A network with `count` liars around the key, whose endpoints `place` says.
    private func surrounded(seed: UInt64, by count: Int, place: (Int) -> Endpoint, honest: (Int) -> Endpoint) -> World {
        var world = World(seed: seed)
        world.grow(to: 60, at: honest)
        let liars = (0..<count).map { index in
            // Nobody is closer: they share all bits with the key but the last ones.
            let tail = InfoHash(hashing: "liar \(index)")
            return KnownNode(id: key.keeping(140, then: tail), endpoint: place(index))
        }
        let named = liars.prefix(8).map { CompactNode(id: $0.id, endpoint: $0.endpoint) }
        for liar in liars {
            world.strangers[liar.endpoint] = { packet, source in
                guard case .request(let request) = packet.message else { return [] }
                var reply = Reply(sender: liar.id, observed: source.address)
                switch request.method {
                case .find, .get: (reply.token, reply.nodes4) = ([1, 2, 3, 4], named)
                case .put(_, let values, _, _):
                    if case .whole(let value)? = values.first { reply.valueID = value.id }
                default: break
                }
                return [Packet(.reply(reply), transaction: packet.transaction)]
            }
        }
        // They make themselves known to everybody, again and again.
        for _ in 0..<3 {
            for node in 0..<60 {
                for liar in liars {
                    let hello = Packet(.request(Request(sender: liar.id, method: .ping)), transaction: 1)
                    world.inject(hello.encoded, from: liar.endpoint, to: node)
                }
            }
            world.run(for: .seconds(10))
        }
        return world
    }

    private func holders(_ world: World) -> Int {
        world.nodes.filter { !$0.storage.entries(at: key).isEmpty }.count
    }

    @Test(arguments: [8, 20, 60])
    func aKeySurroundedInAPrivateNetworkIsStoredBeyondThoseWhoHideIt(count: Int) {
        var world = surrounded(
            seed: UInt64(count), by: count, place: { Endpoint(.v4(0x0A01_0000 + UInt32($0)), port: 4222) },
            honest: World.endpoint)
        _ = world.put(value, at: key, as: OperationID(1), from: 3)
        #expect(holders(world) > 4, "\(holders(world))")
        for reader in [7, 23, 41, 59] {
            #expect(world.get(key, as: OperationID(2), from: reader) == [value], "reader \(reader)")
        }
        world.perform(30) { $0.listen(key, as: OperationID(3), at: $1) }
        world.run(for: .seconds(2))
        let second = Value(id: Value.ID(2), data: [43])
        _ = world.put(second, at: key, as: OperationID(4), from: 50)
        world.run(for: .seconds(2))
        #expect(world.values(of: OperationID(3), at: 30).contains(second))
    }

    /// Addresses of one owner stand in for few of the closest nodes, however plausible their distances are.
    @Test func aPrefixFullOfNodesDoesNotHideAKeyOfTheInternet() {
        var world = surrounded(
            seed: 5, by: 40, place: { Endpoint(.v4(0xC633_6400 + UInt32($0)), port: 4222) },
            honest: { Endpoint(.v4(0x1400_0001 + UInt32($0) << 8), port: 4222) })
        _ = world.put(value, at: key, as: OperationID(1), from: 3)
        #expect(holders(world) > 4, "\(holders(world))")
        #expect(world.get(key, as: OperationID(2), from: 41) == [value])
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5])
    func withoutAnAttackAPutGoesToFewMoreThanTheClosestNodes(seed: UInt64) {
        var world = World(seed: seed)
        world.grow(to: 60)
        var copies = 0
        for round in 0..<20 {
            let target = InfoHash(hashing: "\(round) of \(seed)")
            if case .completed(let nodes) = world.put(value, at: target, as: OperationID(UInt64(round)), from: round) {
                copies += nodes
            }
        }
        #expect(copies >= 160)
        #expect(copies < 176, "\(copies)")
    }
}

/// How many nodes there are.
@Suite struct SizeEstimateTests {
    @Test(arguments: [20, 60, 150])
    func theSizeOfANetworkIsKnownWithinAFactorOfTwo(count: Int) {
        var world = World(seed: UInt64(count))
        world.grow(to: count)
        for round in 0..<12 {
            _ = world.get(InfoHash(hashing: "\(round)"), as: OperationID(UInt64(round)), from: 0)
        }
        let size = world.nodes[0].estimatedSize(of: .v4, at: world.now)
        #expect(size > count / 2 && size < count * 2, "\(size) of \(count)")
    }

    @Test func aSmallNetworkIsCounted() {
        var world = World(seed: 3)
        let alone = world.addNode()
        #expect(world.nodes[alone].estimatedSize(of: .v4, at: world.now) == 1)
        world.grow(to: 5)
        #expect(world.nodes[0].estimatedSize(of: .v4, at: world.now) == 5)
        #expect(world.nodes[0].estimatedSize(of: .v6, at: world.now) == 1)
    }
}
