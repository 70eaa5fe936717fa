package import SansIO

/// One end of a simulated TCP connection: reliable, in order, delayed; lost segments come late, never not at all.
package final class ByteStream {
    /// What an end tells its owner.
    package struct Handlers {
        /// The connection is up; only the end that opened it hears this.
        var connected: () -> Void
        /// Bytes arrived, cut anywhere.
        var received: ([UInt8]) -> Void
        /// The peer closed or reset it, or it was never up. Nothing follows.
        var ended: () -> Void

        package init(
            connected: @escaping () -> Void, received: @escaping ([UInt8]) -> Void, ended: @escaping () -> Void
        ) {
            self.connected = connected
            self.received = received
            self.ended = ended
        }
    }

    private enum Segment {
        case bytes([UInt8])
        case end
    }

    private enum Phase {
        case opening
        case open
        case closed
    }

    /// The wait before a lost segment is sent again; it doubles each time.
    static let retransmission = Duration.milliseconds(200)
    /// How often a segment is sent before the connection counts as broken.
    static let attempts = 8

    /// Our end.
    package let local: Endpoint
    /// The other end.
    package let remote: Endpoint
    private unowned let world: World
    private weak var peer: ByteStream?
    private var phase = Phase.opening
    private var handlers: Handlers?
    private var outgoing: [Segment] = []
    private var isWaiting = false
    private var lastArrival: Instant

    init(_ world: World, local: Endpoint, remote: Endpoint) {
        self.world = world
        self.local = local
        self.remote = remote
        lastArrival = world.now
        world.openStreams += 1
    }

    /// Names who is told what happens; to be called before anything can.
    package func start(_ handlers: Handlers) { self.handlers = handlers }

    /// Writes bytes, in order; without effect once closed.
    package func write(_ bytes: [UInt8]) {
        guard case .open = phase, !bytes.isEmpty else { return }
        outgoing.append(.bytes(bytes))
        transmit()
    }

    /// Closes the end; what was written still arrives.
    package func close() {
        guard !isClosed else { return }
        let wasOpen = if case .open = phase { true } else { false }
        leave()
        guard wasOpen else { return }
        outgoing.append(.end)
        transmit()
    }

    var isClosed: Bool {
        if case .closed = phase { true } else { false }
    }

    /// Joins two ends; neither delivers anything before `arrival`.
    func open(with other: ByteStream, from arrival: Instant) {
        (peer, other.peer) = (other, self)
        (phase, other.phase) = (.open, .open)
        lastArrival = arrival
        world.record(.connection(from: local, to: remote, "open"))
    }

    func tellConnected() { handlers?.connected() }

    /// Breaks the end and tells its owner.
    func reset() {
        guard !isClosed else { return }
        let ended = handlers?.ended
        leave()
        world.record(.connection(from: remote, to: local, "reset"))
        ended?()
    }

    /// Forgets the connection without a word, as a machine does that loses power; the peer's segments go nowhere.
    func vanish() {
        guard !isClosed else { return }
        leave()
        peer?.peer = nil
        peer = nil
    }

    private func leave() {
        phase = .closed
        handlers = nil
        world.openStreams -= 1
    }

    // MARK: - Segments

    private func transmit(attempt: Int = 0) {
        guard !isWaiting || attempt > 0 else { return }
        isWaiting = false
        guard let path = world.path(local.address, remote.address) else { return }
        var attempt = attempt
        while let segment = outgoing.first {
            guard !world.isCut(path), !world.isDrawn(percent: world.link(on: path).lossPercent) else {
                return wait(attempt: attempt + 1)
            }
            attempt = 0
            outgoing.removeFirst()
            lastArrival = max(lastArrival, world.now.advanced(by: world.drawDelay(on: path)))
            world.schedule(at: lastArrival) { [peer] in peer?.arrive(segment) }
        }
    }

    private func wait(attempt: Int) {
        guard attempt < Self.attempts else {
            outgoing = []
            return reset()
        }
        isWaiting = true
        world.schedule(after: Self.retransmission * (1 << attempt)) { [self] in transmit(attempt: attempt) }
    }

    private func arrive(_ segment: Segment) {
        switch segment {
        case .bytes(let bytes):
            guard !isClosed else { return refuse() }
            world.record(.stream(from: remote, to: local, count: bytes.count))
            let cut = Int.random(in: 0...bytes.count, using: &world.random)
            for piece in [bytes[..<cut], bytes[cut...]] where !piece.isEmpty { handlers?.received(Array(piece)) }
        case .end:
            guard !isClosed else { return }
            let ended = handlers?.ended
            leave()
            world.record(.connection(from: remote, to: local, "closed"))
            ended?()
        }
    }

    /// Bytes for a closed end: the other one learns that it is gone.
    private func refuse() {
        guard let peer, let path = world.path(local.address, remote.address), !world.isCut(path) else { return }
        world.schedule(after: world.drawDelay(on: path)) { peer.reset() }
    }
}

/// Connections: set up in one and a half rounds, refused where nobody listens.
extension World {
    /// How often the first segment of a connection is sent.
    private static let connectAttempts = 5

    /// Listens on an endpoint; port 0 takes a free one. `nil` when it is taken or nobody's.
    package func listen(_ endpoint: Endpoint, _ accepted: @escaping (ByteStream) -> Void) -> Endpoint? {
        guard let owner = owners[endpoint.address] else { return nil }
        let bound = endpoint.port == 0 ? endpoint.with(port: freePort(of: owner)) : endpoint
        guard listeners[bound] == nil else { return nil }
        listeners[bound] = accepted
        return bound
    }

    /// Stops listening.
    package func stopListening(_ endpoint: Endpoint) { listeners[endpoint] = nil }

    /// Opens a connection; `nil` when there is no way from the one address to the other.
    package func connect(from local: Endpoint, to remote: Endpoint) -> ByteStream? {
        guard let owner = owners[local.address], let path = path(local.address, remote.address) else { return nil }
        let stream = ByteStream(self, local: local.with(port: freePort(of: owner)), remote: remote)
        record(.connection(from: stream.local, to: remote, "connect"))
        knock(stream, on: path, attempt: 0)
        return stream
    }

    private func knock(_ stream: ByteStream, on path: Path, attempt: Int) {
        guard !stream.isClosed else { return }
        guard !isCut(path), !isDrawn(percent: link(on: path).lossPercent) else {
            guard attempt < Self.connectAttempts else { return stream.reset() }
            return schedule(after: .seconds(1) * (1 << attempt)) { [self] in
                knock(stream, on: path, attempt: attempt + 1)
            }
        }
        schedule(after: drawDelay(on: path)) { [self] in
            let isHeard = listeners[stream.remote] != nil
            schedule(after: drawDelay(on: path)) { [self] in
                if isHeard { establish(stream, on: path) } else { stream.reset() }
            }
        }
    }

    private func establish(_ stream: ByteStream, on path: Path) {
        guard !stream.isClosed else { return }
        let other = ByteStream(self, local: stream.remote, remote: stream.local)
        let arrival = now.advanced(by: drawDelay(on: path))
        stream.open(with: other, from: arrival)
        schedule(at: arrival) { [self] in
            guard let accept = listeners[other.local] else {
                other.close()
                return stream.reset()
            }
            accept(other)
        }
        stream.tellConnected()
    }
}
