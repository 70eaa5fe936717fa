import SansIO
import Testing

@Suite("Instant")
struct InstantTests {
    @Test("advancing saturates at both ends")
    func saturation() {
        let (first, last) = (Instant(nanoseconds: .min), Instant(nanoseconds: .max))
        #expect(last.advanced(by: .nanoseconds(1)) == last)
        #expect(last.advanced(by: .seconds(Int64.max)) == last)
        #expect(first.advanced(by: .nanoseconds(-1)) == first)
        #expect(first.advanced(by: .seconds(Int64.min)) == first)
        #expect(last.advanced(by: .zero) == last)
        #expect(Instant.zero.advanced(by: .seconds(Int64.max)) == last)
        #expect(Instant.zero.advanced(by: .seconds(Int64.min)) == first)
        #expect(first.duration(to: last) == .nanoseconds(Int64.max) + .nanoseconds(Int64.max) + .nanoseconds(1))
        #expect(last.rewound(by: .nanoseconds(-1)) == last && first.rewound(by: .nanoseconds(1)) == first)
        #expect(Instant.zero.rewound(by: .milliseconds(3)) == Instant(nanoseconds: -3_000_000))
    }

    @Test("differences and order agree")
    func arithmetic() {
        var random = RandomSource.seeded(3)
        for _ in 0..<1000 {
            let start = Instant(nanoseconds: Int64(random.next() >> 2))
            let step = random.duration(in: .seconds(-1000) ... .seconds(1000))
            let end = start.advanced(by: step)
            #expect(start.duration(to: end) == step)
            #expect(end.duration(to: start) == .zero - step)
            #expect((start < end) == (step > .zero))
        }
    }

    @Test("durations become whole nanoseconds, saturating")
    func nanoseconds() {
        #expect(Duration.milliseconds(3).nanoseconds == 3_000_000)
        #expect(Duration(secondsComponent: 1, attosecondsComponent: 999_999_999).nanoseconds == 1_000_000_000)
        #expect(Duration.milliseconds(-3).nanoseconds == -3_000_000)
        #expect(Duration.nanoseconds(Int64.max).nanoseconds == .max)
        #expect(Duration.nanoseconds(Int64.min).nanoseconds == .min)
        #expect((Duration.nanoseconds(Int64.max) + .nanoseconds(1)).nanoseconds == .max)
        #expect((Duration.nanoseconds(Int64.min) - .nanoseconds(1)).nanoseconds == .min)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.seconds(Int64.min).nanoseconds == .min)
        #expect(Duration.milliseconds(1500).seconds == 1.5)
        #expect(Duration.microseconds(1500).milliseconds == 1.5)
    }

    @Test("the wall clock adds its offset, saturating on both sides")
    func wallClock() {
        let clock = WallClock(epochOffset: 1_700_000_000_000_000_000)
        #expect(clock.unixSeconds(at: .zero) == 1_700_000_000)
        #expect(clock.unixSeconds(at: .zero.advanced(by: .milliseconds(1999))) == 1_700_000_001)
        #expect(clock.unixNanoseconds(at: Instant(nanoseconds: 5)) == 1_700_000_000_000_000_005)
        #expect(clock.unixNanoseconds(at: Instant(nanoseconds: .max)) == .max)
        #expect(clock.unixSeconds(at: Instant(nanoseconds: .max)) == .max / 1_000_000_000)
        #expect(WallClock(epochOffset: -1).unixNanoseconds(at: Instant(nanoseconds: .min)) == .min)
    }
}

@Suite("Timer table")
struct TimerTableTests {
    /// The same as `TimerTable`, slow and obvious.
    private struct Model {
        var timers: [(kind: Int, deadline: Instant, serial: Int)] = []
        var serial = 0

        var deadline: Instant? { timers.map(\.deadline).min() }

        mutating func set(_ kind: Int, at deadline: Instant) {
            cancel(kind)
            serial += 1
            timers.append((kind, deadline, serial))
        }

        mutating func cancel(_ kind: Int) { timers.removeAll { $0.kind == kind } }

