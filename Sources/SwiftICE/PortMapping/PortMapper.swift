public import SansIO

/// Keeps ports of the gateway mapped to ours, in whichever way the gateway speaks: PCP, NAT-PMP or UPnP.
///
/// One mapper serves one address of ours and the next hop behind it. Over IPv6 mappings are holes in the gateway's
/// firewall, which PCP and UPnP open. Order of use: ``start(at:)``, ``add(_:port:wishing:at:)`` at any time, feed what
/// comes to the socket and to connections, ``close(at:)`` at the end. Mappings are renewed at half of their lifetime, and
/// made anew when the gateway lost them.
public struct PortMapper: Machine {
    private enum Phase: Hashable, Sendable {
        case idle
        case running
        case closing
        case closed
    }

    /// What is known of one way to ask.
    enum Availability: Hashable, Sendable {
        case probing
        case available
        case absent
    }

    /// A mapping that is asked for.
    struct Entry: Sendable {
        let id: MappingID
        let key: MappingKey
        /// The external port to ask for; the one we had, once there was one.
        var wish: UInt16
        /// The ways that failed since it last stood.
        var tried: [PortMapping.Method] = []
        /// The way it is asked for now.
        var asking: PortMapping.Method?
        var standing: PortMapping?
        var failure = Failure.noGateway
    }

    enum Timer: Hashable, Sendable {
        case preference
        case probe
        case renewal(MappingID)
        case expiry(MappingID)
        case closing
    }

    /// The port of PCP and NAT-PMP on a gateway.
    public static let gatewayPort: UInt16 = 5351

    /// The limits and intervals.
    public let configuration: Configuration
    /// Our own address.
    public let client: IPAddress
    /// The gateway's address; answers count from there only.
    public let gateway: Endpoint

    private var phase = Phase.idle
    private var pcp: PCPClient
    private var natPMP: NATPMPClient
    private var igd: IGDClient
    /// In the order of `PortMapping.Method`.
    private var availabilities: [Availability] = [.absent, .absent, .absent]
    /// Whether a worse way may be used although a better one did not answer yet.
    private var isImpatient = false
    private var entries: [Entry] = []
    private var lastMapping: UInt64 = 0
    private var timers = TimerTable<Timer>()
    private var failedProbes = 0
    /// Before then a gateway that says it forgot everything is not heeded again.
    private var nextReset = Instant(nanoseconds: .min)
    /// Mappings that are given back, so that the end is told once the gateway knows.
    private var leaving: [MappingKey] = []

    /// Prepares a mapper for our address `client` and the next hop `gateway`, whose port does not matter.
    public init(
        client: IPAddress, gateway: Endpoint, configuration: Configuration = Configuration(), random: RandomSource
    ) {
        self.client = client
        self.gateway = gateway.with(port: Self.gatewayPort)
        self.configuration = configuration
        var random = random
        pcp = PCPClient(
            client: client, gateway: self.gateway, configuration: configuration, random: random.split())
        natPMP = NATPMPClient(gateway: self.gateway, configuration: configuration, random: random.split())
        igd = IGDClient(client: client, gateway: self.gateway, configuration: configuration, random: random.split())
    }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? {
        guard phase == .running || phase == .closing else { return nil }
        return [timers.deadline, pcp.deadline, natPMP.deadline, igd.deadline].compactMap(\.self).min()
    }

    /// The mappings that stand.
    public var mappings: [PortMapping] { entries.compactMap(\.standing) }

    // MARK: Inputs

    /// Probes the gateway in all ways at once; legal once.
    public mutating func start(at now: Instant) -> [Effect] {
        guard phase == .idle else { return [.ignored(.unexpected)] }
        phase = .running
        return probe(at: now)
    }

    /// Asks for a mapping of our own port; `wish` is the external port to ask for, 0 for any.
    public mutating func add(
        _ transport: PortMapping.Transport, port: UInt16, wishing wish: UInt16 = 0, at now: Instant
    ) -> (id: MappingID, effects: [Effect]) {
        lastMapping += 1
        let id = MappingID(number: lastMapping)
        let key = MappingKey(transport: transport, port: port)
        let isFree = port != 0 && !entries.contains { $0.key == key }
        guard phase == .idle || phase == .running, isFree, entries.count < configuration.mappingLimit else {
            return (id, [.failed(id, .overLimit)])
        }
        entries.append(Entry(id: id, key: key, wish: wish == 0 ? port : wish))
        return (id, phase == .running ? ask(id, at: now) : [])
    }

