import SansIO
import Testing

@testable import SwiftDHT

/// A network of which many nodes have just died: what every search meets, and what must not be lost.
@Suite struct ChurnTests {
    /// The times gets and puts took after 29 of 100 nodes died at once.
    private struct Aftermath {
        var gets: [Duration] = []
        var puts: [Duration] = []
        var lost = 0

        static func percentile(_ percent: Int, of times: [Duration]) -> Duration {
            times.sorted()[min(times.count - 1, times.count * percent / 100)]
        }
    }

    private func value(_ round: Int) -> Value { Value(id: Value.ID(UInt64(round + 1)), data: Array("\(round)".utf8)) }

    private func aftermath(seed: UInt64) -> Aftermath {
        var world = World(seed: seed)
        world.grow(to: 100)
        for round in 0..<40 {
            _ = world.put(value(round), at: key(round, seed), as: OperationID(UInt64(round)), from: round)
        }
        world.dead = Set((0..<29).map { 71 + $0 })
        var aftermath = Aftermath()
        for round in 0..<40 {
            let (node, start) = ((round * 13 + 5) % 71, world.now)
            let found = world.get(key(round, seed), as: OperationID(UInt64(1000 + round)), from: node)
            aftermath.gets.append(start.duration(to: world.now))
            if found != [value(round)] { aftermath.lost += 1 }
            let (writer, putting) = ((round * 17 + 11) % 71, world.now)
            let target = InfoHash(hashing: "new \(round) of \(seed)")
            let outcome = world.put(value(round), at: target, as: OperationID(UInt64(2000 + round)), from: writer)
            aftermath.puts.append(putting.duration(to: world.now))
            guard case .completed(let copies) = outcome, copies >= 3 else { aftermath.lost += 1; continue }
        }
        return aftermath
    }

    private func key(_ round: Int, _ seed: UInt64) -> InfoHash { InfoHash(hashing: "churn \(round) of \(seed)") }

    @Test(arguments: [UInt64(1), 2, 3])
    func getsAndPutsAreDoneSoonAfterNodesDiedAndNothingIsLost(seed: UInt64) {
        let aftermath = aftermath(seed: seed)
        #expect(aftermath.lost == 0)
        let (gets, puts) = (aftermath.gets, aftermath.puts)
        #expect(Aftermath.percentile(50, of: gets) < .milliseconds(150), "\(Aftermath.percentile(50, of: gets))")
        #expect(Aftermath.percentile(95, of: gets) < .milliseconds(300), "\(Aftermath.percentile(95, of: gets))")
        #expect(Aftermath.percentile(95, of: puts) < .milliseconds(300), "\(Aftermath.percentile(95, of: puts))")
    }

    /// A put is reported as done when the living have it; the copies that dead nodes should have held follow.
    @Test func aPutAmongDeadNodesEndsWithAllItsCopies() {
        var world = World(seed: 31)
        world.grow(to: 60)
        world.dead = Set((0..<20).map { 40 + $0 })
        let target = InfoHash(hashing: "all copies")
        _ = world.put(value(1), at: target, as: OperationID(1), from: 0)
        world.run(for: .seconds(20))
        let closest = (0..<40).sorted { world.nodes[$0].nodeID.isCloser(to: target, than: world.nodes[$1].nodeID) }
        for holder in closest.prefix(8) {
            #expect(!world.nodes[holder].storage.entries(at: target).isEmpty, "node \(holder)")
        }
    }
}

/// Networks of fewer nodes than copies of a value are wanted.
@Suite struct SmallNetworkTests {
    private let key = InfoHash(hashing: "small")
    private let value = Value(id: Value.ID(1), data: [1])

    @Test(arguments: [3, 4, 5])
    func aDeadNodeDelaysAPutByAPatientWaitOnly(count: Int) {
        var world = World(seed: UInt64(count))
        world.grow(to: count)
        world.dead = [count - 1]
        let start = world.now
        let outcome = world.put(value, at: key, as: OperationID(1), from: 0)
        #expect(outcome == .completed(nodes: count - 2))
        #expect(start.duration(to: world.now) < .milliseconds(500), "\(start.duration(to: world.now))")
        let asking = world.now
        #expect(world.get(key, as: OperationID(2), from: 1) == [value])
        #expect(asking.duration(to: world.now) < .milliseconds(500), "\(asking.duration(to: world.now))")
    }

    /// A node that is slow but has the only copy is waited for: an empty answer of others says nothing.
    @Test func theOnlyCopyIsNotMissedBecauseItsHolderIsSlow() {
        var world = World(seed: 9)
        world.grow(to: 3)
        _ = world.put(value, at: key, as: OperationID(1), from: 2)
        world.dead = [1]
        world.run(for: .milliseconds(10))
        world.delay = .milliseconds(180)...(.milliseconds(190))
        #expect(world.get(key, as: OperationID(2), from: 0) == [value])
    }

    @Test func whenAllOthersAreDeadAPutFailsAndSaysSo() {
        var world = World(seed: 10)
        world.grow(to: 3)
        world.dead = [1, 2]
        #expect(world.put(value, at: key, as: OperationID(1), from: 0) == .failed)
        #expect(world.now < Instant.zero.advanced(by: .seconds(40)))
    }
}

/// Several operations on one key at a time.
@Suite struct SharingTests {
    private let key = InfoHash(hashing: "shared")
    private let value = Value(id: Value.ID(1), data: [1])

    private func requests(of world: World) -> Int { world.nodes.reduce(0) { $0 + $1.counters.requestsSent } }

    @Test func simultaneousGetsOfAKeyShareTheirAnswers() {
        func cost(_ count: Int) -> Int {
            var world = World(seed: 40)
            world.grow(to: 30)
            _ = world.put(value, at: key, as: OperationID(1), from: 3)
            let before = world.nodes[7].counters.requestsSent
            for operation in 0..<count {
                let query = operation == 0 ? ValueQuery.all : ValueQuery(where: [.id(Value.ID(1))])
                world.perform(7) { $0.get(key, matching: query, as: OperationID(UInt64(10 + operation)), at: $1) }
            }
            world.run(for: .seconds(2))
            for operation in 0..<count {
                #expect(world.values(of: OperationID(UInt64(10 + operation)), at: 7) == [value])
            }
            return world.nodes[7].counters.requestsSent - before
        }
        #expect(cost(20) == cost(1))
    }

    @Test func aGetThatAsksForMoreIsNotAnsweredByOneThatAskedForLess() {
        var world = World(seed: 41)
        world.grow(to: 20)
        _ = world.put(value, at: key, as: OperationID(1), from: 3)
        let narrow = ValueQuery(where: [.id(Value.ID(99))])
        world.perform(7) { $0.get(key, matching: narrow, as: OperationID(2), at: $1) }
        world.perform(7) { $0.get(key, as: OperationID(3), at: $1) }
        world.run(for: .seconds(2))
        #expect(world.values(of: OperationID(2), at: 7).isEmpty)
        #expect(world.values(of: OperationID(3), at: 7) == [value])
    }
}
