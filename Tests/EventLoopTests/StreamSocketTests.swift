import SansIO
import Testing

@testable import EventLoop

@Suite("Stream socket", .timeLimit(.minutes(20)))
struct StreamSocketTests {
    /// Both ends of a connection, made by a listener that is kept with them.
    private func pair(
        on loop: EventLoop, _ family: IPAddress.Family = .v4, _ configuration: StreamSocket.Configuration = .init(),
        accepted: @escaping (StreamSocket) -> Void
    ) throws -> (listener: StreamListener, client: StreamSocket) {
        var limits = StreamListener.Configuration()
        limits.stream = configuration
        let listener = try StreamListener(
            bindingTo: loopback(family), on: loop, configuration: limits, accepted: accepted)
        let client = try StreamSocket(
            connectingTo: listener.localEndpoint, from: loopback(family), on: loop, configuration: configuration)
        return (listener, client)
    }

    /// Queues bytes whenever there is room, then finishes.
    private func pump(_ bytes: [UInt8], into socket: StreamSocket, from offset: Int = 0, piece: Int) -> Int {
        var offset = offset
        while offset < bytes.count {
            let end = min(offset + piece, bytes.count)
            guard (try? socket.write(Array(bytes[offset..<end]))) != nil else { return offset }
            offset = end
        }
        socket.finish()
        return offset
    }

