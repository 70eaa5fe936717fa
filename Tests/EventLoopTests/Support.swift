import Foundation
import SansIO

@testable import EventLoop

/// Runs `body` on a fresh loop and shuts it down afterwards.
func withLoop<Result>(_ body: (EventLoop) async throws -> Result) async throws -> Result {
    let loop = try EventLoop()
    do {
        let result = try await body(loop)
        loop.shutdown()
        return result
    } catch {
        loop.shutdown()
        throw error
    }
}

/// An actor on a loop, which lends itself to closures that use the loop's sources.
actor Bench {
    let loop: EventLoop
    /// What the closures keep alive for the length of a test.
    private var kept: [Any] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(on loop: EventLoop) { self.loop = loop }

    /// Runs `body` on the loop's thread and waits until it calls its argument.
    func wait<Value: Sendable>(_ body: (_ done: Done<Value>) throws -> [Any]) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let done = Done(continuation)
            do { kept += try body(done) } catch { done.fail(error) }
        }
    }

    /// Runs `body` on the loop's thread.
    func run<Value: Sendable>(_ body: () throws -> Value) throws -> Value { try body() }

    func drop() { kept = [] }
}

/// Resumes a waiting test once; later calls count for nothing.
final class Done<Value: Sendable> {
    private var continuation: CheckedContinuation<Value, any Error>?

    init(_ continuation: CheckedContinuation<Value, any Error>) { self.continuation = continuation }

    func callAsFunction(_ value: Value) {
        continuation?.resume(returning: value)
        continuation = nil
    }

    func fail(_ error: any Error) {
        continuation?.resume(throwing: error)
        continuation = nil
    }
}

/// A variable that the closures of one test share on the loop's thread.
final class Box<Value> {
    var value: Value

    init(_ value: Value) { self.value = value }
}

/// The loopback address of a family with a port of the kernel's choice.
func loopback(_ family: IPAddress.Family) -> Endpoint { Endpoint(.loopback(family), port: 0) }

/// The numbers of this process's open descriptors that are sockets, pipes or kernel objects of ours.
func openDescriptors() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
}

/// `count` bytes that differ from place to place.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = RandomSource.seeded(seed)
    return random.bytes(count)
}

/// A variable that closures of one test share across threads.
final class Shared<Value>: @unchecked Sendable {
    // Sendable because `value` is touched with `lock` held only.
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        lock.withLock { body(&value) }
    }
}

/// Keeps a descriptor open among other values.
final class Owner {
    private let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

/// Lets a test wait until something happened a number of times, on whatever threads.
final class Countdown: Sendable {
    private let state: Shared<(left: Int, waiter: CheckedContinuation<Void, Never>?)>

    init(_ count: Int) { state = Shared((count, nil)) }

    func callAsFunction() {
        let waiter = state.withLock { state in
            state.left -= 1
            return state.left == 0 ? state.waiter : nil
        }
        waiter?.resume()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                state.waiter = continuation
                return state.left <= 0
            }
            if isOver { continuation.resume() }
        }
    }
}
