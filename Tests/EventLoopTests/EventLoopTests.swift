import EventLoop
import SansIO
import Testing

@Suite("Event loop", .timeLimit(.minutes(20)))
struct EventLoopTests {
    actor Counter {
        let loop: EventLoop
        var count = 0

        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

        init(on loop: EventLoop) { self.loop = loop }

        func increment() -> Bool {
            count += 1
            return loop.isCurrent
        }

        /// What a callback of the loop does: it enters without a hop.
        nonisolated func enter() { assumeIsolated { $0.count += 1 } }

        func incrementFromTimer() async {
            await withCheckedContinuation { continuation in
                loop.schedule(at: loop.now) { [weak self] in
                    self?.enter()
                    continuation.resume()
                }
            }
        }
    }

    @Test("an actor of the loop runs on the loop's thread")
    func isolation() async throws {
        try await withLoop { loop in
            let counter = Counter(on: loop)
            #expect(await counter.increment())
            await counter.incrementFromTimer()
            #expect(await counter.count == 2)
            #expect(!loop.isCurrent)
            #expect(loop.isIsolatingCurrentContext() == false)
        }
    }

    @Test("two actors of one loop, and tasks that prefer it, share the thread")
    func sharing() async throws {
        try await withLoop { loop in
            let (left, right) = (Counter(on: loop), Counter(on: loop))
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<200 {
                    group.addTask { _ = await left.increment() }
                    group.addTask(executorPreference: loop) { _ = await right.increment() }
                }
            }
            #expect(await left.count == 200)
            #expect(await right.count == 200)
        }
    }

    @Test("closures from many threads all run, each thread's in order")
    func crossThread() async throws {
        try await withLoop { loop in
            let seen = Shared<[[Int]]>(Array(repeating: [], count: 8))
            await withTaskGroup(of: Void.self) { group in
                for producer in 0..<8 {
                    group.addTask {
                        for index in 0..<500 {
                            loop.execute { seen.withLock { $0[producer].append(index) } }
                        }
                    }
                }
            }
            await withCheckedContinuation { continuation in loop.execute { continuation.resume() } }
            #expect(seen.withLock { $0 } == Array(repeating: Array(0..<500), count: 8))
        }
    }

    @Test("timers fire in the order of their deadlines, equal ones in the order they were set, none early")
    func timers() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let fired: [(Int, Bool)] = try await bench.wait { done in
                let fired = Box<[(Int, Bool)]>([])
                let start = loop.now
                let delays = [30, 10, 20, 10, 0, 30, 5]
                for (index, delay) in delays.enumerated() {
                    let deadline = start.advanced(by: .milliseconds(delay))
                    loop.schedule(at: deadline) {
                        fired.value.append((index, loop.now >= deadline))
                        if fired.value.count == delays.count { done(fired.value) }
                    }
                }
                return []
            }
            #expect(fired.map(\.0) == [4, 6, 1, 3, 2, 0, 5])
            #expect(fired.allSatisfy { $0.1 })
        }
    }

    @Test("a cancelled timer does not fire, even when it is due in the same turn")
    func cancelling() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let fired: [String] = try await bench.wait { done in
                let fired = Box<[String]>([])
                let now = loop.now
                let second = Box<EventLoop.TimerToken?>(nil)
                loop.schedule(at: now) {
                    fired.value.append("first")
                    second.value.map(loop.cancel)
                }
                second.value = loop.schedule(at: now) { fired.value.append("second") }
                loop.schedule(at: now) { done(fired.value) }
                return []
            }
            #expect(fired == ["first"])
        }
    }

    @Test("an alarm follows the deadline it is given")
    func alarm() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let rings: Int = try await bench.wait { done in
                let rings = Box(0)
                let alarm = Alarm(on: loop) { rings.value += 1 }
                alarm.set(loop.now.advanced(by: .seconds(3600)))
                alarm.set(loop.now)
                alarm.set(nil)
                alarm.set(loop.now)
                loop.schedule(at: loop.now.advanced(by: .milliseconds(5))) {
                    #expect(alarm.deadline == nil)
                    done(rings.value)
                }
                return [alarm]
            }
            #expect(rings == 1)
        }
    }

    @Test("an alarm that is moved away rings once, at the later time")
    func movedAlarm() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let delay = Duration.milliseconds(20)
            let waited: Duration = try await bench.wait { done in
                let start = loop.now
                let rings = Box(0)
                let alarm = Alarm(on: loop) {
                    rings.value += 1
                    #expect(rings.value == 1)
                    done(start.duration(to: loop.now))
                }
                alarm.set(start.advanced(by: .milliseconds(2)))
                alarm.set(start.advanced(by: delay))
                return [alarm]
            }
            #expect(waited >= delay)
        }
    }

    @Test("more due timers and jobs than one turn serves all run in the end")
    func bounds() async throws {
        var limits = EventLoop.Configuration()
        (limits.timersPerTurn, limits.jobsPerTurn, limits.eventsPerTurn) = (2, 3, 1)
        let loop = try EventLoop(limits)
        defer { loop.shutdown() }
        let bench = Bench(on: loop)
        let count: Int = try await bench.wait { done in
            let count = Box(0)
            let check = { if count.value == 50 { done(count.value) } }
            let now = loop.now
            for _ in 0..<50 {
                loop.schedule(at: now) {
                    count.value += 1; check()
                }
            }
            return []
        }
        #expect(count == 50)
        let jobs = Shared(0)
        for _ in 0..<50 { loop.execute { jobs.withLock { $0 += 1 } } }
        await withCheckedContinuation { continuation in loop.execute { continuation.resume() } }
        #expect(jobs.withLock { $0 } == 50)
    }

    @Test("the clocks move forward and agree with each other")
    func clocks() async throws {
        try await withLoop { loop in
            let first = loop.now
            let second = loop.now
            #expect(first <= second)
            #expect(loop.wallClock.unixSeconds(at: second) > 1_700_000_000)
        }
    }

    @Test("shutting down runs what was handed over, and late jobs still run")
    func shutdown() async throws {
        let loop = try EventLoop()
        let counter = Counter(on: loop)
        let ran = Shared(0)
        for _ in 0..<2000 { loop.execute { ran.withLock { $0 += 1 } } }
        loop.shutdown()
        #expect(ran.withLock { $0 } == 2000)
        loop.shutdown()
        #expect(await counter.increment())
        for _ in 0..<20 { #expect(await counter.increment()) }
    }

    @Test("shutting down on the loop's own thread works, and ends registrations")
    func shutdownFromInside() async throws {
        let loop = try EventLoop()
        let bench = Bench(on: loop)
        try await bench.run {
            loop.schedule(at: loop.now) { Issue.record("a timer fired after the shutdown") }
            loop.shutdown()
        }
        try await bench.run {
            _ = #expect(throws: Errno.badDescriptor) {
                try loop.register(Descriptor(owning: -1), for: .readable) { _ in }
            }
        }
    }

    @Test("a loop that was shut down leaves no descriptor and is freed")
    func release() async throws {
        weak var weakLoop: EventLoop?
        do {
            let loop = try EventLoop()
            weakLoop = loop
            await withCheckedContinuation { continuation in loop.execute { continuation.resume() } }
            loop.shutdown()
        }
        #expect(weakLoop == nil)
    }
}
