internal import SansIO

/// Asks a gateway in the way of RFC 6886.
struct NATPMPClient: Sendable {
    private enum Key: Hashable, Sendable {
        case probe
        case map(MappingKey)
        case unmap(MappingKey)
    }

    private let gateway: Endpoint
    private var pending: PendingRequests<Key>
    private var epoch = GatewayEpoch()
    private var external: IPAddress?

    init(gateway: Endpoint, configuration: PortMapper.Configuration, random: RandomSource) {
        self.gateway = gateway
        pending = PendingRequests(configuration: configuration, random: random)
    }

    var deadline: Instant? { pending.deadline }

    private mutating func ask(_ key: Key, _ request: NATPMPRequest, at now: Instant) -> [GatewayEvent] {
        [.send(pending.begin(key, request.bytes, at: now), to: gateway)]
    }

    mutating func probe(at now: Instant) -> [GatewayEvent] { ask(.probe, .externalAddress, at: now) }

    mutating func map(_ key: MappingKey, wishing port: UInt16, seconds: UInt32, at now: Instant) -> [GatewayEvent] {
        _ = pending.end(.unmap(key))
        let request = NATPMPRequest.map(
            key.transport, internalPort: key.port, externalPort: port, seconds: max(seconds, 1))
        return ask(.map(key), request, at: now)
    }

    mutating func unmap(_ key: MappingKey, at now: Instant) -> [GatewayEvent] {
        _ = pending.end(.map(key))
        let request = NATPMPRequest.map(key.transport, internalPort: key.port, externalPort: 0, seconds: 0)
        return ask(.unmap(key), request, at: now)
    }

    /// Takes a datagram from the gateway; `response` was read from it.
    mutating func receive(_ response: NATPMPResponse, at now: Instant) -> [GatewayEvent] {
        let wasReset = epoch.observe(response.epoch, at: now)
        var events: [GatewayEvent] = wasReset ? [.reset] : []
        switch response.content {
        case .externalAddress(let word):
            let address = IPAddress.v4(word)
            if let external, external != address, !wasReset { events.append(.reset) }
            external = address
            if pending.end(.probe) { events.append(address.isUnspecified ? .absent : .available) }
        case .map(let transport, let internalPort, let port, let seconds):
            events += mapped(MappingKey(transport: transport, port: internalPort), port, seconds)
        case .nothing(let opcode): events += refused(opcode, response.result)
        }
        return events.isEmpty ? [.ignored(.unexpected)] : events
    }

    private mutating func mapped(_ key: MappingKey, _ port: UInt16, _ seconds: UInt32) -> [GatewayEvent] {
        guard seconds > 0 else { return pending.end(.unmap(key)) ? [.unmapped(key)] : [] }
        guard pending.end(.map(key)) else { return [] }
        guard let external, port != 0 else { return [.failed(key, .refused(code: 3))] }
        return [.mapped(key, external: Endpoint(external, port: port), lifetime: .seconds(Int64(seconds)))]
    }

    /// An error names no port, so it concerns every request of its kind that is open.
    private mutating func refused(_ opcode: UInt8, _ result: NATPMPResponse.Result) -> [GatewayEvent] {
        guard opcode != 0 else { return pending.end(.probe) ? [.absent] : [] }
        guard opcode <= 2 else { return [] }
        let transport: PortMapping.Transport = opcode == 1 ? .udp : .tcp
        var events: [GatewayEvent] = []
        for key in pending.keys {
            switch key {
            case .map(let mapping) where mapping.transport == transport:
                _ = pending.end(key)
                events.append(.failed(mapping, .refused(code: result.rawValue)))
            case .unmap(let mapping) where mapping.transport == transport:
                _ = pending.end(key)
                events.append(.unmapped(mapping))
            default: break
            }
        }
        return events
    }

    /// Nobody listens at the gateway's port.
    mutating func isNotSpoken() -> [GatewayEvent] { pending.end(.probe) ? [.absent] : [] }

    mutating func advance(to now: Instant) -> [GatewayEvent] {
        pending.advance(to: now).map { event in
            switch event {
            case .send(let bytes): .send(bytes, to: gateway)
            case .gaveUp(.probe): .absent
            case .gaveUp(.map(let key)): .failed(key, .noAnswer)
            case .gaveUp(.unmap(let key)): .unmapped(key)
            }
        }
    }
}
