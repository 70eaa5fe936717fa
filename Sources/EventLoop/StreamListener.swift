internal import CLinux
internal import Glibc
public import SansIO

/// A TCP socket that accepts connections on a loop. Loop thread only.
public final class StreamListener {
    /// Limits and options of one listener.
    public struct Configuration: Hashable, Sendable {
        /// How many connections may wait to be accepted.
        public var backlog = 128
        /// How many connections one turn accepts.
        public var acceptsPerTurn = 16
        /// How long the listener rests when neither process nor machine has a descriptor left.
        public var restWhenExhausted = Duration.milliseconds(100)
        /// Whether a port may be bound while connections of an earlier listener linger.
        public var reusesAddress = true
        /// Whether other sockets may share the port, as simultaneous-open candidates must (RFC 6544 §10.1).
        public var sharesPort = false
        /// What accepted connections get.
        public var stream = StreamSocket.Configuration()

        /// The usual limits.
        public init() {}
    }

    /// What happened so far.
    public struct Counters: Hashable, Sendable {
        /// Connections handed to the owner.
        public var accepted = 0
        /// Connections closed at once because no descriptor was left.
        public var refused = 0
        /// Connections that were gone, or of no use, before they could be handed over.
        public var lost = 0
    }

    /// The address the listener is bound to, with the port the kernel chose.
    public let localEndpoint: Endpoint
    /// What happened so far.
    public private(set) var counters = Counters()

    private let loop: EventLoop
    private let configuration: Configuration
    private let accepted: (StreamSocket) -> Void
    private var descriptor: Descriptor?
    /// Given up to accept, and thereby refuse, a connection when no other descriptor is left.
    private var spare: Descriptor?
    private var registration: EventLoop.Registration?

    /// Binds, listens, and calls `accepted` with each connection; who does not keep or start it closes it.
    public init(
        bindingTo endpoint: Endpoint, on loop: EventLoop, configuration: Configuration = Configuration(),
        accepted: @escaping (StreamSocket) -> Void
    ) throws(Errno) {
        loop.checkIsolated()
        let descriptor = try Descriptor.streamSocket(endpoint.address.family)
        if configuration.reusesAddress { try descriptor.set(SO_REUSEADDR, at: SOL_SOCKET, to: 1) }
        if configuration.sharesPort { try descriptor.sharePort() }
        try descriptor.bind(to: endpoint)
        guard listen(descriptor.rawValue, Int32(clamping: configuration.backlog)) == 0 else { throw .last }
        localEndpoint = try descriptor.localEndpoint()
        self.loop = loop
        self.configuration = configuration
        self.accepted = accepted
        spare = try Descriptor(checking: clinux_open_null())
        self.descriptor = consume descriptor
        registration = try self.descriptor?.register(on: loop, for: .readable) { [weak self] _ in self?.accept() }
    }

    deinit { if let registration { loop.abandon(registration) } }

    /// Stops listening; connections accepted already go on.
    public func close() {
        if let registration { loop.unregister(registration) }
        registration = nil
        descriptor = nil
        spare = nil
    }

    private func accept() {
        for _ in 0..<configuration.acceptsPerTurn {
            guard let listening = descriptor?.rawValue else { return }
            var form = clinux_address()
            // The shim fills in one address during the call.
            let number = unsafe clinux_accept(listening, &form)
            if number >= 0 {
                handOver(Descriptor(owning: number), from: form)
                continue
            }
            switch Errno.last {
            case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, Errno(rawValue: ENOMEM):
                guard refuse(listening) else { return rest() }
            case .wouldBlock: return
            case .interrupted: continue
            default: counters.lost += 1  // The connection failed while it waited; the next one may not have.
            }
        }
    }

    private func handOver(_ connection: consuming Descriptor, from form: clinux_address) {
        guard let remote = Endpoint(form),
            let stream = try? StreamSocket(
                accepted: connection, from: remote, on: loop, configuration: configuration.stream)
        else { return counters.lost += 1 }
        counters.accepted += 1
        accepted(stream)
    }

    /// Without descriptors: takes one connection in place of the spare and drops it, so that its peer is not left waiting.
    private func refuse(_ listening: Int32) -> Bool {
        guard spare != nil else { return false }
        spare = nil
        var form = clinux_address()
        // The shim fills in one address during the call.
        let number = unsafe clinux_accept(listening, &form)
        if number >= 0 {
            _ = Descriptor(owning: number)
            counters.refused += 1
        }
        spare = try? Descriptor(checking: clinux_open_null())
        return number >= 0
    }

    /// Looks away for a while, as the listener would stay readable.
    private func rest() {
        guard let registration, (try? loop.update(registration, for: [])) != nil else { return }
        loop.schedule(at: loop.now.advanced(by: configuration.restWhenExhausted)) { [weak self] in
            guard let self, let registration = self.registration else { return }
            if spare == nil { spare = try? Descriptor(checking: clinux_open_null()) }
            try? self.loop.update(registration, for: .readable)
        }
    }
}
