import EventLoop
import SansIO
import SwiftICE

/// A port mapper over real sockets that is let to speak in one way only.
actor MappingStage {
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let loop: EventLoop
    private let batch = DatagramBatch()
    private let method: PortMapping.Method
    private var mapper: PortMapper
    private var socket: DatagramSocket?
    private var streams: [PortMapper.ConnectionID: StreamSocket] = [:]
    private let client: IPAddress
    private(set) var told: [PortMapper.Effect] = []
    /// Requests for a mapping that were sent.
    private(set) var requests = 0
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        self?.assumeIsolated { $0.perform($0.mapper.advance(to: $0.loop.now)) }
    }

    init(
        on loop: EventLoop, method: PortMapping.Method, client: IPAddress, gateway: Endpoint, lifetime: Duration
    ) {
        self.loop = loop
        self.method = method
        self.client = client
        var configuration = PortMapper.Configuration()
        configuration.lifetime = lifetime
        configuration.renewalFloor = .seconds(1)
        mapper = PortMapper(
            client: client, gateway: gateway, configuration: configuration, random: .system)
    }

    func start(port: UInt16) throws {
        let socket = try DatagramSocket(bindingTo: Endpoint(client, port: 0))
        try socket.receive(on: loop, into: batch) { [weak self] bytes, source in
            let bytes = [UInt8](bytes)
            self?.assumeIsolated { $0.perform($0.mapper.receive(bytes.span, from: source, at: $0.loop.now)) }
        }
        self.socket = socket
        perform(mapper.add(.udp, port: port, at: loop.now).effects)
        perform(mapper.start(at: loop.now))
    }

    func close() { perform(mapper.close(at: loop.now)) }

    /// Which way a datagram belongs to.
    private func way(_ bytes: [UInt8], _ destination: Endpoint) -> PortMapping.Method {
        destination.port == PortMapper.gatewayPort ? (bytes.first == 2 ? .pcp : .natPMP) : .igd
    }

    private func perform(_ effects: [PortMapper.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let destination):
                guard way(bytes, destination) == method else { continue }
                // A probe is shorter: 2 and 24 bytes against 12 and 60.
                if (method == .pcp && bytes.count == 60) || (method == .natPMP && bytes.count == 12) { requests += 1 }
                try? socket?.send(bytes, to: destination)
            case .connect(let id, let endpoint): open(id, endpoint)
            case .write(let bytes, let id):
                let request = String(decoding: bytes, as: UTF8.self)
                if ["#AddPortMapping", "#AddPinhole", "#UpdatePinhole"].contains(where: request.contains) {
                    requests += 1
                }
                try? streams[id]?.write(bytes)
            case .close(let id): streams.removeValue(forKey: id)?.close()
            default: told.append(effect)
            }
        }
        alarm.set(mapper.deadline)
    }

    private func open(_ id: PortMapper.ConnectionID, _ endpoint: Endpoint) {
        guard let stream = try? StreamSocket(connectingTo: endpoint, from: Endpoint(client, port: 0), on: loop) else {
            return
        }
        let handlers = StreamSocket.Handlers(
            connected: { [weak self] in self?.assumeIsolated { $0.perform($0.mapper.connected(id, at: $0.loop.now)) } },
            received: { [weak self] bytes in
                let bytes = [UInt8](bytes)
                self?.assumeIsolated { $0.perform($0.mapper.receive(bytes.span, on: id, at: $0.loop.now)) }
            },
            ended: { [weak self] in self?.assumeIsolated { $0.perform($0.mapper.closed(id, at: $0.loop.now)) } },
            closed: { [weak self] _ in self?.assumeIsolated { $0.perform($0.mapper.closed(id, at: $0.loop.now)) } })
        try? stream.start(handlers)
        streams[id] = stream
    }

    @discardableResult
    func effect(
        _ what: String, within limit: Duration = .seconds(10), _ isIt: @Sendable (PortMapper.Effect) -> Bool
    ) async throws -> PortMapper.Effect {
        let end = loop.now.advanced(by: limit)
        while loop.now < end {
            if let effect = told.first(where: isIt) { return effect }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw Disappointment(what: "\(what); told: \(told.suffix(4))")
    }

    /// Waits until so many requests for a mapping were sent, and what came of them.
    func renewal(within limit: Duration) async throws {
        let before = requests
        let end = loop.now.advanced(by: limit)
        while loop.now < end {
            if requests > before {
                try await Task.sleep(for: .milliseconds(500))
                guard !mapper.mappings.isEmpty else { throw Disappointment(what: "lost when renewed: \(told)") }
                return
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw Disappointment(what: "not renewed; told: \(told)")
    }
}
