import SansIO
import Testing

@testable import SwiftDHT

/// What a node owes us.
@Suite struct OwedRequestTests {
    private let node = KnownNode(id: InfoHash(hashing: "peer"), endpoint: Endpoint(.v4(0x0A00_0002), port: 1))

    /// A node with `count` unanswered requests, and their transactions in the order in which they were sent.
    private func asked(_ count: Int) -> (dht: DHT, transactions: [UInt32]) {
        var dht = DHT(id: InfoHash(hashing: "node"), clock: World.clock, random: .seeded(1))
        dht.learn(node, .named, isClient: false, at: .zero)
        let transactions = (0..<count).compactMap { _ in dht.request(.ping, to: node, purpose: .ping, at: .zero) }
        return (dht, transactions)
    }

    @Test(arguments: [[0], [1], [2], [0, 1], [1, 0], [1, 2], [2, 1], [0, 2], [0, 1, 2], [2, 1, 0]])
    func whatIsAnsweredInAnyOrderIsOwedNoMore(answered: [Int]) {
        var (dht, transactions) = asked(3)
        #expect(dht.requestsOwed(by: node.id, .v4) == transactions)
        for index in answered { #expect(dht.drop(transactions[index]) != nil) }
        let left = transactions.indices.filter { !answered.contains($0) }.map { transactions[$0] }
        #expect(dht.requestsOwed(by: node.id, .v4) == left)
        #expect(dht.networks[.v4].nodes[node.id]?.isIdle == left.isEmpty)
        let next = dht.request(.ping, to: node, purpose: .ping, at: .zero)
        #expect(dht.requestsOwed(by: node.id, .v4) == left + [next].compactMap { $0 })
    }

    @Test func aDeadNodeOwesNothing() {
        var (dht, transactions) = asked(5)
        _ = dht.drop(transactions[2])
        dht.expireNode(node.id, .v4, at: .zero)
        #expect(dht.requestsOwed(by: node.id, .v4).isEmpty && dht.pending.isEmpty)
    }
}

/// How long to wait for an answer.
@Suite struct RoundTripTests {
    private func wait(_ roundTrip: RoundTrip, others: RoundTrip = RoundTrip()) -> Duration {
        roundTrip.wait(otherwise: others, initially: .milliseconds(250))
    }

    @Test func theWaitFollowsTheTimeAnswersTakeAndHowMuchItVaries() {
        var steady = RoundTrip()
        #expect(wait(steady) == .milliseconds(250))
        steady.add(.milliseconds(100))
        #expect(wait(steady) == .milliseconds(300))
        for _ in 0..<40 { steady.add(.milliseconds(100)) }
        #expect(wait(steady) < .milliseconds(101))
        var varying = RoundTrip()
        for round in 0..<40 { varying.add(.milliseconds(round.isMultiple(of: 2) ? 50 : 150)) }
        #expect(wait(varying) > .milliseconds(250))
    }

    @Test func anOverdueAnswerDoublesTheWaitUntilThereIsASample() {
        var roundTrip = RoundTrip()
        for _ in 0..<40 { roundTrip.add(.milliseconds(100)) }
        let usual = wait(roundTrip)
        for _ in 0..<3 { roundTrip.missed() }
        #expect(wait(roundTrip) == usual * 8)
        for _ in 0..<100 { roundTrip.missed() }
        #expect(wait(roundTrip) == usual * 64)
        roundTrip.add(.milliseconds(100))
        #expect(wait(roundTrip) <= usual)
    }

    @Test func aNodeWithoutSamplesIsJudgedByTheOthers() {
        var others = RoundTrip()
        others.add(.milliseconds(20))
        #expect(wait(RoundTrip(), others: others) == .milliseconds(60))
    }

    /// The waits of a request to a silent node: short where answers are quick, never longer than those of the releases.
    @Test(arguments: [(2, [50, 250, 200, 2500]), (400, [800, 1600, 3200, 2400]), (5000, [1000, 2000, 4000, 1000])])
    func aSilentNodeIsAskedFourTimes(usual: Int, expected: [Int]) throws {
        var dht = DHT(
            configuration: Configuration(), id: InfoHash(hashing: "node"), verifier: FakeKey(name: "any"),
            clock: World.clock, random: .seeded(1))
        let node = KnownNode(id: InfoHash(hashing: "peer"), endpoint: Endpoint(.v4(0x0A00_0002), port: 1))
        dht.learn(node, .replied, isClient: false, at: .zero)
        _ = dht.flush()
        for transaction in dht.pending.keys.sorted() { _ = dht.drop(transaction) }
        for _ in 0..<60 {
            dht.networks[.v4].nodes.update(node.id) { $0.roundTrip.add(.milliseconds(usual)) }
        }
        let isFar = usual == 400
        if isFar { dht.networks[.v4].nodes.update(node.id) { $0.roundTrip.missed() } }
        dht.ping(node, at: .zero)
        _ = dht.flush()
        let transaction = try #require(dht.pending.keys.first)
        var (waits, last) = ([Duration](), Instant.zero)
        while let next = dht.deadline, dht.pending[transaction] != nil {
            let before = dht.pending[transaction]?.attempt
            _ = dht.advance(to: next)
            guard dht.pending[transaction]?.attempt != before else { continue }
            waits.append(last.duration(to: next))
            last = next
        }
        #expect(waits.count == 4)
        for (wait, least) in zip(waits.dropLast(), expected) {
            #expect(wait >= .milliseconds(least) && wait <= .milliseconds(least) * 9 / 8 + .milliseconds(10))
        }
        let whole = waits.reduce(.zero, +)
        #expect(whole >= .seconds(3) && whole < .milliseconds(9750), "\(whole)")
    }
}

/// Which nodes stand in for the closest ones.
@Suite struct SpreadTests {
    private let configuration = Configuration()

