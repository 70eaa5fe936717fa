internal import CLinux
internal import Glibc
public import SansIO

/// One TCP connection on a loop. Loop thread only.
///
/// It is made by ``init(connectingTo:from:on:configuration:)`` or by a ``StreamListener``, and silent until
/// ``start(_:)`` names its handlers. No handler is called from inside a method of the socket, and none after
/// ``close()``, ``abort()`` or the `closed` handler. Releasing a socket closes it.
public final class StreamSocket {
    /// Limits and options of one connection.
    public struct Configuration: Hashable, Sendable {
        /// How many bytes may wait to be written.
        public var writeLimit = 1 << 20
        /// How many bytes one read fetches at most; one turn reads at most four times.
        public var readSize = 64 << 10
        /// How long a connection attempt may take.
        public var connectTimeout = Duration.seconds(15)
        /// Whether small writes leave at once (`TCP_NODELAY`).
        public var sendsAtOnce = true
        /// After how much silence the kernel probes the peer, or `nil` not to; three lost probes end the connection.
        public var keepAlive: Duration? = .seconds(30)
        /// Whether several sockets may share the local port, as simultaneous-open candidates must (RFC 6544 §10.1).
        public var sharesPort = false

        /// The usual limits.
        public init() {}
    }

    /// What a connection tells its owner; each is called on the loop's thread.
    public struct Handlers {
        /// The connection attempt succeeded. Called for connecting sockets only.
        public var connected: () -> Void
        /// Bytes arrived, valid during the call.
        public var received: (Span<UInt8>) -> Void
        /// All bytes that had to wait were written.
        public var drained: () -> Void
        /// The peer will send no more; we still may.
        public var ended: () -> Void
        /// The connection is over: with `nil` both sides finished, else why it failed. The last call of all.
        public var closed: (Errno?) -> Void

        /// Names the handlers; those left out do nothing.
        public init(
            connected: @escaping () -> Void = {}, received: @escaping (Span<UInt8>) -> Void,
            drained: @escaping () -> Void = {}, ended: @escaping () -> Void = {},
            closed: @escaping (Errno?) -> Void
        ) {
            self.connected = connected
            self.received = received
            self.drained = drained
            self.ended = ended
            self.closed = closed
        }
    }

    private enum Phase {
        case connecting
        case open
        case closed
    }

    /// The address of this side.
    public let localEndpoint: Endpoint
    /// The address of the other side.
    public let remoteEndpoint: Endpoint

    private let loop: EventLoop
    private let configuration: Configuration
    private var descriptor: Descriptor?
    private var phase: Phase
    private var handlers: Handlers?
    private var registration: EventLoop.Registration?
    private var connectTimer: EventLoop.TimerToken?
    private var queue = WriteQueue()
    /// The peer's end of stream was read.
    private var hasEnded = false
    /// ``finish()`` was called, and whether our end of stream left too.
    private var isFinishing = false
    private var hasFinished = false
    private var isPaused = false
    /// The kernel refused something; `closed` is on its way.
    private var hasFailed = false

    /// Begins a connection to `remote`, from `local` or from wherever the kernel likes.
    public init(
        connectingTo remote: Endpoint, from local: Endpoint? = nil, on loop: EventLoop,
        configuration: Configuration = Configuration()
    ) throws(Errno) {
        loop.checkIsolated()
        let descriptor = try Descriptor.streamSocket(remote.address.family)
        try descriptor.apply(configuration)
        if let local { try descriptor.bind(to: local) }
        var form = remote.kernelForm(for: remote.address.family)
        // The shim reads one address during the call.
        let result = unsafe clinux_connect(descriptor.rawValue, &form)
        guard result == 0 || .last == Errno.inProgress else { throw .last }
        localEndpoint = try descriptor.localEndpoint()
        remoteEndpoint = remote
        phase = .connecting
        self.loop = loop
        self.configuration = configuration
        self.descriptor = consume descriptor
    }

    /// Takes over a connection that a listener accepted.
    init(
        accepted descriptor: consuming Descriptor, from remote: Endpoint, on loop: EventLoop,
        configuration: Configuration
    ) throws(Errno) {
        try descriptor.apply(configuration)
        localEndpoint = try descriptor.localEndpoint()
        remoteEndpoint = remote
        phase = .open
        self.loop = loop
        self.configuration = configuration
        self.descriptor = consume descriptor
    }

