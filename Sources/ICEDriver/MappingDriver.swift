internal import EventLoop
internal import SansIO
internal import SwiftICE

/// Does what a ``PortMapper`` decides: speaks with the gateway of one local address.
final class MappingDriver {
    private let loop: EventLoop
    private let socket: DatagramSocket
    private let client: Endpoint
    /// Whom it speaks with.
    let gateway: Endpoint
    private var mapper: PortMapper
    /// Who wants each mapping.
    private var owners: [PortMapper.MappingID: (PortMapping?) -> Void] = [:]
    private var streams: [PortMapper.ConnectionID: StreamSocket] = [:]
    /// When the gateway was asked first.
    private let began: Instant
    /// Whether the gateway answers in one of the ways.
    private(set) var isAvailable = false
    private var isClosing = false
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        guard let self else { return }
        perform(mapper.advance(to: loop.now))
    }

    /// Begins to look for the ways the gateway can be asked in; `nil` where no socket can be had at our address.
    init?(from client: Endpoint, gateway: Endpoint, on loop: EventLoop, batch: DatagramBatch) {
        guard let socket = try? DatagramSocket(bindingTo: client.with(port: 0)) else { return nil }
        self.loop = loop
        self.socket = socket
        self.client = client.with(port: 0)
        self.gateway = gateway
        began = loop.now
        mapper = PortMapper(client: client.address, gateway: gateway, random: .system)
        let received: (Span<UInt8>, Endpoint) -> Void = { [weak self] bytes, source in
            guard let self else { return }
            perform(mapper.receive(bytes, from: source, at: loop.now))
        }
        let refused: (Endpoint) -> Void = { [weak self] destination in
            guard let self else { return }
            perform(mapper.refused(by: destination, at: loop.now))
        }
        guard (try? socket.receive(on: loop, into: batch, refused: refused, received)) != nil else { return nil }
        perform(mapper.start(at: loop.now))
    }

    /// The local address whose gateway this is.
    var address: IPAddress { client.address }

    /// Until when a session that began at `start` waits for mappings. Most gateways map nothing and say nothing: one that
    /// has not answered in time to the first session keeps no other waiting.
    func deadline(since start: Instant, patience: Duration) -> Instant {
        (isAvailable ? start : began).advanced(by: patience)
    }

    /// Asks for a mapping of a port; `told` is called whenever it stands or changes, or with `nil` when it cannot be had
    /// now.
    func map(
        _ transport: PortMapping.Transport, port: UInt16, told: @escaping (PortMapping?) -> Void
    ) -> PortMapper.MappingID {
        let (id, effects) = mapper.add(transport, port: port, at: loop.now)
        owners[id] = told
        perform(effects)
        return id
    }

    /// Gives a mapping back.
    func unmap(_ id: PortMapper.MappingID) {
        guard owners.removeValue(forKey: id) != nil, !isClosing else { return }
        perform(mapper.remove(id, at: loop.now))
    }

    /// Gives the mappings back; the driver lives until the gateway knows, or did not answer.
    func close() {
        guard !isClosing else { return }
        isClosing = true
        loop.schedule(at: loop.now.advanced(by: mapper.configuration.closePatience + .milliseconds(100))) {
            self.end()
        }
        perform(mapper.close(at: loop.now))
    }

    private func end() {
        alarm.set(nil)
        socket.close()
        for stream in streams.values { stream.close() }
        streams = [:]
    }

    private func perform(_ effects: [PortMapper.Effect]) {
        for effect in effects { perform(effect) }
        alarm.set(mapper.deadline)
    }

    private func perform(_ effect: PortMapper.Effect) {
        switch effect {
        case .send(let bytes, let gateway): try? socket.send(bytes, to: gateway)
        case .connect(let id, let gateway): connect(id, to: gateway)
        case .write(let bytes, let id): try? streams[id]?.write(bytes)
        case .close(let id): streams.removeValue(forKey: id)?.close()
        case .mapped(let id, let mapping): if !isClosing { owners[id]?(mapping) }
        case .failed(let id, _): if !isClosing { owners[id]?(nil) }
        case .closed: end()
        case .available: isAvailable = true
        case .lost: isAvailable = false
        case .ignored: break
        }
    }

    private func connect(_ id: PortMapper.ConnectionID, to gateway: Endpoint) {
        let closed: () -> Void = { [weak self] in
            guard let self, streams.removeValue(forKey: id) != nil else { return }
            perform(mapper.closed(id, at: loop.now))
        }
        guard let stream = try? StreamSocket(connectingTo: gateway, from: client, on: loop) else {
            loop.schedule(at: loop.now) { self.perform(self.mapper.closed(id, at: self.loop.now)) }
            return
        }
        streams[id] = stream
        let started: Void? = try? stream.start(
            StreamSocket.Handlers(
                connected: { [weak self] in
                    guard let self else { return }
                    perform(mapper.connected(id, at: loop.now))
                },
                received: { [weak self] bytes in
                    guard let self else { return }
                    perform(mapper.receive(bytes, on: id, at: loop.now))
                },
                ended: closed, closed: { _ in closed() }))
        if started == nil { loop.schedule(at: loop.now, closed) }
    }
}
