import EventLoop
import SansIO
import Testing

@Suite("Actor on a loop", .timeLimit(.minutes(20)))
struct ActorTests {
    /// What a driver looks like: callbacks of the loop enter the actor without a hop.
    actor Echo {
        private let loop: EventLoop
        private let batch = DatagramBatch()
        private var socket: DatagramSocket?
        private var count = 0
        private var waiter: CheckedContinuation<Int, Never>?

        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

        init(on loop: EventLoop) { self.loop = loop }

        func start() throws(Errno) -> Endpoint {
            let socket = try DatagramSocket(bindingTo: Endpoint(.loopback(.v4), port: 0))
            // A closure formed here belongs to the actor, and a borrowed span may go straight in.
            try socket.receive(on: loop, into: batch) { [weak self] bytes, source in
                self?.assumeIsolated { $0.received(bytes.count, from: source) }
            }
            self.socket = socket
            return socket.localEndpoint
        }

        /// Sends to itself and waits for what comes back.
        func exchange(_ bytes: [UInt8]) async throws -> Int {
            guard let socket else { return 0 }
            try socket.send(bytes, to: socket.localEndpoint)
            return await withCheckedContinuation { waiter = $0 }
        }

        private func received(_ size: Int, from source: Endpoint) {
            count += 1
            waiter?.resume(returning: size)
            waiter = nil
        }

        func stop() { socket?.close() }
    }

    @Test("sockets of an actor deliver into it")
    func delivery() async throws {
        try await withLoop { loop in
            let echo = Echo(on: loop)
            _ = try await echo.start()
            for size in [0, 1, 1200] { #expect(try await echo.exchange(pattern(size)) == size) }
            await echo.stop()
        }
    }

    @Test("a borrowed span may cross into the actor's methods")
    func spans() async throws {
        actor Summer {
            let loop: EventLoop
            private var sum = 0

            nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

            init(on loop: EventLoop) { self.loop = loop }

            private func add(_ bytes: Span<UInt8>) { for index in bytes.indices { sum += Int(bytes[index]) } }

            func run() throws -> Int {
                let socket = try DatagramSocket(bindingTo: Endpoint(.loopback(.v4), port: 0))
                try socket.send([1, 2, 3], to: socket.localEndpoint)
                _ = try socket.receiveBatch(into: DatagramBatch()) { bytes, _ in add(bytes) }
                return sum
            }
        }
        try await withLoop { loop in
            let sum = try await Summer(on: loop).run()
            #expect(sum == 6)
        }
    }
}