        mutating func popDue(at now: Instant) -> Int? {
            let due = timers.filter { $0.deadline <= now }.min { ($0.deadline, $0.serial) < ($1.deadline, $1.serial) }
            if let due { cancel(due.kind) }
            return due?.kind
        }
    }

    @Test("agrees with a slow model", arguments: UInt64(0)..<20)
    func model(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var (table, model) = (TimerTable<Int>(), Model())
        let kinds = [3, 20, 200][Int(seed % 3)]
        for _ in 0..<1500 {
            let kind = Int.random(in: 0..<kinds, using: &random)
            let time = Instant(nanoseconds: Int64.random(in: 0..<50, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0...5:
                table.set(kind, at: time)
                model.set(kind, at: time)
            case 6, 7:
                table.cancel(kind)
                model.cancel(kind)
            default:
                #expect(table.popDue(at: time) == model.popDue(at: time))
            }
            #expect(table.deadline == model.deadline)
            #expect(table.count == model.timers.count)
            #expect(table.isSet(kind) == model.timers.contains { $0.kind == kind })
        }
        while let next = model.deadline { #expect(table.popDue(at: next) == model.popDue(at: next)) }
        #expect(table.deadline == nil && table.count == 0)
    }

    @Test("equal deadlines fire in the order they were set, and setting again moves to the end")
    func order() {
        var table = TimerTable<String>()
        let now = Instant(nanoseconds: 10)
        for kind in ["a", "b", "c", "a"] { table.set(kind, at: now) }
        #expect(table.popDue(at: Instant(nanoseconds: 9)) == nil)
        #expect([table.popDue(at: now), table.popDue(at: now), table.popDue(at: now)] == ["b", "c", "a"])
        #expect(table.popDue(at: now) == nil)
    }

    @Test("setting one timer a million times keeps the table small and quick")
    func churn() {
        var table = TimerTable<Int>()
        for step in 0..<100_000 { table.set(step % 2, at: Instant(nanoseconds: Int64(1_000_000 - step))) }
        #expect(table.count == 2)
        #expect(table.deadline == Instant(nanoseconds: 900_001))
    }
}

@Suite("Random source")
struct RandomSourceTests {
    @Test("known values of SplitMix64 for seed 0")
    func known() {
        var random = RandomSource.seeded(0)
        #expect(random.next() == 0xE220_A839_7B1D_CDAF)
        #expect(random.next() == 0x6E78_9E6A_A1B9_65F4)
        #expect(random.next() == 0x06C4_5D18_8009_454F)
    }

    @Test("a seed repeats, other seeds differ")
    func repeatable() {
        var (first, second, third) = (RandomSource.seeded(7), RandomSource.seeded(7), RandomSource.seeded(8))
        #expect(first.bytes(33) == second.bytes(33))
        #expect(first.hexDigits(7) == second.hexDigits(7))
        #expect(first.duration(in: .zero ... .seconds(9)) == second.duration(in: .zero ... .seconds(9)))
        #expect(first.next() != third.next())
    }

    @Test("a split source does not disturb its parent's sequence")
    func split() {
        var (first, second) = (RandomSource.seeded(7), RandomSource.seeded(7))
        var child = first.split()
        _ = second.split()
        _ = child.bytes(1000)
        #expect(first.next() == second.next())
        #expect(child.next() != first.next())
    }

    @Test("as many bytes and digits as asked for", arguments: [0, 1, 7, 8, 9, 20, 64])
    func counts(count: Int) {
        for source in [RandomSource.system, .seeded(1)] {
            var random = source
            #expect(random.bytes(count).count == count)
            let digits = random.hexDigits(count)
            #expect(digits.count == count && digits.allSatisfy { $0.isHexDigit && !$0.isUppercase })
        }
    }

    @Test("durations stay in range, an empty range included")
    func durations() {
        var random = RandomSource.system
        for _ in 0..<200 {
            #expect(
                (.milliseconds(5) ... .milliseconds(6)).contains(
                    random.duration(in: .milliseconds(5) ... .milliseconds(6))))
        }
        #expect(random.duration(in: .seconds(2) ... .seconds(2)) == .seconds(2))
    }
}
