internal import EventLoop
internal import SansIO
internal import SecureChannel

/// A connection to a server, in the clear or under TLS; who uses it sees no difference. Loop thread only.
final class ServerStream {
    /// What the stream tells; nothing after ``close()`` or `ended`.
    struct Handlers {
        /// The connection stands, and under TLS the server is who it should be.
        var connected: () -> Void
        /// Bytes of the server, valid during the call.
        var received: (Span<UInt8>) -> Void
        /// The connection is gone; why, where TLS says so.
        var ended: (SecureChannelError?) -> Void
    }

    private let stream: StreamSocket
    private let tls: TLSClientSession?
    private var handlers: Handlers?

    /// Begins to connect.
    init(to server: Endpoint, under tls: TLSClientSession?, on loop: EventLoop, handlers: Handlers) throws(Errno) {
        stream = try StreamSocket(connectingTo: server, on: loop)
        self.tls = tls
        self.handlers = handlers
        try stream.start(
            StreamSocket.Handlers(
                connected: { [weak self] in self?.opened() },
                received: { [weak self] bytes in self?.received(bytes) },
                ended: { [weak self] in self?.end(because: nil) },
                closed: { [weak self] _ in self?.end(because: nil) }))
    }

    /// Sends bytes; `false` when the connection broke, or the server reads so slowly that it is as good as gone.
    func write(_ bytes: [UInt8]) -> Bool {
        guard let tls else { return (try? stream.write(bytes)) != nil }
        return tls.send(bytes).allSatisfy { effect in
            guard case .send(let record) = effect else { return false }
            return (try? stream.write(record)) != nil
        }
    }

    /// Ends the connection.
    func close() {
        guard handlers != nil else { return }
        handlers = nil
        for case .send(let record) in tls?.close() ?? [] { try? stream.write(record) }
        stream.close()
    }

    private func opened() {
        guard let tls else { return handlers?.connected() ?? () }
        perform(tls.start())
    }

    private func received(_ bytes: Span<UInt8>) {
        guard let tls else { return handlers?.received(bytes) ?? () }
        perform(tls.receive([UInt8](bytes)))
    }

    private func perform(_ effects: [TLSClientSession.Effect]) {
        for effect in effects where handlers != nil {
            switch effect {
            // What cannot be sent shows in the server's silence, or when the connection breaks.
            case .send(let record): try? stream.write(record)
            case .established: handlers?.connected()
            case .received(let bytes): handlers?.received(bytes.span)
            case .closed: end(because: nil)
            case .failed(let error): end(because: error)
            }
        }
    }

    private func end(because error: SecureChannelError?) {
        guard let handlers else { return }
        self.handlers = nil
        stream.close()
        handlers.ended(error)
    }
}
