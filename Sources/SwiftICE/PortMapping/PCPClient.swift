internal import SansIO

/// Asks a gateway in the way of RFC 6887.
struct PCPClient: Sendable {
    private enum Key: Hashable, Sendable {
        case probe
        case map(MappingKey)
        case unmap(MappingKey)
    }

    private let gateway: Endpoint
    private let client: IPAddress
    private var pending: PendingRequests<Key>
    private var epoch = GatewayEpoch()
    private var random: RandomSource
    /// Names us as the owner of each mapping, from its first request to its end.
    private var nonces: [MappingKey: PCPMap.Nonce] = [:]
    /// Mappings whose end was refused, so that their lifetime is made as short as it can be.
    private var shortened: [MappingKey] = []

    init(client: IPAddress, gateway: Endpoint, configuration: PortMapper.Configuration, random: RandomSource) {
        self.client = client
        self.gateway = gateway
        self.random = random
        pending = PendingRequests(configuration: configuration, random: self.random.split())
    }

    var deadline: Instant? { pending.deadline }

    private mutating func ask(_ key: Key, _ request: PCPRequest, at now: Instant) -> [GatewayEvent] {
        [.send(pending.begin(key, request.bytes(from: client), at: now), to: gateway)]
    }

    mutating func probe(at now: Instant) -> [GatewayEvent] { ask(.probe, .announce, at: now) }

    private func map(_ key: MappingKey, _ nonce: PCPMap.Nonce, _ port: UInt16) -> PCPMap {
        PCPMap(
            nonce: nonce, transport: key.transport, internalPort: key.port,
            external: Endpoint(.unspecified(client.family), port: port))
    }

    mutating func map(_ key: MappingKey, wishing port: UInt16, seconds: UInt32, at now: Instant) -> [GatewayEvent] {
        let nonce = nonces[key] ?? PCPMap.Nonce(random: &random)
        nonces[key] = nonce
        _ = pending.end(.unmap(key))
        return ask(.map(key), .map(map(key, nonce, port), seconds: max(seconds, 1)), at: now)
    }

    mutating func unmap(_ key: MappingKey, at now: Instant) -> [GatewayEvent] {
        guard let nonce = nonces[key] else { return [.unmapped(key)] }
        _ = pending.end(.map(key))
        return ask(.unmap(key), .map(map(key, nonce, 0), seconds: 0), at: now)
    }

    /// Takes a datagram from the gateway; `response` was read from it.
    mutating func receive(_ response: PCPResponse, at now: Instant) -> [GatewayEvent] {
        let isUnsupported = response.result == .unsupportedVersion
        var events: [GatewayEvent] = []
        // Answers to another's request, and those of gateways that do not speak this version, say nothing of the clock.
        if !isUnsupported, epoch.observe(response.epoch, at: now) { events.append(.reset) }
        switch response.content {
        case .announce:
            if pending.end(.probe) { events.append(response.result == .success ? .available : .absent) }
        case .map(let map):
            let key = MappingKey(transport: map.transport, port: map.internalPort)
            guard nonces[key] == map.nonce else { break }
            events += answered(key, response, map, at: now)
        case .other: break
        }
        return events.isEmpty ? [.ignored(.unexpected)] : events
    }

    private mutating func answered(
        _ key: MappingKey, _ response: PCPResponse, _ map: PCPMap, at now: Instant
    ) -> [GatewayEvent] {
        if pending.contains(.unmap(key)) {
            // miniupnpd 2.3.1 does not let us end a hole for IPv6 that it lets us renew.
            if response.result == .notAuthorized, !shortened.contains(key) {
                shortened.append(key)
                return ask(.unmap(key), .map(self.map(key, map.nonce, key.port), seconds: 1), at: now)
            }
            guard response.seconds == 0 || response.result != .success || shortened.contains(key) else { return [] }
            _ = pending.end(.unmap(key))
            return unmapped(key)
        }
        guard pending.end(.map(key)) else { return [] }
        guard response.result == .success else {
            return [.failed(key, .refused(code: UInt16(response.result.rawValue)))]
        }
        guard response.seconds > 0, map.external.port != 0, !map.external.address.isUnspecified else {
            return [.failed(key, .refused(code: UInt16(PCPResponse.Result.noResources.rawValue)))]
        }
        return [.mapped(key, external: map.external, lifetime: .seconds(Int64(response.seconds)))]
    }

    private mutating func unmapped(_ key: MappingKey) -> [GatewayEvent] {
        nonces[key] = nil
        shortened.removeAll { $0 == key }
        return [.unmapped(key)]
    }

    /// The gateway answers in the older protocol, or nobody listens at its port: it does not speak this one.
    mutating func isNotSpoken() -> [GatewayEvent] { pending.end(.probe) ? [.absent] : [] }

    mutating func advance(to now: Instant) -> [GatewayEvent] {
        var events: [GatewayEvent] = []
        for event in pending.advance(to: now) {
            switch event {
            case .send(let bytes): events.append(.send(bytes, to: gateway))
            case .gaveUp(.probe): events.append(.absent)
            case .gaveUp(.map(let key)): events.append(.failed(key, .noAnswer))
            case .gaveUp(.unmap(let key)): events += unmapped(key)
            }
        }
        return events
    }
}
