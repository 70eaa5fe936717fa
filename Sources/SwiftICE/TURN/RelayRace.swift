public import SansIO

/// Finds a relay among several servers and keeps one: names resolve and addresses are tried side by side, the first relay
/// wins, the others are given back, and when it is lost the search begins again.
///
/// Order of use: ``start(at:)``, then ``permit(_:at:)`` and the like at any time, ``close(at:)`` at the end. Permissions
/// survive a change of the relay.
public struct RelayRace: Machine {
    private enum Phase: Hashable, Sendable {
        case idle
        case searching
        case selected(LegID)
        case closing
        case closed
    }

    /// An address of a server to be tried.
    private struct Target: Hashable, Sendable {
        let server: Int
        let endpoint: Endpoint
        var redirections = 0
        /// Whether it was tried once already, and the 5-tuple was taken.
        var isSecondTry = false
    }

    /// An address being tried, or the relay in use.
    private struct Leg: Sendable {
        let id: LegID
        let target: Target
        var client: TURNClient
        var isOpen = false
        /// Whether it came second.
        var isLeaving = false
    }

    private enum Timer: Hashable, Sendable {
        case next
        case retry
        case resolving(Int)
        case opening(LegID)
        case leaving(LegID)
    }

    /// The servers, best first.
    public let servers: [TURNServer]
    /// What is asked of them.
    public let request: TURNClient.Request
    /// The limits and intervals.
    public let configuration: Configuration

    private var phase = Phase.idle
    private var random: RandomSource
    private var resolving: [Int] = []
    private var targets: [Target] = []
    /// Every address tried in this search, so that servers cannot send us in circles.
    private var tried: [Endpoint] = []
    private var legs: [Leg] = []
    private var lastLeg: UInt64 = 0
    private var timers = TimerTable<Timer>()
    private var memories: [Endpoint: STUNServerMemory] = [:]
    private var wanted: [IPAddress] = []
    private var searches = 0
    private var lastEnding: TURNClient.Ending?

    /// Prepares a race.
    public init(
        servers: [TURNServer], request: TURNClient.Request = TURNClient.Request(),
        configuration: Configuration = Configuration(), random: RandomSource
    ) {
        self.servers = Array(servers.prefix(configuration.serverLimit))
        self.request = request
        self.configuration = configuration
        self.random = random
    }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? {
        guard phase != .closed else { return nil }
        return ([timers.deadline] + legs.map(\.client.deadline)).compactMap(\.self).min()
    }

    /// The allocation in use.
    public var allocation: TURNClient.Allocation? { selected?.allocation }

    /// The smoothed round trip to its server, as far as it was measured.
    public var roundTrip: Duration? { selected?.memory.roundTrip }

    private var selected: TURNClient? {
        if case .selected(let id) = phase { legs.first { $0.id == id }?.client } else { nil }
    }

    // MARK: Inputs

    /// Begins to look for a relay; legal once.
    public mutating func start(at now: Instant) -> [Effect] {
        guard phase == .idle else { return [] }
        return search(at: now)
    }

    /// The addresses of a server, best first; none when it has none.
    public mutating func resolved(_ server: Int, _ endpoints: [Endpoint], at now: Instant) -> [Effect] {
        guard let index = resolving.firstIndex(of: server) else { return [] }
        resolving.remove(at: index)
        timers.cancel(.resolving(server))
        for endpoint in endpoints.interleavingFamilies().prefix(configuration.addressLimit) {
            // Only service records tell ports.
            let isNamed = if case .name = servers[server].host { true } else { false }
            targets.append(
                Target(server: server, endpoint: isNamed ? endpoint.with(port: servers[server].port) : endpoint))
        }
        return pace(at: now)
    }

    /// Tells that a leg stands.
    public mutating func opened(_ id: LegID, at now: Instant) -> [Effect] {
        guard let index = index(id), !legs[index].isOpen else { return [.ignored(id)] }
        legs[index].isOpen = true
        timers.cancel(.opening(id))
        return perform(legs[index].client.start(at: now), id, at: now)
    }

    /// Tells that a leg is gone, or could not be opened.
    public mutating func closed(_ id: LegID, at now: Instant) -> [Effect] {
        guard let index = index(id) else { return [.ignored(id)] }
        return perform(legs[index].client.legClosed(), id, at: now)
    }