    deinit { if let registration { loop.abandon(registration) } }
}

// MARK: Control

extension StreamSocket {
    /// Begins delivery. To be called once, and before anything is written.
    public func start(_ handlers: Handlers) throws(Errno) {
        guard phase != .closed, self.handlers == nil else { throw phase == .closed ? .notConnected : .busy }
        guard
            let registration = try descriptor?.register(
                on: loop, for: phase == .connecting ? .writable : .readable, { [weak self] in self?.serve($0) })
        else { throw .badDescriptor }
        self.registration = registration
        self.handlers = handlers
        guard phase == .connecting else { return }
        connectTimer = loop.schedule(at: loop.now.advanced(by: configuration.connectTimeout)) { [weak self] in
            self?.giveUpConnecting()
        }
    }

    /// How many bytes wait to be written.
    public var queuedBytes: Int { queue.count }

    /// Whether the connection stands, in one direction at least.
    public var isOpen: Bool { phase == .open }

    /// Writes bytes, or queues them while the peer or the network is slow; all or nothing.
    /// - Throws: `.noBufferSpace` when more than ``Configuration/writeLimit`` bytes would wait; `.notConnected` before
    ///   ``start(_:)`` and after the end, `.brokenPipe` after ``finish()``. A failing connection is told by `closed`, later.
    public func write(_ bytes: Span<UInt8>) throws(Errno) {
        guard handlers != nil, phase != .closed else { throw .notConnected }
        guard !isFinishing else { throw .brokenPipe }
        let limit = configuration.writeLimit
        // While nothing waits, the kernel may take part of it at once.
        let written = phase == .open && queue.isEmpty && bytes.count <= limit ? push(bytes) : 0
        guard bytes.count - written <= limit - queue.count else { throw .noBufferSpace }
        guard written < bytes.count else { return }
        queue.append(bytes.extracting(written..<bytes.count))
        watch()
    }

    /// Writes bytes; see ``write(_:)-(Span<UInt8>)``.
    public func write(_ bytes: [UInt8]) throws(Errno) { try write(bytes.span) }

    /// Sends our end of stream once everything queued was written; the peer may go on sending.
    public func finish() {
        guard phase != .closed, !isFinishing else { return }
        isFinishing = true
        guard phase == .open else { return }
        // The end itself is told from the loop, never from inside this call.
        watch()
    }

    /// Stops reading, so that the peer is slowed down.
    public func pauseReading() {
        isPaused = true
        watch()
    }

    /// Goes on reading.
    public func resumeReading() {
        isPaused = false
        watch()
    }

    /// Closes at once; what is queued here is lost, what the kernel took is still delivered. No handler is called.
    public func close() {
        if let registration { loop.unregister(registration) }
        if let connectTimer { loop.cancel(connectTimer) }
        (registration, connectTimer, handlers) = (nil, nil, nil)
        descriptor = nil
        queue = WriteQueue()
        phase = .closed
    }

    /// Tears the connection down, so that the peer sees a reset. No handler is called.
    public func abort() {
        try? descriptor?.lingerForNothing()
        close()
    }
}

// MARK: Readiness

extension StreamSocket {
    /// Waits for what can move the connection now.
    private func watch() {
        guard handlers != nil, phase == .open else { return }
        var interest: EventLoop.Interest = []
        if !isPaused && !hasEnded { interest.insert(.readable) }
        if !queue.isEmpty || isFinishing && !hasFinished { interest.insert(.writable) }
        do throws(Errno) {
            if let registration {
                try loop.update(registration, for: interest)
            } else {
                registration = try descriptor?.register(on: loop, for: interest) { [weak self] in self?.serve($0) }
            }
        } catch {
            fail(error)
        }
    }

    private func serve(_ readiness: EventLoop.Readiness) {
        if phase == .connecting { return completeConnection() }
        if !isPaused, !hasEnded, !readiness.isDisjoint(with: [.readable, .hangUp, .failed]) { read() }
        guard phase == .open else { return }
        if !readiness.isDisjoint(with: [.writable, .hangUp, .failed]) { flush() }
        guard phase == .open, !readiness.isDisjoint(with: [.hangUp, .failed]) else { return }
        afterHangUp()
    }

    /// The kernel reports a dead connection for ever, so it must end, or rest while its last bytes are not wanted yet.
    private func afterHangUp() {
        if hasEnded {
            end(descriptor?.pendingError ?? .connectionReset)
        } else if isPaused {
            if let registration { loop.unregister(registration) }
            registration = nil
        }
    }