    /// Gives a mapping back.
    public mutating func remove(_ id: MappingID, at now: Instant) -> [Effect] {
        guard let index = entries.firstIndex(where: { $0.id == id }) else { return [.ignored(.unexpected)] }
        let entry = entries.remove(at: index)
        timers.cancel(.renewal(id))
        timers.cancel(.expiry(id))
        // One that is being asked for may stand by the time the gateway reads this.
        guard let method = entry.standing?.method ?? entry.asking else { return [] }
        leaving.append(entry.key)
        return carry(unmap(entry.key, method, at: now), method, at: now)
    }

    /// Gives all mappings back and ends.
    public mutating func close(at now: Instant) -> [Effect] {
        guard phase == .running else {
            guard phase == .idle else { return [.ignored(.closed)] }
            phase = .closed
            return [.closed]
        }
        phase = .closing
        timers.set(.closing, at: now.advanced(by: configuration.closePatience))
        return entries.map(\.id).flatMap { remove($0, at: now) } + closeIfDone()
    }

    /// Takes a datagram that arrived on the socket.
    public mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [Effect] {
        guard phase == .running || phase == .closing else { return [.ignored(.closed)] }
        let isAnswerToSearch = datagram.count > 0 && datagram[0] == UInt8(ascii: "H")
        let source = source.unmapped
        // A gateway answers a search over IPv6 from whichever of its addresses it likes.
        guard source.address == gateway.address || isAnswerToSearch && igd.isGateway(source.address),
            datagram.count > 0
        else { return [.ignored(.stranger(source))] }
        if isAnswerToSearch { return carry(igd.receive([UInt8](datagram), at: now), .igd, at: now) }
        guard source.port == Self.gatewayPort else { return [.ignored(.stranger(source))] }
        do throws(WireError) {
            guard datagram[0] == 0 else {
                return carry(pcp.receive(try PCPResponse(datagram), at: now), .pcp, at: now)
            }
            let response = try NATPMPResponse(datagram)
            // How a gateway that knows only the older protocol answers a request of the newer (RFC 6887 §9).
            guard response.result != .unsupportedVersion else { return carry(pcp.isNotSpoken(), .pcp, at: now) }
            return carry(natPMP.receive(response, at: now), .natPMP, at: now)
        } catch {
            return [.ignored(.malformed(error))]
        }
    }

    /// Takes the network's word that nobody at the gateway hears what was sent to one of its ports: an answer in that way
    /// is not waited for any longer, though one is still taken. Others may forge the report, which costs a mapping until
    /// the next probe.
    public mutating func refused(by destination: Endpoint, at now: Instant) -> [Effect] {
        guard phase == .running, destination.unmapped.address == gateway.address else {
            return [.ignored(.stranger(destination))]
        }
        return switch destination.port {
        case Self.gatewayPort:
            carry(pcp.isNotSpoken(), .pcp, at: now) + carry(natPMP.isNotSpoken(), .natPMP, at: now)
        case SSDP.port: carry(igd.isNotSpoken(), .igd, at: now)
        default: [.ignored(.stranger(destination))]
        }
    }

    /// Tells that a connection stands.
    public mutating func connected(_ id: ConnectionID, at now: Instant) -> [Effect] {
        carry(igd.connected(id), .igd, at: now)
    }

    /// Takes bytes of a connection.
    public mutating func receive(_ bytes: Span<UInt8>, on id: ConnectionID, at now: Instant) -> [Effect] {
        carry(igd.receive(bytes, on: id, at: now), .igd, at: now)
    }

    /// Tells that a connection is over, or could not be opened.
    public mutating func closed(_ id: ConnectionID, at now: Instant) -> [Effect] {
        carry(igd.closed(id, at: now), .igd, at: now)
    }

    /// Fires every timer due at or before `now`.
    public mutating func advance(to now: Instant) -> [Effect] {
        guard phase == .running || phase == .closing else { return [] }
        var effects = carry(pcp.advance(to: now), .pcp, at: now)
        effects += carry(natPMP.advance(to: now), .natPMP, at: now)
        effects += carry(igd.advance(to: now), .igd, at: now)
        while phase != .closed, let timer = timers.popDue(at: now) {
            switch timer {
            case .preference:
                isImpatient = true
                effects += askAll(at: now)
            case .probe: effects += probe(at: now)
            case .renewal(let id): effects += renew(id, at: now)
            case .expiry(let id): effects += expired(id, at: now)
            case .closing: effects += end()
            }
        }
        return effects
    }