    /// Takes a datagram from the server, or bytes of a connection.
    public mutating func receive(_ bytes: Span<UInt8>, on id: LegID, at now: Instant) -> [Effect] {
        guard let index = index(id) else { return [.ignored(id)] }
        return perform(legs[index].client.receive(bytes, at: now), id, at: now)
    }

    /// Lets a peer's address through, now and with every later relay.
    public mutating func permit(_ address: IPAddress, at now: Instant) -> [Effect] {
        if !wanted.contains(address), wanted.count < configuration.client.peerLimit { wanted.append(address) }
        return relay({ $0.permit(address, at: $1) }, at: now)
    }

    /// No longer lets a peer's address through.
    public mutating func forget(_ address: IPAddress) {
        wanted.removeAll { $0 == address }
        if case .selected(let id) = phase, let index = index(id) { legs[index].client.forget(address) }
    }

    /// Has the relay in use do something; nothing without one.
    public mutating func relay(
        _ body: (inout TURNClient, Instant) -> [TURNClient.Effect], at now: Instant
    ) -> [Effect] {
        guard case .selected(let id) = phase, let index = index(id) else { return [] }
        return perform(body(&legs[index].client, now), id, at: now)
    }

    /// Gives the relay back and ends.
    public mutating func close(at now: Instant) -> [Effect] {
        guard phase != .closing, phase != .closed else { return [] }
        phase = .closing
        (targets, resolving) = ([], [])
        timers.cancel(.next)
        timers.cancel(.retry)
        return legs.map(\.id).flatMap { leave($0, at: now) } + endIfDone()
    }

    /// Fires every timer due at or before `now`.
    public mutating func advance(to now: Instant) -> [Effect] {
        guard phase != .closed else { return [] }
        var effects: [Effect] = []
        for id in legs.map(\.id) {
            guard let index = index(id) else { continue }
            effects += perform(legs[index].client.advance(to: now), id, at: now)
        }
        while phase != .closed, let timer = timers.popDue(at: now) {
            switch timer {
            case .next: effects += tryNext(at: now)
            case .retry: effects += search(at: now)
            case .resolving(let server): effects += resolved(server, [], at: now)
            case .opening(let id), .leaving(let id): effects += drop(id, .legFailed, at: now)
            }
        }
        return effects
    }

    // MARK: Searching

    private mutating func search(at now: Instant) -> [Effect] {
        phase = .searching
        (targets, resolving, tried, lastEnding) = ([], [], [], nil)
        var effects: [Effect] = []
        for (number, server) in servers.enumerated() {
            guard case .address(let address) = server.host else {
                resolving.append(number)
                timers.set(.resolving(number), at: now.advanced(by: configuration.resolvingPatience))
                effects.append(.resolve(server: number, server.host, server.transport))
                continue
            }
            targets.append(Target(server: number, endpoint: Endpoint(address, port: server.port)))
        }
        return effects + pace(at: now)
    }

    /// Tries the next address at once when nothing is being tried, else after a while.
    private mutating func pace(at now: Instant) -> [Effect] {
        guard phase == .searching else { return [] }
        let running = legs.count { !$0.isLeaving }
        if running == 0 { return tryNext(at: now) }
        if !targets.isEmpty, running < configuration.concurrency, !timers.isSet(.next) {
            timers.set(.next, at: now.advanced(by: max(configuration.stagger, .milliseconds(1))))
        }
        return []
    }

    private mutating func tryNext(at now: Instant) -> [Effect] {
        guard phase == .searching else { return [] }
        timers.cancel(.next)
        guard !targets.isEmpty else { return giveUpIfDone(at: now) }
        guard legs.count(where: { !$0.isLeaving }) < configuration.concurrency else { return [] }
        let target = targets.removeFirst()
        let server = servers[target.server]
        tried.append(target.endpoint)
        lastLeg += 1
        let id = LegID(number: lastLeg)
        let client = TURNClient(
            request: request, leg: server.transport.leg, credentials: server.credentials,
            memory: memories[target.endpoint] ?? STUNServerMemory(), configuration: configuration.client,
            random: random.split())
        legs.append(Leg(id: id, target: target, client: client))
        timers.set(.opening(id), at: now.advanced(by: configuration.openingPatience))
        return [.open(id, server.transport, to: target.endpoint, server.host)] + pace(at: now)
    }

