import EventLoop
import SansIO
import SwiftICE

/// What did not happen.
struct Disappointment: Error {
    let what: String
}

/// One TURN client over real sockets, and peers for it on addresses of ours. All on one loop.
actor RelayStage {
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let loop: EventLoop
    private let batch = DatagramBatch()
    private let server: Endpoint
    private let leg: STUNClient.Leg
    private var client: TURNClient
    private lazy var alarm = Alarm(on: loop) { [weak self] in self?.assumeIsolated { $0.ring() } }
    private var datagrams: DatagramSocket?
    private var stream: StreamSocket?
    private var connections: [TURNClient.ConnectionID: StreamSocket] = [:]
    private var peers: [DatagramSocket] = []
    private var listeners: [StreamListener] = []
    private var peerStreams: [StreamSocket] = []
    /// How much later than it is the client believes it to be; so that hours pass in no time.
    private var skew = Duration.zero
    private(set) var told: [TURNClient.Effect] = []
    /// The error codes of responses, in order.
    private(set) var errors: [ErrorCode] = []
    /// What peers received, in order.
    private(set) var peerReceived: [[UInt8]] = []
    /// Requests the client sent, by method.
    private(set) var requests: [MessageType.Method] = []

    init(
        on loop: EventLoop, server: Endpoint, leg: STUNClient.Leg, request: TURNClient.Request, username: String,
        password: String
    ) {
        self.loop = loop
        self.server = server
        self.leg = leg
        client = TURNClient(
            request: request, leg: leg, credentials: .longTerm(username: username, password: password),
            random: .system)
    }

    private var now: Instant { loop.now.advanced(by: skew) }

    // MARK: The client

    func start(from local: IPAddress) throws {
        guard leg == .stream else {
            let socket = try DatagramSocket(bindingTo: Endpoint(local, port: 0))
            let server = server
            try socket.receive(on: loop, into: batch) { [weak self] bytes, source in
                guard source == server else { return }
                let bytes = [UInt8](bytes)
                self?.assumeIsolated { $0.received(bytes) }
            }
            datagrams = socket
            perform(client.start(at: now))
            return
        }
        let socket = try StreamSocket(connectingTo: server, on: loop)
        try socket.start(
            StreamSocket.Handlers(
                connected: { [weak self] in self?.assumeIsolated { $0.perform($0.client.start(at: $0.now)) } },
                received: { [weak self] bytes in
                    let bytes = [UInt8](bytes)
                    self?.assumeIsolated { $0.received(bytes) }
                },
                closed: { [weak self] _ in self?.assumeIsolated { $0.perform($0.client.legClosed()) } }))
        stream = socket
    }

    func close() {
        datagrams?.close()
        stream?.close()
        for socket in connections.values { socket.close() }
        for peer in peers { peer.close() }
        for listener in listeners { listener.close() }
        for socket in peerStreams { socket.close() }
        alarm.set(nil)
    }

    /// Has the client do something.
    func drive(_ body: @Sendable (inout TURNClient, Instant) -> [TURNClient.Effect]) { perform(body(&client, now)) }

    func connect(to peer: Endpoint) -> TURNClient.ConnectionID? {
        let (id, effects) = client.connect(to: peer, at: now)
        perform(effects)
        return id
    }

    func write(_ bytes: [UInt8], on id: TURNClient.ConnectionID) throws { try connections[id]?.write(bytes) }

    /// Makes the client believe that it is later.
    func skip(_ duration: Duration) {
        skew += duration
        ring()
    }

    private func received(_ bytes: [UInt8]) {
        if let message = try? Message(decoding: bytes), case .errorCode(let code, _) = message.first(.errorCode) {
            errors.append(code)
        }
        perform(client.receive(bytes.span, at: now))
    }

    private func ring() { perform(client.advance(to: now)) }

    private func perform(_ effects: [TURNClient.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes):
                if let message = try? Message(decoding: bytes) { requests.append(message.type.method) }
                if let datagrams { try? datagrams.send(bytes, to: server) } else { try? stream?.write(bytes) }
            case .open(let id): open(id)
            case .write(let bytes, let id): try? connections[id]?.write(bytes)
            case .close(let id), .connectionFailed(let id, _):
                connections.removeValue(forKey: id)?.close()
                told.append(effect)
            default: told.append(effect)
            }
        }
        alarm.set(client.deadline?.advanced(by: .zero - skew))
    }

    private func open(_ id: TURNClient.ConnectionID) {
        guard let socket = try? StreamSocket(connectingTo: server, on: loop) else { return }
        let handlers = StreamSocket.Handlers(
            connected: { [weak self] in self?.assumeIsolated { $0.perform($0.client.opened(id, at: $0.now)) } },
            received: { [weak self] bytes in
                let bytes = [UInt8](bytes)
                self?.assumeIsolated { $0.perform($0.client.receive(bytes.span, on: id, at: $0.now)) }
            },
            closed: { [weak self] _ in self?.assumeIsolated { $0.perform($0.client.closed(id)) } })
        try? socket.start(handlers)
        connections[id] = socket
    }

    // MARK: Peers

    /// A peer that sends every datagram back, with one byte more.
    func addPeer(at address: IPAddress) throws -> Endpoint {
        let socket = try DatagramSocket(bindingTo: Endpoint(address, port: 0))
        try socket.receive(on: loop, into: batch) { [weak self, weak socket] bytes, source in
            let bytes = [UInt8](bytes)
            self?.assumeIsolated { $0.peerReceived.append(bytes) }
            try? socket?.send(bytes + [0x21], to: source)
        }
        peers.append(socket)
        return socket.localEndpoint
    }

    /// A peer that takes connections and sends everything back.
    func addListener(at address: IPAddress) throws -> Endpoint {
        let listener = try StreamListener(bindingTo: Endpoint(address, port: 0), on: loop) { [weak self] socket in
            // Handed over on the loop's thread, which is the actor's, too.
            nonisolated(unsafe) let socket = socket
            self?.assumeIsolated { $0.echo(on: socket) }
        }
        listeners.append(listener)
        return listener.localEndpoint
    }

    /// A peer that connects and sends everything back, after a word of its own.
    func addCaller(to endpoint: Endpoint, from local: IPAddress, saying word: [UInt8]) throws {
        let socket = try StreamSocket(connectingTo: endpoint, from: Endpoint(local, port: 0), on: loop)
        try socket.start(
            StreamSocket.Handlers(
                connected: { [weak socket] in try? socket?.write(word) },
                received: { [weak self, weak socket] bytes in
                    let bytes = [UInt8](bytes)
                    self?.assumeIsolated { $0.peerReceived.append(bytes) }
                    try? socket?.write(bytes + [0x21])
                },
                closed: { _ in }))
        peerStreams.append(socket)
    }

    private func echo(on socket: StreamSocket) {
        try? socket.start(
            StreamSocket.Handlers(
                received: { [weak self, weak socket] bytes in
                    let bytes = [UInt8](bytes)
                    self?.assumeIsolated { $0.peerReceived.append(bytes) }
                    try? socket?.write(bytes + [0x21])
                },
                closed: { _ in }))
        peerStreams.append(socket)
    }

    // MARK: Waiting

    /// Waits until something the client told satisfies `isIt`, and returns it.
    @discardableResult
    func effect(
        _ what: String, within limit: Duration = .seconds(8), _ isIt: @Sendable (TURNClient.Effect) -> Bool
    ) async throws -> TURNClient.Effect {
        let end = loop.now.advanced(by: limit)
        while loop.now < end {
            if let effect = told.first(where: isIt) { return effect }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw Disappointment(what: "\(what); told: \(told.suffix(4)), errors: \(errors.map(\.rawValue))")
    }

    func allocation() async throws -> TURNClient.Allocation {
        let effect = try await effect("no allocation") {
            switch $0 {
            case .allocated, .ended: true
            default: false
            }
        }
        guard case .allocated(let allocation) = effect else { throw Disappointment(what: "ended: \(effect)") }
        return allocation
    }
}
