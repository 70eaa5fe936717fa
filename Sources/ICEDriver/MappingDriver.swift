internal import EventLoop
internal import SansIO
internal import SwiftICE

/// Does what a ``PortMapper`` decides: speaks with the gateway of one local address.
final class MappingDriver {
    private let loop: EventLoop
    private let socket: DatagramSocket
    private let client: Endpoint
    /// The gateway maps a port of ours to an address, or did so anew.
    private let mapped: (PortMapping) -> Void
    private var mapper: PortMapper
    private var asked: Set<PortMapper.MappingID> = []
    private var streams: [PortMapper.ConnectionID: StreamSocket] = [:]
    private var isClosing = false
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        guard let self else { return }
        perform(mapper.advance(to: loop.now))
    }

    /// Whether every mapping stands or was refused.
    var isSettled: Bool { asked.isEmpty }

    /// `nil` where no socket can be had at our address.
    init?(
        from client: Endpoint, gateway: IPAddress, on loop: EventLoop, batch: DatagramBatch,
        mapped: @escaping (PortMapping) -> Void
    ) {
        guard let socket = try? DatagramSocket(bindingTo: client.with(port: 0)) else { return nil }
        self.loop = loop
        self.socket = socket
        self.client = client.with(port: 0)
        self.mapped = mapped
        mapper = PortMapper(client: client.address, gateway: Endpoint(gateway, port: 0), random: .system)
        let received: (Span<UInt8>, Endpoint) -> Void = { [weak self] bytes, source in
            guard let self else { return }
            perform(mapper.receive(bytes, from: source, at: loop.now))
        }
        guard (try? socket.receive(on: loop, into: batch, received)) != nil else { return nil }
    }

    /// Asks for mappings of these ports.
    func start(_ ports: [(PortMapping.Transport, UInt16)]) {
        perform(mapper.start(at: loop.now))
        for (transport, port) in ports {
            let (id, effects) = mapper.add(transport, port: port, at: loop.now)
            asked.insert(id)
            perform(effects)
        }
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
        case .mapped(let id, let mapping):
            asked.remove(id)
            if !isClosing { mapped(mapping) }
        case .failed(let id, _): asked.remove(id)
        case .closed: end()
        case .available, .lost, .ignored: break
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
