import SansIO
import SwiftDHT
import Testing

/// Whole networks in virtual time.
@Suite struct NetworkTests {
    private let key = InfoHash(hashing: "a key")

    private func value(_ id: UInt64, _ text: String, type: ValueType = .userData) -> Value {
        Value(id: Value.ID(id), data: Array(text.utf8), type: type)
    }

    private func isCompleted(_ outcome: DHT.Outcome?) -> Bool {
        if case .completed = outcome { true } else { false }
    }

    @Test func twoNodesFindEachOtherAndExchangeAValue() {
        var world = World(seed: 1)
        world.grow(to: 2, settle: .seconds(1))
        #expect(world.nodes.allSatisfy { $0.status(of: .v4) == .connected })
        let start = world.now
        #expect(isCompleted(world.put(value(1, "hello"), at: key, as: OperationID(1), from: 0)))
        #expect(start.duration(to: world.now) < .milliseconds(200))
        #expect(world.get(key, as: OperationID(2), from: 1) == [value(1, "hello")])
    }

    @Test(arguments: [0, 5, 10], [UInt64(1), 2, 3])
    func aValuePutAnywhereIsFoundFromAnywhere(lossPercent: Int, seed: UInt64) {
        var world = World(seed: seed)
        world.grow(to: 40)
        world.lossPercent = lossPercent
        for round in 0..<10 {
            let target = InfoHash(hashing: "key \(round) of \(seed)")
            let stored = value(UInt64(round + 1), "value \(round)")
            let putting = OperationID(UInt64(round * 2))
            let outcome = world.put(stored, at: target, as: putting, from: (round * 7) % 40)
            #expect(isCompleted(outcome), "put \(round): \(String(describing: outcome))")
            let getter = (round * 11 + 3) % 40
            let found = world.get(target, as: OperationID(UInt64(round * 2 + 1)), from: getter)
            #expect(found == [stored], "get \(round)")
        }
    }

    @Test func operationsOnAnIdleNetworkTakeAFewRoundTripsOnly() {
        var world = World(seed: 9)
        world.delay = .microseconds(500)...(.microseconds(1000))
        world.grow(to: 50)
        for round in 0..<20 {
            let target = InfoHash(hashing: "quick \(round)")
            let start = world.now
            #expect(isCompleted(world.put(value(1, "x"), at: target, as: OperationID(1), from: round)))
            let stored = world.now
            _ = world.get(target, as: OperationID(2), from: 49 - round)
            #expect(start.duration(to: stored) < .milliseconds(20))
            #expect(stored.duration(to: world.now) < .milliseconds(20))
            world.notes = []
        }
    }