    /// Timers come first: after a turn that came late, the connection may stand all the same.
    private func giveUpConnecting() {
        connectTimer = nil
        if let error = descriptor?.pendingError { return end(error) }
        guard (try? descriptor?.remoteEndpoint()) == nil else { return completeConnection() }
        end(.timedOut)
    }

    private func completeConnection() {
        if let connectTimer { loop.cancel(connectTimer) }
        connectTimer = nil
        if let error = descriptor?.pendingError { return end(error) }
        phase = .open
        watch()
        handlers?.connected()
    }

    private func read() {
        for _ in 0..<4 where phase == .open && !isPaused {
            guard let number = descriptor?.rawValue, let handlers else { return }
            switch loop.readBuffer.read(from: number, limit: configuration.readSize, handlers.received) {
            case .success(0):
                hasEnded = true
                watch()
                handlers.ended()
                return closeIfDone()
            case .success(let count):
                if count < configuration.readSize { return }
            case .failure(.wouldBlock), .failure(.interrupted): return
            case .failure(let error): return end(error)
            }
        }
    }

    private func flush() {
        let hadQueue = !queue.isEmpty
        while !queue.isEmpty {
            let sent = queue.withNext { push($0) }
            guard sent > 0 else { return }
            queue.removeFirst(sent)
        }
        if isFinishing, !hasFinished, let number = descriptor?.rawValue {
            hasFinished = true
            _ = shutdown(number, Int32(SHUT_WR))
        }
        watch()
        if hadQueue { handlers?.drained() }
        closeIfDone()
    }

    /// Gives bytes to the kernel; returns how many it took.
    private func push(_ bytes: Span<UInt8>) -> Int {
        guard let number = descriptor?.rawValue, !hasFailed else { return 0 }
        // The kernel reads the span during the call.
        let sent = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        }
        if sent < 0, .last != Errno.wouldBlock, .last != Errno.interrupted { fail(.last) }
        return max(sent, 0)
    }

    /// Ends the connection in the next turn, as no handler may run inside a method that the owner called.
    private func fail(_ error: Errno) {
        guard !hasFailed else { return }
        hasFailed = true
        loop.schedule(at: loop.now) { [weak self] in
            guard let self, phase != .closed else { return }
            end(error)
        }
    }

    private func closeIfDone() {
        if phase == .open, hasEnded, hasFinished { end(nil) }
    }

    private func end(_ reason: Errno?) {
        let closed = handlers?.closed
        close()
        closed?(reason)
    }
}

extension Descriptor {
    fileprivate func apply(_ configuration: StreamSocket.Configuration) throws(Errno) {
        try set(TCP_NODELAY, at: Int32(IPPROTO_TCP), to: configuration.sendsAtOnce ? 1 : 0)
        if configuration.sharesPort { try sharePort() }
        guard let keepAlive = configuration.keepAlive else { return }
        let seconds = Int32(clamping: max(keepAlive.components.seconds, 1))
        try set(SO_KEEPALIVE, at: SOL_SOCKET, to: 1)
        try set(TCP_KEEPIDLE, at: Int32(IPPROTO_TCP), to: seconds)
        try set(TCP_KEEPINTVL, at: Int32(IPPROTO_TCP), to: max(seconds / 3, 1))
        try set(TCP_KEEPCNT, at: Int32(IPPROTO_TCP), to: 3)
    }

    /// Lets several sockets bind the same local port.
    func sharePort() throws(Errno) {
        try set(SO_REUSEADDR, at: SOL_SOCKET, to: 1)
        try set(SO_REUSEPORT, at: SOL_SOCKET, to: 1)
    }

    /// Makes closing send a reset.
    fileprivate func lingerForNothing() throws(Errno) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        // The kernel reads exactly the bytes of `linger`.
        let size = socklen_t(MemoryLayout<Glibc.linger>.size)
        guard unsafe setsockopt(rawValue, SOL_SOCKET, SO_LINGER, &linger, size) == 0 else { throw .last }
    }

    /// The error the kernel holds for the socket, which reading it clears.
    fileprivate var pendingError: Errno? {
        guard let error = try? option(SO_ERROR, at: SOL_SOCKET), error != 0 else { return nil }
        return Errno(rawValue: error)
    }
}