    private mutating func giveUpIfDone(at now: Instant) -> [Effect] {
        guard phase == .searching, resolving.isEmpty, targets.isEmpty, !legs.contains(where: { !$0.isLeaving }),
            !timers.isSet(.retry)
        else { return [] }
        let wait = configuration.retryInterval * (1 << min(searches, 10))
        searches += 1
        timers.set(.retry, at: now.advanced(by: max(min(wait, configuration.retryLimit), .milliseconds(1))))
        return [.failed(lastEnding)]
    }

    // MARK: Legs

    private func index(_ id: LegID) -> Int? { legs.firstIndex { $0.id == id } }

    private mutating func perform(_ effects: [TURNClient.Effect], _ id: LegID, at now: Instant) -> [Effect] {
        var own: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes): own.append(.send(bytes, on: id))
            case .allocated(let allocation): own += won(id, allocation, at: now)
            case .ended(let ending): own += drop(id, ending, at: now)
            default: if phase == .selected(id) { own.append(.relay(effect)) }
            }
        }
        return own
    }

    private mutating func won(_ id: LegID, _ allocation: TURNClient.Allocation, at now: Instant) -> [Effect] {
        guard phase == .searching, let index = index(id), !legs[index].isLeaving else { return leave(id, at: now) }
        phase = .selected(id)
        searches = 0
        timers.cancel(.next)
        timers.cancel(.retry)
        (targets, resolving) = ([], [])
        var effects: [Effect] = [.selected(id, server: legs[index].target.server, allocation)]
        for other in legs.map(\.id) where other != id { effects += leave(other, at: now) }
        for address in wanted { effects += relay({ $0.permit(address, at: $1) }, at: now) }
        return effects
    }

    /// Gives a relay back that is not needed, or stops asking for it.
    private mutating func leave(_ id: LegID, at now: Instant) -> [Effect] {
        guard let index = index(id), !legs[index].isLeaving else { return [] }
        legs[index].isLeaving = true
        guard legs[index].isOpen else { return drop(id, .released, at: now) }
        timers.set(.leaving(id), at: now.advanced(by: configuration.releasePatience))
        return perform(legs[index].client.release(at: now), id, at: now)
    }

    /// A leg is over: what that means depends on whether it was the relay in use.
    private mutating func drop(_ id: LegID, _ ending: TURNClient.Ending, at now: Instant) -> [Effect] {
        guard let index = index(id) else { return [] }
        let leg = legs.remove(at: index)
        timers.cancel(.opening(id))
        timers.cancel(.leaving(id))
        memories[leg.target.endpoint] = leg.client.memory
        var effects: [Effect] = [.close(id)]
        if phase == .selected(id) { return effects + [.lost(ending)] + search(at: now) }
        guard phase == .searching, !leg.isLeaving else { return effects + endIfDone() }
        lastEnding = ending
        if let again = successor(of: leg.target, after: ending) { targets.insert(again, at: 0) }
        effects += tryNext(at: now)
        return effects
    }

    /// Another port for the same server, or the server it names, within limits.
    private func successor(of target: Target, after ending: TURNClient.Ending) -> Target? {
        switch ending {
        case .mismatch where !target.isSecondTry:
            var again = target
            again.isSecondTry = true
            return again
        case .refused(.redirected(let endpoint)):
            guard target.redirections < configuration.redirectionLimit, !tried.contains(endpoint), endpoint.port != 0
            else { return nil }
            return Target(server: target.server, endpoint: endpoint, redirections: target.redirections + 1)
        default: return nil
        }
    }

    private mutating func endIfDone() -> [Effect] {
        guard phase == .closing, legs.isEmpty else { return [] }
        phase = .closed
        timers = TimerTable()
        return [.closed]
    }
}

extension [Endpoint] {
    /// The endpoints with the families taking turns, so that a broken one costs one attempt only (RFC 8305 §4).
    func interleavingFamilies() -> [Endpoint] {
        guard let first = first?.address.family else { return [] }
        let (one, other) = (filter { $0.address.family == first }, filter { $0.address.family != first })
        return (0..<Swift.max(one.count, other.count)).flatMap { index in
            [one, other].compactMap { index < $0.count ? $0[index] : nil }
        }
    }
}
