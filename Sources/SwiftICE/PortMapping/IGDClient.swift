internal import SansIO

/// Asks a gateway in the way of UPnP: finds it, reads what it offers, and has it map ports, one exchange at a time; or over
/// IPv6 open its firewall.
struct IGDClient: Sendable {
    enum Job: Hashable, Sendable {
        case describe(HTTPLocation)
        case status(service: Int)
        case externalAddress
        case add(MappingKey, port: UInt16, seconds: UInt32, conflicts: Int)
        /// Asks for whichever port is free (version 2).
        case addAny(MappingKey, port: UInt16, seconds: UInt32)
        case delete(MappingKey, port: UInt16)
        case openPinhole(MappingKey, seconds: UInt32)
        case renewPinhole(MappingKey, PinholeID, seconds: UInt32)
        case closePinhole(MappingKey, PinholeID)
    }

    enum Phase: Hashable, Sendable {
        case idle
        case searching(attempt: Int)
        case probing
        case ready
        case absent
    }

    /// A connection for one request.
    struct Exchange: Sendable {
        let id: PortMapper.ConnectionID
        let job: Job
        let action: String
        let request: [UInt8]
        var reader = HTTPResponseReader()
        var isConnected = false
    }

    private enum Timer: Hashable, Sendable {
        case search
        case exchange
    }

    let client: IPAddress
    let gateway: Endpoint
    let configuration: PortMapper.Configuration
    var random: RandomSource
    var phase = Phase.idle
    /// Descriptions found and not read yet, and how many were found.
    var locations: [HTTPLocation] = []
    var known: [HTTPLocation] = []
    var services: [IGDService] = []
    /// The service that maps.
    var chosen = 0
    var external: IPAddress?
    var jobs: [Job] = []
    var exchange: Exchange?
    /// The external port of each mapping that stands.
    var ports: [MappingKey: UInt16] = [:]
    /// The name of each hole in the firewall.
    var pinholes: [MappingKey: PinholeID] = [:]
    /// Holes that were given back before the gateway told their name.
    var unwanted: [MappingKey] = []
    private var timers = TimerTable<Timer>()
    private var lastConnection: UInt64 = 0

    init(client: IPAddress, gateway: Endpoint, configuration: PortMapper.Configuration, random: RandomSource) {
        self.client = client
        self.gateway = gateway
        self.configuration = configuration
        self.random = random
    }

    var deadline: Instant? { timers.deadline }

    // MARK: Inputs

    mutating func probe(at now: Instant) -> [GatewayEvent] {
        let events = abort()
        (locations, known, services, external) = ([], [], [], nil)
        return events + search(attempt: 1, at: now)
    }

    /// Gives up what is under way and what waits.
    private mutating func abort() -> [GatewayEvent] {
        let closing = take()
        let dropped = (closing.map { [$0.job] } ?? []) + jobs
        jobs = []
        let failed = dropped.compactMap { job -> GatewayEvent? in
            switch job {
            case .delete(let key, _), .closePinhole(let key, _): return .unmapped(key)
            default: break
            }
            return job.key.map { .failed($0, .noAnswer) }
        }
        return (closing.map { [.close($0.id)] } ?? []) + failed
    }

    /// Searches by multicast and at the gateway itself, as some hear one and some the other only.
    private mutating func search(attempt: Int, at now: Instant) -> [GatewayEvent] {
        phase = .searching(attempt: attempt)
        let isLast = attempt == configuration.searches
        timers.set(.search, at: now.advanced(by: isLast ? configuration.searchPatience : configuration.searchInterval))
        let group = SSDP.group(client.family, scope: gateway.scope)
        return [group, gateway.with(port: SSDP.port)].flatMap { destination in
            (isFirewall ? SSDP.firewallTargets : SSDP.targets).map {
                .send(SSDP.search($0, client.family), to: destination)
            }
        }
    }

    /// Nobody at the gateway itself listens; one that hears multicast only may answer later.
    mutating func isNotSpoken() -> [GatewayEvent] {
        guard case .searching = phase else { return [] }
        timers.cancel(.search)
        return giveUp()
    }

    /// Takes an answer to a search from the gateway.
    mutating func receive(_ datagram: [UInt8], at now: Instant) -> [GatewayEvent] {
        do throws(WireError) {
            guard let location = try SSDP.location(in: datagram)?.scoped(gateway.scope),
                isGateway(location.endpoint.address)
            else { return [.ignored(.elsewhere)] }
            guard !known.contains(location), known.count < configuration.locationLimit else { return [] }
            known.append(location)
            locations.append(location)
            switch phase {
            // One that was given up may be late, or hear multicast only.
            case .searching, .absent: return describeNext(at: now)
            case .idle, .probing, .ready: return []
            }
        } catch {
            return [.ignored(.malformed(error))]
        }
    }