    @Test func deadNodesCostAHedgeAndNoTimeout() {
        var world = World(seed: 4)
        world.grow(to: 50)
        for round in 0..<10 {
            #expect(
                isCompleted(
                    world.put(
                        value(1, "\(round)"), at: InfoHash(hashing: "dead \(round)"), as: OperationID(UInt64(round)),
                        from: round)))
        }
        world.dead = Set(stride(from: 20, to: 50, by: 2))
        world.notes = []
        for round in 0..<10 {
            let start = world.now
            let found = world.get(InfoHash(hashing: "dead \(round)"), as: OperationID(UInt64(100 + round)), from: round)
            #expect(found.count == 1)
            #expect(start.duration(to: world.now) < .seconds(1), "get \(round)")
            let putting = world.now
            #expect(
                isCompleted(
                    world.put(
                        value(2, "new"), at: InfoHash(hashing: "after \(round)"), as: OperationID(UInt64(200 + round)),
                        from: round)))
            #expect(putting.duration(to: world.now) < .seconds(1), "put \(round)")
        }
    }

    @Test func aListenerHearsOfANewValueWithinTheNetworkDelay() {
        var world = World(seed: 5)
        world.grow(to: 30)
        world.perform(3) { $0.listen(key, as: OperationID(1), at: $1) }
        world.run(for: .seconds(2))
        let start = world.now
        world.perform(17) { $0.put(value(1, "news"), at: key, as: OperationID(2), at: $1) }
        world.run(for: .seconds(2))
        let heard = world.time { if case .value(_, OperationID(1)) = $0.effect { true } else { false } }
        #expect(heard.map { start.duration(to: $0) < .milliseconds(300) } == true)
        #expect(world.values(of: OperationID(1), at: 3) == [value(1, "news")])
    }

    @Test func aListenerHearsOfValuesThatAreThereAlreadyAndOfTheirEnd() {
        var world = World(seed: 6)
        world.grow(to: 20)
        #expect(isCompleted(world.put(value(1, "old", type: .iceCandidates), at: key, as: OperationID(1), from: 2)))
        world.perform(3) { $0.listen(key, as: OperationID(2), at: $1) }
        world.run(for: .seconds(5))
        #expect(world.values(of: OperationID(2), at: 3).count == 1)
        world.run(for: .seconds(70))
        let ends = world.notes.filter {
            if case .expired(Value.ID(1), OperationID(2)) = $0.effect { true } else { false }
        }
        #expect(ends.count == 1)
        #expect(world.get(key, as: OperationID(3), from: 9).isEmpty)
    }

    @Test func aPermanentValueOutlivesItsLifetimeUntilCancelled() {
        var world = World(seed: 7)
        world.grow(to: 25)
        #expect(
            isCompleted(
                world.put(
                    value(1, "stay", type: .iceCandidates), at: key, permanently: true, as: OperationID(1), from: 2)))
        world.run(for: .seconds(400))
        #expect(world.get(key, as: OperationID(2), from: 20).count == 1)
        world.perform(2) { $0.cancel(OperationID(1), at: $1) }
        world.run(for: .seconds(70))
        #expect(world.get(key, as: OperationID(3), from: 20).isEmpty)
    }

    @Test func aPermanentValueMovesToNewcomersThatAreCloser() {
        var world = World(seed: 8)
        world.grow(to: 12)
        #expect(isCompleted(world.put(value(1, "stay"), at: key, permanently: true, as: OperationID(1), from: 2)))
        world.grow(to: 40)
        world.run(for: .seconds(700))
        for index in 0..<12 where index != 2 { world.dead.insert(index) }
        world.run(for: .seconds(30))
        #expect(world.get(key, as: OperationID(2), from: 30).count == 1)
    }

    @Test(arguments: [3_000, 20_000, 65_000])
    func largeValuesTravelAsFragments(size: Int) {
        var world = World(seed: UInt64(size))
        world.grow(to: 20)
        let large = Value(id: Value.ID(1), data: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        #expect(isCompleted(world.put(large, at: key, as: OperationID(1), from: 2)))
        #expect(world.get(key, as: OperationID(2), from: 13) == [large])
        world.perform(7) { $0.listen(key, as: OperationID(3), at: $1) }
        world.run(for: .seconds(5))
        #expect(world.values(of: OperationID(3), at: 7) == [large])
    }

    @Test func largeValuesSurviveLoss() {
        var world = World(seed: 77)
        world.grow(to: 20)
        world.lossPercent = 3
        let large = Value(id: Value.ID(1), data: (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        #expect(isCompleted(world.put(large, at: key, as: OperationID(1), from: 2)))
        #expect(world.get(key, as: OperationID(2), from: 13) == [large])
    }

    @Test func anOperationWaitsForTheConnection() {
        var world = World(seed: 10)
        world.grow(to: 5)
        let late = world.addNode()
        world.perform(late) { $0.put(value(1, "late"), at: key, as: OperationID(1), at: $1) }
        world.run(for: .seconds(5))
        #expect(world.outcome(of: OperationID(1), at: late) == nil)
        world.perform(late) { $0.bootstrap([World.endpoint(0)], at: $1) }
        world.run(for: .seconds(2))
        #expect(isCompleted(world.outcome(of: OperationID(1), at: late)))
        #expect(world.get(key, as: OperationID(2), from: 3).count == 1)
    }

    @Test func withoutAnybodyAnOperationEndsAfterItsTimeout() {
        var world = World(seed: 11)
        let alone = world.addNode()
        #expect(world.put(value(1, "x"), at: key, as: OperationID(1), from: alone, within: .seconds(60)) == .noNodes)
        #expect(world.now == Instant.zero.advanced(by: .seconds(30)))
        #expect(world.get(key, as: OperationID(2), from: alone, within: .seconds(60)).count == 1)
    }

    @Test func filtersSelectAmongTheValuesOfAKey() {
        var world = World(seed: 12)
        world.grow(to: 15)
        for (id, type) in [(1, ValueType.userData), (2, .iceCandidates), (3, .userData)] {
            let stored = value(UInt64(id), "v\(id)", type: type)
            #expect(isCompleted(world.put(stored, at: key, as: OperationID(UInt64(id)), from: id)))
        }
        let byType = ValueQuery(where: [.type(.iceCandidates)])
        #expect(world.get(key, matching: byType, as: OperationID(10), from: 9).map(\.id.rawValue) == [2])
        let byID = ValueQuery(where: [.id(Value.ID(3))])
        #expect(world.get(key, matching: byID, as: OperationID(11), from: 9).map(\.id.rawValue) == [3])
        #expect(Set(world.get(key, as: OperationID(12), from: 9).map(\.id.rawValue)) == [1, 2, 3])
    }

    @Test func aSignedValueIsEditedByItsSignerOnly() throws {
        var world = World(seed: 13)
        world.grow(to: 15)
        let (alice, mallory) = (FakeKey(name: "alice"), FakeKey(name: "mallory"))
        func signed(_ text: String, _ sequence: UInt16, by key: FakeKey) throws -> Value {
            try .signed(
                ValueBody(type: .userData, data: Array(text.utf8), sequence: sequence), id: Value.ID(5), by: key)
        }
        let (first, second) = (try signed("one", 1, by: alice), try signed("two", 2, by: alice))
        #expect(isCompleted(world.put(first, at: key, as: OperationID(1), from: 1)))
        world.perform(9) { $0.listen(key, as: OperationID(9), at: $1) }
        world.run(for: .seconds(1))
        _ = world.put(try signed("evil", 7, by: mallory), at: key, as: OperationID(2), from: 2)
        #expect(world.get(key, as: OperationID(3), from: 3) == [first])
        #expect(isCompleted(world.put(second, at: key, as: OperationID(4), from: 1)))
        #expect(world.get(key, as: OperationID(5), from: 3) == [second])
        #expect(world.values(of: OperationID(9), at: 9) == [first, second])
    }

    @Test func theSameSeedGivesTheSameRun() {
        func run() -> [String] {
            var world = World(seed: 99)
            world.grow(to: 15)
            world.lossPercent = 5
            _ = world.put(value(1, "x"), at: key, as: OperationID(1), from: 1)
            _ = world.get(key, as: OperationID(2), from: 9)
            return world.notes.map { "\($0.time.nanoseconds) \($0.node) \($0.effect)" }
        }
        #expect(run() == run())
    }
}

/// Networks left alone for long.
@Suite struct EnduranceTests {
    @Test func anIdleNetworkStaysConnectedAndQuiet() {
        var world = World(seed: 21)
        world.grow(to: 20)
        world.perform(1) { $0.listen(InfoHash(hashing: "idle"), as: OperationID(1), at: $1) }
        world.perform(2) {
            $0.put(
                Value(id: Value.ID(1), data: [1]), at: InfoHash(hashing: "idle"), permanently: true,
                as: OperationID(1), at: $1)
        }
        world.run(for: .seconds(60))
        let before = world.nodes.map(\.counters.datagramsSent)
        world.run(for: .seconds(2 * 3600))
        for (index, node) in world.nodes.enumerated() {
            #expect(node.status(of: .v4) == .connected)
            let perMinute = (node.counters.datagramsSent - before[index]) / 120
            #expect(perMinute < 60, "node \(index) sends \(perMinute) a minute")
        }
        let expired = world.notes.contains { if case .expired = $0.effect { true } else { false } }
        #expect(!expired)
        #expect(world.get(InfoHash(hashing: "idle"), as: OperationID(9), from: 15).count == 1)
    }

    @Test func aNodeCutOffComesBackByItself() {
        var world = World(seed: 22)
        world.grow(to: 10)
        world.perform(9) { $0.listen(InfoHash(hashing: "back"), as: OperationID(1), at: $1) }
        world.run(for: .seconds(5))
        world.severed = [9]
        world.run(for: .seconds(1800))
        #expect(world.nodes[9].status(of: .v4) != .connected)
        world.severed = []
        world.run(for: .seconds(1800))
        #expect(world.nodes[9].status(of: .v4) == .connected)
        _ = world.put(
            Value(id: Value.ID(1), data: [1]), at: InfoHash(hashing: "back"), as: OperationID(2), from: 4)
        world.run(for: .seconds(1))
        #expect(world.values(of: OperationID(1), at: 9).count == 1)
    }
}
