internal import EventLoop
internal import SansIO

/// The two UDP sockets of a DHT node, one a family, on one port where that can be had.
///
/// Bound before a node starts, so that a port in use is known at once. Used on the loop's thread.
final class DHTSockets {
    private let sockets: [DatagramSocket]
    /// What is to leave when the datagrams of this turn are all received: many with one call of the kernel.
    private var waiting: [DatagramSocket.Datagram] = []
    private var isReceiving = false

    /// Binds one socket to each address.
    ///
    /// With port 0 the first socket's port is tried for the second too, so that a node has one number.
    init(addresses: [IPAddress], port: UInt16) throws(Errno) {
        var sockets: [DatagramSocket] = []
        var chosen = port
        for address in addresses {
            let socket: DatagramSocket
            do throws(Errno) {
                socket = try DatagramSocket(bindingTo: Endpoint(address, port: chosen))
            } catch {
                // A machine without IPv6 still is a node; a port the user asked for must be had.
                if error == .familyNotSupported || error == .addressNotAvailable, addresses.count > 1 { continue }
                guard port == 0, chosen != 0 else { throw error }
                socket = try DatagramSocket(bindingTo: Endpoint(address, port: 0))
            }
            chosen = socket.localEndpoint.port
            sockets.append(socket)
        }
        guard !sockets.isEmpty else { throw .addressNotAvailable }
        self.sockets = sockets
    }

    /// The addresses the sockets are bound to.
    var endpoints: [Endpoint] { sockets.map(\.localEndpoint) }

    /// Delivers datagrams from now on. `failed` is told where a datagram could not be sent to, of those that waited, and
    /// `refused` where nobody listens, as the network says.
    func start(
        on loop: EventLoop, failed: @escaping (Endpoint) -> Void, refused: @escaping (Endpoint) -> Void,
        received: @escaping (Span<UInt8>, Endpoint) -> Void
    ) throws(Errno) {
        for socket in sockets {
            try? socket.requestBuffers(receive: 1 << 21, send: 1 << 21)
            try socket.receive(
                on: loop, into: loop.sharedBatch,
                refused: { [weak self] destination in
                    self?.isReceiving = true
                    refused(destination)
                },
                drained: { [weak self] in
                    self?.isReceiving = false
                    self?.flush(through: loop.sharedBatch, failed: failed)
                },
                { [weak self] bytes, source in
                    self?.isReceiving = true
                    received(bytes, source)
                })
        }
    }

    private func flush(through batch: DatagramBatch, failed: (Endpoint) -> Void) {
        guard !waiting.isEmpty else { return }
        let datagrams = waiting
        waiting = []
        for socket in sockets {
            let family = socket.localEndpoint.address.family
            var left = datagrams.filter { $0.destination.address.family == family }[...]
            while let first = left.first {
                let sent = (try? socket.send(Array(left), through: batch)) ?? 0
                left = left.dropFirst(sent)
                guard sent == 0 else { continue }
                left = left.dropFirst()
                if !send(first.bytes, to: first.destination) { failed(first.destination) }
            }
        }
    }

    /// Sends one datagram, or lets it wait for others; returns whether the endpoint can be sent to, as far as is known.
    func send(_ bytes: [UInt8], to endpoint: Endpoint) -> Bool {
        guard let socket = sockets.first(where: { $0.localEndpoint.address.family == endpoint.address.family }) else {
            return false
        }
        guard !isReceiving else {
            waiting.append(DatagramSocket.Datagram(bytes, to: endpoint))
            return true
        }
        do throws(Errno) {
            try socket.send(bytes, to: endpoint)
            return true
        } catch {
            // A full queue loses one datagram, as the network may; what is repeated comes through.
            return error == .wouldBlock || error == .noBufferSpace
        }
    }

    func close() {
        for socket in sockets { socket.close() }
    }
}
