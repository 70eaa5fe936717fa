import EventLoop
import Foundation
import SansIO
import Testing

@Suite("Worker", .timeLimit(.minutes(20)))
struct WorkerTests {
    @Test("jobs of one key run one after the other in order, and complete on the loop")
    func ordering() async throws {
        try await withLoop { loop in
            let worker = try Worker(for: loop)
            let bench = Bench(on: loop)
            let running = Shared<[UInt64: Int]>([:])
            let order: [UInt64: [Int]] = try await bench.wait { done in
                let order = Box<[UInt64: [Int]]>([:])
                let count = Box(0)
                for index in 0..<200 {
                    let key = UInt64(index % 3)
                    worker.run(on: Worker.Key(rawValue: key)) {
                        let atOnce = running.withLock { running in
                            running[key, default: 0] += 1
                            return running[key]!
                        }
                        #expect(atOnce == 1)
                        running.withLock { $0[key]! -= 1 }
                        return index
                    } completion: { result in
                        #expect(loop.isCurrent)
                        order.value[key, default: []].append((try? result.get()) ?? -1)
                        count.value += 1
                        if count.value == 200 { done(order.value) }
                    }
                }
                return []
            }
            for key in 0..<3 { #expect(order[UInt64(key)] == Array(stride(from: key, to: 200, by: 3))) }
            worker.shutdown()
        }
    }

    @Test("a busy key does not hold up another")
    func independence() async throws {
        try await withLoop { loop in
            let worker = try Worker(for: loop)
            let gate = DispatchSemaphore(value: 0)
            async let slow = worker.value(on: Worker.Key(rawValue: 1)) {
                gate.wait()
                return 1
            }
            async let next = worker.value(on: Worker.Key(rawValue: 1)) { 2 }
            let other = try await worker.value(on: Worker.Key(rawValue: 2)) { 3 }
            #expect(other == 3)
            gate.signal()
            #expect(try await slow == 1)
            #expect(try await next == 2)
            worker.shutdown()
        }
    }

    @Test("a full queue refuses, a shutdown cancels what waits and lets finish what runs")
    func limitsAndShutdown() async throws {
        try await withLoop { loop in
            var limits = Worker.Configuration()
            (limits.threads, limits.queueLimit) = (1, 2)
            let worker = try Worker(for: loop, limits)
            let (started, gate) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            let (outcomes, told) = (Shared<[String]>([]), Countdown(4))
            let bench = Bench(on: loop)
            let note = { @Sendable (name: String, result: Result<Int, Worker.Failure>) in
                outcomes.withLock { $0.append("\(name) \(result)") }
                told()
            }
            try await bench.run {
                worker.run {
                    started.signal()
                    gate.wait()
                    return 0
                } completion: {
                    note("running", $0)
                }
            }
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    started.wait()
                    continuation.resume()
                }
            }
            try await bench.run {
                for name in ["a", "b", "c"] {
                    worker.run {
                        1
                    } completion: {
                        note(name, $0)
                    }
                }
                #expect(worker.waiting == 2)
            }
            worker.shutdown(waiting: false)
            gate.signal()
            await #expect(throws: Worker.Failure.cancelled) { try await worker.value { 1 } }
            await told.wait()
            let all = outcomes.withLock { $0.sorted() }
            #expect(all.map { $0.prefix(2) } == ["a ", "b ", "c ", "ru"])
            #expect(all[0].contains("cancelled") && all[1].contains("cancelled") && all[2].contains("overloaded"))
            #expect(all[3].contains("success"))
        }
    }

    @Test("shutting the loop down while jobs run loses nothing and hangs nobody")
    func shutdownWhileBusy() async throws {
        let loop = try EventLoop()
        let worker = try Worker(for: loop)
        let finished = Countdown(100)
        let bench = Bench(on: loop)
        try await bench.run {
            for _ in 0..<100 {
                worker.run {
                    1
                } completion: { _ in
                    finished()
                }
            }
        }
        loop.shutdown()
        worker.shutdown()
        await finished.wait()
    }
}

@Suite("Resolver", .timeLimit(.minutes(20)))
struct ResolverTests {
    @Test("localhost has loopback addresses with the port asked for")
    func localhost() async throws {
        try await withLoop { loop in
            let resolver = try Resolver(for: loop)
            let endpoints = try await resolver.resolve("localhost", port: 4222)
            #expect(!endpoints.isEmpty)
            #expect(endpoints.allSatisfy { $0.address.isLoopback && $0.port == 4222 })
            let v4 = try await resolver.resolve("localhost", port: 1, family: .v4)
            #expect(v4 == [Endpoint(.loopback(.v4), port: 1)])
            resolver.shutdown()
        }
    }

    @Test("numeric addresses need no name server")
    func numeric() async throws {
        try await withLoop { loop in
            let resolver = try Resolver(for: loop)
            #expect(try await resolver.resolve("::1", port: 9) == [Endpoint(.loopback(.v6), port: 9)])
            await #expect(throws: Resolver.Failure.notFound) {
                try await resolver.resolve("::1", port: 9, family: .v4)
            }
            resolver.shutdown()
        }
    }

    @Test("names that cannot exist are not found", arguments: ["", "a\0b", String(repeating: "a", count: 300)])
    func impossible(name: String) async throws {
        try await withLoop { loop in
            let resolver = try Resolver(for: loop)
            await #expect(throws: Resolver.Failure.notFound) { try await resolver.resolve(name, port: 1) }
            resolver.shutdown()
        }
    }

    @Test("a reserved name fails in one way or another, and in time (RFC 6761 §6.4)")
    func invalid() async throws {
        try await withLoop { loop in
            var limits = Resolver.Configuration()
            limits.timeout = .milliseconds(200)
            let resolver = try Resolver(for: loop, limits)
            await #expect(throws: Resolver.Failure.self) { try await resolver.resolve("no.such.invalid", port: 1) }
            resolver.shutdown()
            await #expect(throws: Resolver.Failure.cancelled) { try await resolver.resolve("localhost", port: 1) }
        }
    }
}