    private func prefix(_ number: UInt32) -> AddressPrefix? { AddressPrefix(.v4(0x2000_0000 + number << 8)) }

    @Test func nodesOfOnePrefixCountThreeTimes() {
        var spread = Spread(prefixLimit: configuration.targetsPerPrefix, size: nil)
        let counted = (0..<10).filter { spread.counts(prefix($0 < 8 ? 1 : UInt32($0)), fraction: 0.5) }
        #expect(counted == [0, 1, 2, 8, 9])
    }

    @Test func privateAddressesHaveNoPrefix() {
        for word: UInt32 in [0x7F00_0001, 0x0A01_0203, 0xAC1F_0001, 0xC0A8_0101, 0x6440_0001, 0xA9FE_0001] {
            #expect(AddressPrefix(.v4(word)) == nil)
        }
        #expect(AddressPrefix(.v6(high: 0xFD00_0000_0000_0000, low: 1)) == nil)
        #expect(AddressPrefix(.v6(high: 0xFE80_0000_0000_0000, low: 1)) == nil)
        #expect(AddressPrefix(.v6(high: 0, low: 1)) == nil)
        let home = AddressPrefix(.v6(high: 0x2001_0DB8_0000_0100, low: 1))
        #expect(home != nil && home == AddressPrefix(.v6(high: 0x2001_0DB8_0000_01FF, low: 9)))
        #expect(home != AddressPrefix(.v6(high: 0x2001_0DB8_0000_0200, low: 1)))
    }

    @Test func nodesDenserThanTheNetworkDoNotCount() {
        var spread = Spread(prefixLimit: configuration.targetsPerPrefix, size: 1000)
        let counted = (0..<20).filter { spread.counts(nil, fraction: $0 < 10 ? 1e-9 : Double($0) / 1000) }
        #expect(counted.filter { $0 < 10 } == [0, 1, 2])
        #expect(counted.count == 13)
    }
}

/// The table of living nodes.
@Suite struct RoutingTableTests {
    private let own = InfoHash.zero.settingBit(at: 0)

    private struct Neighbours {
        var nodes = NodeTable()
        var table = RoutingTable()
        let own: NodeID

        mutating func offer(
            _ id: NodeID, _ address: UInt32, replied: Bool = true, at now: Instant
        ) -> RoutingTable.Insertion {
            let node = KnownNode(id: id, endpoint: Endpoint(.v4(address), port: 1))
            if nodes[id] == nil { nodes.insert(RemoteNode(id: id, endpoint: node.endpoint)) }
            nodes.update(id) { ($0.heard, $0.replied) = (now, replied ? now : nil) }
            return table.insert(
                node, own: own, isReply: replied, nodes: nodes, configuration: Configuration(), at: now)
        }
    }

    /// An identifier outside of our own half of the space.
    private func far(_ number: Int) -> NodeID { InfoHash.zero.keeping(1, then: InfoHash(hashing: "\(number)")) }

    private func expectOffer(
        _ neighbours: inout Neighbours, _ id: NodeID, _ address: UInt32, replied: Bool = true, at now: Instant,
        _ expected: RoutingTable.Insertion, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let insertion = neighbours.offer(id, address, replied: replied, at: now)
        #expect(insertion == expected, sourceLocation: sourceLocation)
    }

    @Test func aFullBucketKeepsACandidateForTheNextMemberToExpire() {
        var neighbours = Neighbours(own: own)
        // Members of both halves, so that the table splits.
        for number in 0..<8 { _ = neighbours.offer(far(number), 0x0A00_0000 + UInt32(number), at: .zero) }
        expectOffer(&neighbours, own.settingBit(at: 9), 0x0A00_0099, at: .zero, .inserted)
        #expect(neighbours.table.buckets.count == 2)
        expectOffer(&neighbours, far(8), 0x0A00_0008, at: .zero, .refused)
        #expect(neighbours.table.buckets[0].candidate?.id == far(8))
        neighbours.nodes.update(far(3)) { $0.isExpired = true }
        let candidates = neighbours.table.removeAll { $0 == far(3) }
        #expect(candidates.map(\.id) == [far(8)])
        expectOffer(&neighbours, far(8), 0x0A00_0008, at: .zero, .inserted)
        #expect(neighbours.table.buckets[0].candidate == nil)
    }

    @Test func aDoubtfulMemberIsQuestionedForANewcomer() {
        var neighbours = Neighbours(own: own)
        for number in 0..<8 {
            _ = neighbours.offer(far(number), 0x0A00_0000 + UInt32(number), replied: number != 5, at: .zero)
        }
        _ = neighbours.offer(own.settingBit(at: 9), 0x0A00_0099, at: .zero)
        expectOffer(&neighbours, far(8), 0x0A00_0008, at: .zero, .questioned(far(5)))
        neighbours.nodes.update(far(5)) { $0.isExpired = true }
        expectOffer(&neighbours, far(8), 0x0A00_0008, at: .zero, .inserted)
        #expect(!neighbours.table.contains(far(5)))
    }

    @Test func aPrefixOfTheInternetHasTwoMembersOfABucket() {
        var neighbours = Neighbours(own: own)
        let results = (0..<4).map { neighbours.offer(far($0), 0x2000_0000 + UInt32($0), at: .zero) }
        #expect(results == [.inserted, .inserted, .refused, .refused])
        expectOffer(&neighbours, far(4), 0x2000_0100, at: .zero, .inserted)
        #expect(neighbours.table.buckets[0].candidate == nil)
    }
}