    mutating func map(_ key: MappingKey, wishing port: UInt16, seconds: UInt32, at now: Instant) -> [GatewayEvent] {
        guard phase == .ready else { return [.failed(key, .noAnswer)] }
        forget(key)
        guard !isFirewall else { return openPinhole(key, seconds: seconds, at: now) }
        // The address may have changed since; asking costs one exchange within the local network.
        jobs.append(.externalAddress)
        jobs.append(.add(key, port: port == 0 ? key.port : port, seconds: seconds, conflicts: 0))
        return next(at: now)
    }

    mutating func unmap(_ key: MappingKey, at now: Instant) -> [GatewayEvent] {
        forget(key)
        guard !isFirewall else { return closePinhole(key, at: now) }
        // One that is being asked for will stand by the time the gateway reads this.
        var asked: UInt16?
        if case .add(key, let port, _, _)? = exchange?.job { asked = port }
        guard phase == .ready, let port = asked ?? ports[key] else { return [.unmapped(key)] }
        jobs.append(.delete(key, port: port))
        return next(at: now)
    }

    /// Drops what waits to be asked about a mapping.
    private mutating func forget(_ key: MappingKey) { jobs.removeAll { $0.key == key } }

    mutating func connected(_ id: PortMapper.ConnectionID) -> [GatewayEvent] {
        guard exchange?.id == id, exchange?.isConnected == false, let request = exchange?.request else {
            return [.ignored(.unexpected)]
        }
        exchange?.isConnected = true
        return [.write(request, on: id)]
    }

    mutating func receive(
        _ bytes: Span<UInt8>, on id: PortMapper.ConnectionID, at now: Instant
    ) -> [GatewayEvent] {
        guard exchange?.id == id else { return [.ignored(.unexpected)] }
        do throws(WireError) {
            guard let (head, body) = try exchange?.reader.receive(bytes) else { return [] }
            return [.close(id)] + finish(head, body, at: now)
        } catch {
            return [.close(id), .ignored(.malformed(error))] + fail(at: now)
        }
    }

    mutating func closed(_ id: PortMapper.ConnectionID, at now: Instant) -> [GatewayEvent] {
        guard exchange?.id == id else { return [] }
        guard let (head, body) = exchange?.reader.end() else { return fail(at: now) }
        return finish(head, body, at: now)
    }

    mutating func advance(to now: Instant) -> [GatewayEvent] {
        var events: [GatewayEvent] = []
        while let timer = timers.popDue(at: now) {
            switch (timer, phase) {
            case (.search, .searching(let attempt)) where attempt < configuration.searches:
                events += search(attempt: attempt + 1, at: now)
            case (.search, .searching): events += giveUp()
            case (.search, _): break
            case (.exchange, _):
                if let id = exchange?.id { events.append(.close(id)) }
                events += fail(at: now)
            }
        }
        return events
    }

    // MARK: One exchange at a time

    mutating func next(at now: Instant) -> [GatewayEvent] {
        guard exchange == nil, !jobs.isEmpty else { return [] }
        let job = jobs.removeFirst()
        let (location, action, request) = message(for: job)
        lastConnection += 1
        let id = PortMapper.ConnectionID(number: lastConnection)
        exchange = Exchange(id: id, job: job, action: action, request: request)
        timers.set(.exchange, at: now.advanced(by: configuration.exchangeTimeout))
        return [.connect(id, to: location.endpoint)]
    }

    private mutating func finish(_ head: HTTPHead, _ body: [UInt8], at now: Instant) -> [GatewayEvent] {
        guard let done = take() else { return [] }
        return answered(done, head, body, at: now) + next(at: now)
    }

    private mutating func fail(at now: Instant) -> [GatewayEvent] {
        guard let done = take() else { return [] }
        return notAnswered(done, at: now) + next(at: now)
    }

    private mutating func take() -> Exchange? {
        timers.cancel(.exchange)
        defer { exchange = nil }
        return exchange
    }

    // MARK: Finding a service

    mutating func describeNext(at now: Instant) -> [GatewayEvent] {
        guard !locations.isEmpty else { return giveUp() }
        phase = .probing
        timers.cancel(.search)
        jobs = [.describe(locations.removeFirst())]
        return next(at: now)
    }

    private mutating func giveUp() -> [GatewayEvent] {
        phase = .absent
        jobs = []
        return [.absent]
    }
}

extension IGDClient.Job {
    /// The mapping it is about.
    var key: MappingKey? {
        switch self {
        case .describe, .status, .externalAddress: nil
        case .add(let key, _, _, _), .addAny(let key, _, _), .delete(let key, _): key
        case .openPinhole(let key, _), .renewPinhole(let key, _, _), .closePinhole(let key, _): key
        }
    }
}
