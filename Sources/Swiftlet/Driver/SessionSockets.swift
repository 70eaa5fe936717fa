internal import EventLoop
internal import SansIO
internal import SwiftICE

/// The sockets of one ICE session: UDP sockets or TCP listeners, one for each address and component, and connections.
///
/// Lives on the loop's thread. What it hears goes to its owner through closures given at creation.
final class SessionSockets {
    struct Handlers {
        /// A datagram arrived on the socket bound to the first endpoint, from the second.
        var datagram: (Span<UInt8>, _ base: Endpoint, _ peer: Endpoint) -> Void
        /// A connection came in; `nil` refuses it.
        var accept: (_ base: Endpoint, _ peer: Endpoint) -> ICEAgent.ConnectionID?
        var connected: (ICEAgent.ConnectionID, _ local: Endpoint) -> Void
        var bytes: (Span<UInt8>, ICEAgent.ConnectionID) -> Void
        var disconnected: (ICEAgent.ConnectionID) -> Void
    }

    private let loop: EventLoop
    private let handlers: Handlers
    private var datagramSockets: [Endpoint: DatagramSocket] = [:]
    private var listeners: [StreamListener] = []
    private var streams: [ICEAgent.ConnectionID: StreamSocket] = [:]

    init(on loop: EventLoop, handlers: Handlers) {
        self.loop = loop
        self.handlers = handlers
    }

    // MARK: - Opening

    /// Binds a UDP socket to a free port of an address; `nil` where that is not possible.
    func openDatagram(at address: Endpoint, batch: DatagramBatch) -> Endpoint? {
        guard let socket = try? DatagramSocket(bindingTo: address.with(port: 0)) else { return nil }
        let base = socket.localEndpoint
        let handler = handlers.datagram
        do throws(Errno) {
            try socket.receive(on: loop, into: batch) { bytes, peer in handler(bytes, base, peer) }
        } catch { return nil }
        datagramSockets[base] = socket
        return base
    }

    /// Listens on a free port of an address; `nil` where that is not possible.
    func openListener(at address: Endpoint) -> Endpoint? {
        var base: Endpoint?
        let accepted: (StreamSocket) -> Void = { [weak self] stream in
            guard let self, let base, let connection = handlers.accept(base, stream.remoteEndpoint) else { return }
            keep(stream, as: connection)
        }
        guard let listener = try? StreamListener(bindingTo: address.with(port: 0), on: loop, accepted: accepted) else {
            return nil
        }
        base = listener.localEndpoint
        listeners.append(listener)
        return base
    }

    // MARK: - Using

    func perform(_ action: NetworkAction) {
        switch action {
        case .send(let bytes, let base, let peer): send(bytes, from: base, to: peer)
        case .connect(let connection, let base, let peer): connect(connection, from: base, to: peer)
        case .write(let bytes, let connection):
            // A connection that takes no more is broken or hopelessly slow.
            guard let stream = streams[connection], (try? stream.write(bytes)) == nil else { return }
            drop(connection)
        case .disconnect(let connection): streams.removeValue(forKey: connection)?.close()
        }
    }

    func send(_ bytes: [UInt8], from base: Endpoint, to peer: Endpoint) {
        // The socket counts what it could not send; the protocols above repeat what matters.
        try? datagramSockets[base]?.send(bytes, to: peer)
    }

    func close() {
        for socket in datagramSockets.values { socket.close() }
        for listener in listeners { listener.close() }
        for stream in streams.values { stream.close() }
        datagramSockets = [:]
        listeners = []
        streams = [:]
    }

    private func connect(_ connection: ICEAgent.ConnectionID, from base: Endpoint, to peer: Endpoint) {
        guard let stream = try? StreamSocket(connectingTo: peer, from: base, on: loop) else {
            return drop(connection)
        }
        keep(stream, as: connection)
    }

    private func keep(_ stream: StreamSocket, as connection: ICEAgent.ConnectionID) {
        streams[connection] = stream
        let started: Void? = try? stream.start(
            StreamSocket.Handlers(
                connected: { [handlers, unowned stream] in handlers.connected(connection, stream.localEndpoint) },
                received: { [handlers] bytes in handlers.bytes(bytes, connection) },
                ended: { [weak self] in self?.lost(connection) },
                closed: { [weak self] _ in self?.lost(connection) }))
        if started == nil { drop(connection) }
    }

    /// Reports the loss of a connection, after the effects that are being carried out.
    private func drop(_ connection: ICEAgent.ConnectionID) {
        streams.removeValue(forKey: connection)?.close()
        _ = loop.schedule(at: loop.now) { [handlers] in handlers.disconnected(connection) }
    }

    private func lost(_ connection: ICEAgent.ConnectionID) {
        guard let stream = streams.removeValue(forKey: connection) else { return }
        stream.close()
        handlers.disconnected(connection)
    }
}
