package import EventLoop
package import SansIO
package import SwiftICE

/// The sockets of one ICE session: UDP sockets or TCP listeners, one for each address and component, and connections.
///
/// Lives on the loop's thread. What it hears goes to its owner through closures given at creation.
package final class SessionSockets {
    package struct Handlers {
        /// A datagram arrived on the socket bound to the first endpoint, from the second.
        package var datagram: (Span<UInt8>, _ base: Endpoint, _ peer: Endpoint) -> Void
        /// A connection came in; `nil` refuses it.
        package var accept: (_ base: Endpoint, _ peer: Endpoint) -> ICEAgent.ConnectionID?
        /// A connection stands.
        package var connected: (ICEAgent.ConnectionID, _ local: Endpoint) -> Void
        /// Bytes came on a connection.
        package var bytes: (Span<UInt8>, ICEAgent.ConnectionID) -> Void
        /// A connection could not be set up, ended or broke.
        package var disconnected: (ICEAgent.ConnectionID) -> Void

        /// Names the handlers.
        package init(
            datagram: @escaping (Span<UInt8>, _ base: Endpoint, _ peer: Endpoint) -> Void,
            accept: @escaping (_ base: Endpoint, _ peer: Endpoint) -> ICEAgent.ConnectionID?,
            connected: @escaping (ICEAgent.ConnectionID, _ local: Endpoint) -> Void,
            bytes: @escaping (Span<UInt8>, ICEAgent.ConnectionID) -> Void,
            disconnected: @escaping (ICEAgent.ConnectionID) -> Void
        ) {
            self.datagram = datagram
            self.accept = accept
            self.connected = connected
            self.bytes = bytes
            self.disconnected = disconnected
        }
    }

    private let loop: EventLoop
    private let handlers: Handlers
    private var datagramSockets: [Endpoint: DatagramSocket] = [:]
    private var listeners: [StreamListener] = []
    private var streams: [ICEAgent.ConnectionID: StreamSocket] = [:]
    private var isClosed = false

    /// Creates sockets that live on `loop`.
    package init(on loop: EventLoop, handlers: Handlers) {
        self.loop = loop
        self.handlers = handlers
    }

    // MARK: - Opening

    /// Binds a UDP socket to a free port of an address; `nil` where that is not possible.
    ///
    /// - Parameter buffer: how many bytes each direction may queue in the kernel, which may grant less.
    package func openDatagram(at address: Endpoint, batch: DatagramBatch, buffer: Int? = nil) -> Endpoint? {
        guard let socket = try? DatagramSocket(bindingTo: address.with(port: 0)) else { return nil }
        if let buffer { try? socket.requestBuffers(receive: buffer, send: buffer) }
        socket.acceptTrains()
        let base = socket.localEndpoint
        let handler = handlers.datagram
        do throws(Errno) {
            try socket.receive(on: loop, into: batch) { bytes, peer in handler(bytes, base, peer) }
        } catch { return nil }
        datagramSockets[base] = socket
        return base
    }

    /// Closes the UDP socket bound to `base`.
    func closeDatagram(at base: Endpoint) { datagramSockets.removeValue(forKey: base)?.close() }

    /// Listens on a free port of an address; `nil` where that is not possible.
    ///
    /// - Parameter sharesPort: whether connections may be opened from that very port.
    package func openListener(at address: Endpoint, sharesPort: Bool = false) -> Endpoint? {
        var configuration = StreamListener.Configuration()
        configuration.sharesPort = sharesPort
        var base: Endpoint?
        let accepted: (StreamSocket) -> Void = { [weak self] stream in
            guard let self, let base, let connection = handlers.accept(base, stream.remoteEndpoint) else { return }
            keep(stream, as: connection)
        }
        guard
            let listener = try? StreamListener(
                bindingTo: address.with(port: 0), on: loop, configuration: configuration, accepted: accepted)
        else { return nil }
        base = listener.localEndpoint
        listeners.append(listener)
        return base
    }

    // MARK: - Using

    /// Sends a datagram from the socket bound to `base`; the socket counts what it could not send, and the protocols
    /// above repeat what matters.
    package func send(_ bytes: [UInt8], from base: Endpoint, to peer: Endpoint) {
        try? datagramSockets[base]?.send(bytes, to: peer)
    }

    /// The socket bound to `base`, for those who send much.
    package func datagramSocket(at base: Endpoint) -> DatagramSocket? { datagramSockets[base] }

    /// Opens a connection from the address of `base`, and from its port unless that is 0: the listener's, which must share
    /// it (RFC 6544 §10.1). There the kernel refuses a second connection to the same peer, and ends the first one where the
    /// peer's attempt does not cross ours; both are told as a loss.
    package func connect(_ connection: ICEAgent.ConnectionID, from base: Endpoint, to peer: Endpoint) {
        var configuration = StreamSocket.Configuration()
        configuration.sharesPort = base.port != 0
        guard let stream = try? StreamSocket(connectingTo: peer, from: base, on: loop, configuration: configuration)
        else {
            return drop(connection)
        }
        keep(stream, as: connection)
    }

    /// Writes to a connection; one that takes no more is broken or hopelessly slow, and dropped.
    package func write(_ bytes: [UInt8], on connection: ICEAgent.ConnectionID) {
        guard let stream = streams[connection], (try? stream.write(bytes)) == nil else { return }
        drop(connection)
    }

    /// Closes a connection.
    package func disconnect(_ connection: ICEAgent.ConnectionID) {
        streams.removeValue(forKey: connection)?.close()
    }

    /// Closes the socket or listener bound to `base`, whose address is gone. Connections are the session's to close.
    func close(_ base: Endpoint, _ transport: ICEAgent.Base.Transport) {
        switch transport {
        case .udp: datagramSockets.removeValue(forKey: base)?.close()
        case .tcp:
            for listener in listeners where listener.localEndpoint == base { listener.close() }
            listeners.removeAll { $0.localEndpoint == base }
        }
    }

    /// Closes every socket.
    package func close() {
        isClosed = true
        for socket in datagramSockets.values { socket.close() }
        for listener in listeners { listener.close() }
        for stream in streams.values { stream.close() }
        datagramSockets = [:]
        listeners = []
        streams = [:]
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
        loop.schedule(at: loop.now) { [weak self] in
            guard let self, !isClosed else { return }
            handlers.disconnected(connection)
        }
    }

    private func lost(_ connection: ICEAgent.ConnectionID) {
        guard let stream = streams.removeValue(forKey: connection) else { return }
        stream.close()
        handlers.disconnected(connection)
    }
}
