import Foundation
import SansIO
import Testing

@testable import EventLoop

/// These need a process of their own, whose descriptors nobody else opens and closes.
@Suite("Descriptors", .timeLimit(.minutes(20)))
struct DescriptorTests {
    @Test("a whole life of loops, sockets, workers and resolvers leaves no descriptor behind")
    func leaks() async {
        await #expect(processExitsWith: .success) {
            // Once before counting, as the C library and Foundation keep some of their own.
            try await Self.life()
            let before = try openDescriptors()
            for _ in 0..<5 { try await Self.life() }
            // Threads that nobody joins, the resolver's, let go of their loop a moment later.
            for _ in 0..<100_000 where try openDescriptors() != before { await Task.yield() }
            #expect(try openDescriptors() == before)
        }
    }

    @Test("without descriptors a listener refuses connections, and accepts again when there are some")
    func exhaustion() async {
        await #expect(processExitsWith: .success) {
            let loop = try EventLoop()
            let bench = Bench(on: loop)
            let counters: StreamListener.Counters = try await bench.wait { done in try Self.exhaust(loop, done) }
            #expect(counters.refused >= 1)
            #expect(counters.accepted >= 1)
        }
    }

    private static func life() async throws {
        let loop = try EventLoop()
        let worker = try Worker(for: loop)
        let resolver = try Resolver(for: loop)
        _ = try await worker.value { 1 }
        _ = try await resolver.resolve("localhost", port: 1)
        let bench = Bench(on: loop)
        let _: Bool = try await bench.wait { done in
            let server = Box<StreamSocket?>(nil)
            let listener = try StreamListener(bindingTo: loopback(.v4), on: loop) { socket in
                server.value = socket
                try? socket.start(.init(received: { _ in }, closed: { _ in }))
                done(true)
            }
            let client = try StreamSocket(connectingTo: listener.localEndpoint, on: loop)
            try client.start(.init(received: { _ in }, closed: { _ in }))
            let datagrams = try DatagramSocket(bindingTo: loopback(.v6))
            try datagrams.receive(on: loop, into: DatagramBatch()) { _, _ in }
            let failing = try? StreamSocket(connectingTo: Endpoint(.loopback(.v4), port: 0), on: loop)
            return [listener, client, server, datagrams, failing as Any]
        }
        await bench.drop()
        resolver.shutdown()
        worker.shutdown()
        loop.shutdown()
    }

    /// Lets three clients connect, uses up all descriptors, and frees them once the first client was refused.
    private static func exhaust(_ loop: EventLoop, _ done: Done<StreamListener.Counters>) throws -> [Any] {
        let holder = Box<StreamListener?>(nil)
        let listener = try StreamListener(bindingTo: loopback(.v4), on: loop) { _ in
            // Nobody keeps it, which closes it; it was accepted all the same.
            loop.schedule(at: loop.now) { if let listener = holder.value { done(listener.counters) } }
        }
        holder.value = listener
        let clients = try (0..<3).map { _ in try StreamSocket(connectingTo: listener.localEndpoint, on: loop) }
        var limit = rlimit(rlim_cur: 128, rlim_max: 128)
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw Errno.last }
        let hoard = Box<[Int32]>([])
        while case let number = dup(0), number >= 0 { hoard.value.append(number) }
        #expect(Errno.last == .tooManyOpenFiles)
        let late = Box<StreamSocket?>(nil)
        let recover = {
            for number in hoard.value { close(number) }
            hoard.value = []
            guard late.value == nil else { return }
            late.value = try? StreamSocket(connectingTo: listener.localEndpoint, on: loop)
            try? late.value?.start(.init(received: { _ in }, closed: { _ in }))
        }
        for client in clients {
            try client.start(.init(received: { _ in }, ended: recover, closed: { _ in recover() }))
        }
        return [listener, clients, holder, late]
    }
}