    @Test("a large transfer in both directions at once, through small queues", arguments: IPAddress.Family.allCases)
    func largeTransfer(family: IPAddress.Family) async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let (up, down) = (pattern(3_000_000, seed: 1), pattern(2_000_000, seed: 2))
            var limits = StreamSocket.Configuration()
            (limits.writeLimit, limits.readSize) = (100_000, 10_000)
            let results: [[UInt8]] = try await bench.wait { done in
                let received = Box<[String: [UInt8]]>(["up": [], "down": []])
                let closed = Box<[Errno?]>([])
                let server = Box<StreamSocket?>(nil)
                func start(_ socket: StreamSocket, sending bytes: [UInt8], as name: String) throws {
                    let offset = Box(0)
                    let feed = { [weak socket, self] in
                        guard let socket else { return }
                        offset.value = pump(bytes, into: socket, from: offset.value, piece: 30_000)
                        #expect(socket.queuedBytes <= limits.writeLimit)
                    }
                    try socket.start(
                        .init(
                            received: { received.value[name]! += [UInt8]($0) }, drained: feed,
                            closed: {
                                closed.value.append($0)
                                guard closed.value.count == 2 else { return }
                                #expect(closed.value == [nil, nil])
                                done([received.value["up"]!, received.value["down"]!])
                            }))
                    feed()
                }
                let (listener, client) = try pair(on: loop, family, limits) { socket in
                    server.value = socket
                    #expect(throws: Never.self) { try start(socket, sending: down, as: "up") }
                }
                try start(client, sending: up, as: "down")
                return [listener, client, server]
            }
            #expect(results == [up, down])
        }
    }

    @Test("a reader that pauses stops the writer at its limit, and gets all once it goes on")
    func backPressure() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            var limits = StreamSocket.Configuration()
            limits.writeLimit = 50_000
            let (sent, received): (Int, Int) = try await bench.wait { done in
                let server = Box<StreamSocket?>(nil)
                let count = Box((sent: 0, received: 0))
                let (listener, client) = try pair(on: loop, .v4, limits) { socket in
                    server.value = socket
                    socket.pauseReading()
                    try? socket.start(
                        .init(
                            received: { count.value.received += $0.count },
                            ended: { [weak socket] in socket?.finish() },
                            closed: { _ in done(count.value) }))
                }
                let fill = { [weak client] in
                    guard let client else { return }
                    let piece = pattern(10_000)
                    while (try? client.write(piece)) != nil { count.value.sent += piece.count }
                    #expect(count.value.received == 0)
                    client.finish()
                    #expect(throws: Errno.brokenPipe) { try client.write([1]) }
                    server.value?.resumeReading()
                }
                let look = Box<(() -> Void)?>(nil)
                // The server is accepted in a later turn than the connection completes, or in the same.
                look.value = {
                    guard server.value == nil else {
                        look.value = nil
                        return fill()
                    }
                    loop.schedule(at: loop.now) { look.value?() }
                }
                try client.start(.init(connected: { look.value?() }, received: { _ in }, closed: { _ in }))
                return [listener, client, server]
            }
            #expect(sent >= 50_000)
            #expect(received == sent)
        }
    }

    @Test("after the peer's end of stream, this side may go on sending")
    func halfClose() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let answer: [UInt8] = try await bench.wait { done in
                let server = Box<StreamSocket?>(nil)
                let (question, answer) = (Box<[UInt8]>([]), Box<[UInt8]>([]))
                let (listener, client) = try pair(on: loop) { socket in
                    server.value = socket
                    try? socket.start(
                        .init(
                            received: { question.value += [UInt8]($0) },
                            ended: { [weak socket] in
                                try? socket?.write(question.value.reversed())
                                socket?.finish()
                            }, closed: { #expect($0 == nil) }))
                }
                try client.start(
                    .init(
                        received: { answer.value += [UInt8]($0) },
                        closed: {
                            #expect($0 == nil)
                            done(answer.value)
                        }))
                try client.write([1, 2, 3])
                client.finish()
                return [listener, client, server]
            }
            #expect(answer == [3, 2, 1])
        }
    }

    @Test("a refused connection is told as such")
    func refused() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let reason: Errno? = try await bench.wait { done in
                // Bound, so that nobody else takes the port, but not listening.
                let silent = try Descriptor.streamSocket(.v4)
                try silent.bind(to: loopback(.v4))
                let client = try StreamSocket(connectingTo: silent.localEndpoint(), on: loop)
                try client.start(
                    .init(
                        connected: { Issue.record("connected to nobody") }, received: { _ in },
                        closed: { done($0) }))
                #expect(throws: Errno.busy) { try client.start(.init(received: { _ in }, closed: { _ in })) }
                return [client, Owner(silent)]
            }
            #expect(reason == .connectionRefused)
        }
    }

    @Test("a peer's reset is told as such", arguments: [false, true])
    func reset(isWriting: Bool) async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let reason: Errno? = try await bench.wait { done in
                let (listener, client) = try pair(on: loop) { $0.abort() }
                try client.start(.init(received: { _ in }, closed: { done($0) }))
                if isWriting { try client.write(pattern(500_000)) }
                return [listener, client]
            }
            #expect([.connectionReset, isWriting ? .brokenPipe : .connectionReset].contains(reason))
        }
    }

    @Test("an accepted connection that nobody keeps is closed")
    func notKept() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let ended: Bool = try await bench.wait { done in
                let (listener, client) = try pair(on: loop) { _ in }
                try client.start(.init(received: { _ in }, ended: { done(true) }, closed: { _ in done(false) }))
                return [listener, client]
            }
            #expect(ended)
        }
    }

    @Test("writing has its limits before, during and after the connection")
    func writeLimits() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            try await bench.run {
                var limits = StreamSocket.Configuration()
                limits.writeLimit = 10
                let (listener, client) = try pair(on: loop, .v4, limits) { _ in }
                #expect(throws: Errno.notConnected) { try client.write([1]) }
                try client.start(.init(received: { _ in }, closed: { _ in Issue.record("closed by its owner") }))
                try client.write(pattern(10))
                #expect(client.queuedBytes == 10)
                #expect(throws: Errno.noBufferSpace) { try client.write([1]) }
                client.close()
                #expect(client.queuedBytes == 0)
                #expect(throws: Errno.notConnected) { try client.write([1]) }
                client.finish()
                listener.close()
            }
        }
    }

    @Test("many connections through one listener")
    func manyConnections() async throws {
        try await withLoop { loop in
            let bench = Bench(on: loop)
            let count = 100
            let total: Int = try await bench.wait { done in
                let servers = Box<[StreamSocket]>([])
                var limits = StreamListener.Configuration()
                limits.acceptsPerTurn = 4
                let listener = try StreamListener(bindingTo: loopback(.v4), on: loop, configuration: limits) { socket in
                    servers.value.append(socket)
                    try? socket.start(
                        .init(
                            received: { [weak socket] in try? socket?.write([UInt8]($0)) },
                            ended: { [weak socket] in socket?.finish() }, closed: { _ in }))
                }
                let clients = Box<[StreamSocket]>([])
                let (closed, total) = (Box(0), Box(0))
                for index in 0..<count {
                    let client = try StreamSocket(connectingTo: listener.localEndpoint, on: loop)
                    try client.start(
                        .init(
                            received: { total.value += $0.count },
                            closed: {
                                #expect($0 == nil)
                                closed.value += 1
                                if closed.value == count { done(total.value) }
                            }))
                    try client.write(pattern(index + 1))
                    client.finish()
                    clients.value.append(client)
                }
                return [listener, clients, servers]
            }
            #expect(total == count * (count + 1) / 2)
            await bench.drop()
        }
    }

    @Test("sockets released on any thread leave the loop")
    func releasedElsewhere() async throws {
        try await withLoop { loop in
            var bench: Bench? = Bench(on: loop)
            let _: Bool = try await bench!.wait { done in
                let server = Box<StreamSocket?>(nil)
                let (listener, client) = try pair(on: loop) { socket in
                    server.value = socket
                    try? socket.start(.init(received: { _ in }, closed: { _ in }))
                    done(true)
                }
                try client.start(.init(received: { _ in }, closed: { _ in }))
                let datagrams = try DatagramSocket(bindingTo: loopback(.v4))
                try datagrams.receive(on: loop, into: DatagramBatch()) { _, _ in }
                return [listener, client, server, datagrams]
            }
            bench = nil
            await withCheckedContinuation { continuation in loop.execute { continuation.resume() } }
        }
    }
}
