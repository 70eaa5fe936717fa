internal import EventLoop
internal import SansIO
internal import SwiftICE

/// Connections of peers that go over the relay (RFC 6062): each is a connection of its own to the server.
extension RelayDriver {
    /// Asks the relay to connect to a peer; `false` when there is none that could.
    ///
    /// - Parameter begin: is told the connection's name before anything can come of it.
    func connect(to peer: Endpoint, as begin: (TURNClient.ConnectionID) -> Void) -> Bool {
        var isAsked = false
        relay { client, now in
            let (id, effects) = client.connect(to: peer, at: now)
            if let id {
                isAsked = true
                begin(id)
            }
            return effects
        }
        return isAsked
    }

    /// Sends bytes to the peer of a connection; a server that takes no more is as good as gone.
    func write(_ bytes: [UInt8], on id: TURNClient.ConnectionID) {
        guard let stream = connections[id], !stream.write(bytes) else { return }
        loop.schedule(at: loop.now) { [weak self] in self?.close(id) }
    }

    /// Closes a connection, or gives it up.
    func close(_ id: TURNClient.ConnectionID) {
        relay { client, _ in client.disconnect(id) }
        connectionEnded(id)
    }

    func openConnection(_ id: TURNClient.ConnectionID, to place: Place?) {
        let handlers = ServerStream.Handlers(
            connected: { [weak self] in self?.relay { $0.opened(id, at: $1) } },
            received: { [weak self] bytes in
                let bytes = [UInt8](bytes)
                self?.relay { $0.receive(bytes.span, on: id, at: $1) }
            },
            ended: { [weak self] _ in self?.streamEnded(id) })
        if let place, let opened = stream(to: place, handlers) {
            connections[id] = opened
        } else {
            loop.schedule(at: loop.now) { [weak self] in self?.streamEnded(id) }
        }
    }

    private func streamEnded(_ id: TURNClient.ConnectionID) {
        relay { client, _ in client.closed(id) }
        connectionEnded(id)
    }

    func connectionEnded(_ id: TURNClient.ConnectionID) {
        connections.removeValue(forKey: id)?.close()
        if !isClosing { handlers.disconnected(id) }
    }
}