    // MARK: Ways to ask

    private mutating func probe(at now: Instant) -> [Effect] {
        guard phase == .running else { return [] }
        isImpatient = false
        timers.cancel(.preference)
        for index in entries.indices where entries[index].standing == nil { entries[index].tried = [] }
        availabilities[PortMapping.Method.pcp.rawValue] = .probing
        availabilities[PortMapping.Method.igd.rawValue] = .probing
        var effects = carry(pcp.probe(at: now), .pcp, at: now)
        if client.family == .v4 {
            availabilities[PortMapping.Method.natPMP.rawValue] = .probing
            effects += carry(natPMP.probe(at: now), .natPMP, at: now)
        }
        return effects + carry(igd.probe(at: now), .igd, at: now)
    }

    /// The best way that did not fail for a mapping; `nil` while a better one may still answer, or without any.
    private func method(for entry: Entry) -> PortMapping.Method? {
        for method in PortMapping.Method.allCases where !entry.tried.contains(method) {
            switch availabilities[method.rawValue] {
            case .available: return method
            case .probing where !isImpatient: return nil
            case .probing, .absent: continue
            }
        }
        return nil
    }

    private mutating func settled(
        _ method: PortMapping.Method, _ availability: Availability, at now: Instant
    ) -> [Effect] {
        guard availabilities[method.rawValue] != availability else { return [] }
        availabilities[method.rawValue] = availability
        var effects: [Effect] = []
        if availability == .available {
            // All were given up before this one answered.
            timers.cancel(.probe)
            effects.append(.available(method))
            if !isImpatient, !timers.isSet(.preference) {
                timers.set(.preference, at: now.advanced(by: configuration.preferenceDelay))
            }
        }
        effects += askAll(at: now)
        if availabilities.allSatisfy({ $0 == .absent }) { probeLater(at: now) }
        return effects
    }

    private mutating func probeLater(at now: Instant) {
        guard phase == .running, !timers.isSet(.probe) else { return }
        let wait = configuration.probeInterval * (1 << min(failedProbes, 10))
        failedProbes += 1
        timers.set(.probe, at: now.advanced(by: min(wait, configuration.probeIntervalLimit)))
    }

    private mutating func map(_ entry: Entry, _ method: PortMapping.Method, at now: Instant) -> [GatewayEvent] {
        let seconds = UInt32(clamping: configuration.lifetime.components.seconds)
        return switch method {
        case .pcp: pcp.map(entry.key, wishing: entry.wish, seconds: seconds, at: now)
        case .natPMP: natPMP.map(entry.key, wishing: entry.wish, seconds: seconds, at: now)
        case .igd: igd.map(entry.key, wishing: entry.wish, seconds: seconds, at: now)
        }
    }

    private mutating func unmap(_ key: MappingKey, _ method: PortMapping.Method, at now: Instant) -> [GatewayEvent] {
        switch method {
        case .pcp: pcp.unmap(key, at: now)
        case .natPMP: natPMP.unmap(key, at: now)
        case .igd: igd.unmap(key, at: now)
        }
    }

    /// What becomes of our requests.
    private mutating func carry(_ events: [GatewayEvent], _ method: PortMapping.Method, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        for event in events where phase != .closed {
            switch event {
            case .send(let bytes, let endpoint): effects.append(.send(bytes, to: endpoint))
            case .connect(let id, let endpoint): effects.append(.connect(id, to: endpoint))
            case .write(let bytes, let id): effects.append(.write(bytes, on: id))
            case .close(let id): effects.append(.close(id))
            case .available: effects += settled(method, .available, at: now)
            case .absent: effects += settled(method, .absent, at: now)
            case .mapped(let key, let external, let lifetime):
                effects += mapped(key, external, lifetime, method, at: now)
            case .unmapped(let key): effects += unmapped(key)
            case .failed(let key, let failure): effects += failed(key, failure, method, at: now)
            case .reset: effects += reset(method, at: now)
            case .ignored(let refusal): effects.append(.ignored(refusal))
            }
        }
        return effects
    }
}

// MARK: - Mappings

extension PortMapper {
    private mutating func askAll(at now: Instant) -> [Effect] {
        entries.filter { $0.standing == nil && $0.asking == nil }.map(\.id).flatMap { ask($0, at: now) }
    }

    private mutating func ask(_ id: MappingID, at now: Instant) -> [Effect] {
        guard phase == .running, let index = entries.firstIndex(where: { $0.id == id }), entries[index].asking == nil
        else { return [] }
        guard let method = method(for: entries[index]) else {
            // Nothing is left to ask, and nothing may turn up.
            guard !availabilities.contains(.probing) else { return [] }
            probeLater(at: now)
            return entries[index].standing == nil ? [.failed(id, entries[index].failure)] : []
        }
        entries[index].asking = method
        return carry(map(entries[index], method, at: now), method, at: now)
    }

    /// The mapping that is being asked for in this way.
    private func asked(_ key: MappingKey, _ method: PortMapping.Method) -> Int? {
        entries.firstIndex { $0.key == key && $0.asking == method }
    }

    private mutating func mapped(
        _ key: MappingKey, _ external: Endpoint, _ lifetime: Duration?, _ method: PortMapping.Method, at now: Instant
    ) -> [Effect] {
        guard let index = asked(key, method) else { return [] }
        let (id, previous) = (entries[index].id, entries[index].standing)
        let mapping = PortMapping(
            transport: key.transport, internalPort: key.port, external: external, lifetime: lifetime, method: method)
        failedProbes = 0
        entries[index].asking = nil
        entries[index].tried = []
        entries[index].standing = mapping
        entries[index].wish = external.port
        // A gateway that grants next to nothing must not keep us busy.
        let granted = max(lifetime ?? configuration.lifetime, configuration.renewalFloor * 2)
        timers.set(.renewal(id), at: now.advanced(by: granted / 2))
        if lifetime == nil {
            timers.cancel(.expiry(id))
        } else {
            timers.set(.expiry(id), at: now.advanced(by: granted))
        }
        let isNew = previous?.external != external || previous?.method != method
        return isNew ? [.mapped(id, mapping)] : []
    }

    private mutating func failed(
        _ key: MappingKey, _ failure: GatewayEvent.Failure, _ method: PortMapping.Method, at now: Instant
    ) -> [Effect] {
        guard let index = asked(key, method) else { return [] }
        let id = entries[index].id
        entries[index].asking = nil
        entries[index].failure =
            switch failure {
            case .noAnswer: .noAnswer
            case .refused(let code): .refused(method, code: code)
            }
        // One that stands is asked for again in the same way until it runs out.
        guard entries[index].standing == nil else {
            timers.set(.renewal(id), at: now.advanced(by: max(configuration.renewalRetry, .milliseconds(1))))
            return []
        }
        entries[index].tried.append(method)
        isImpatient = true
        return ask(id, at: now)
    }

    private mutating func renew(_ id: MappingID, at now: Instant) -> [Effect] {
        guard phase == .running, let index = entries.firstIndex(where: { $0.id == id }), entries[index].asking == nil,
            let method = entries[index].standing?.method
        else { return [] }
        entries[index].asking = method
        return carry(map(entries[index], method, at: now), method, at: now)
    }

    private mutating func expired(_ id: MappingID, at now: Instant) -> [Effect] {
        guard let index = entries.firstIndex(where: { $0.id == id }), entries[index].standing != nil else { return [] }
        entries[index].standing = nil
        entries[index].asking = nil
        timers.cancel(.renewal(id))
        return [.lost(id)] + probe(at: now)
    }

    /// The gateway forgot: everything it had is asked for again at once.
    private mutating func reset(_ method: PortMapping.Method, at now: Instant) -> [Effect] {
        guard now >= nextReset else { return [.ignored(.unexpected)] }
        nextReset = now.advanced(by: configuration.renewalFloor)
        return entries.filter { $0.standing?.method == method }.map(\.id).flatMap { renew($0, at: now) }
    }

    // MARK: Ending

    private mutating func unmapped(_ key: MappingKey) -> [Effect] {
        leaving.removeAll { $0 == key }
        return closeIfDone()
    }

    private mutating func closeIfDone() -> [Effect] {
        phase == .closing && leaving.isEmpty && entries.isEmpty ? end() : []
    }

    private mutating func end() -> [Effect] {
        guard phase != .closed else { return [] }
        phase = .closed
        timers = TimerTable()
        return (igd.exchange.map { [.close($0.id)] } ?? []) + [.closed]
    }
}
