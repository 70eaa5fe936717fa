public import SansIO

/// One ICE session (RFC 8445, RFC 6544 for TCP) as a machine: N components of one stream, over UDP or TCP.
///
/// Order of use: create, ``addBase(_:at:)`` for each bound socket, optionally ``addMapped(_:base:tcp:at:)``, send
/// ``localDescription`` to the peer, ``start(remote:at:)`` once its description is known, and from then on feed what
/// arrives. Checks that arrive before ``start(remote:at:)`` are answered and remembered. Every method is legal in
/// every state; what makes no sense is refused with ``Effect/ignored(_:)``.
public struct ICEAgent: Machine {
    /// What the agent waits for.
    enum Timer: Hashable, Sendable {
        case pacing
        case transaction(TransactionID)
        case nomination(component: Int)
        case patience
        case keepalive(component: Int)
        case consent(component: Int)
        case consentExpiry(component: Int)
        /// The next attempt to connect for a pair.
        case reconnect(pair: Int)
        /// The end of an attempt to connect, or of an accepted connection's time to identify itself.
        case connection(ConnectionID)
        case linger(component: Int)
    }

    /// A candidate of ours and the socket behind it.
    struct LocalCandidate: Hashable, Sendable {
        let candidate: Candidate
        let base: Endpoint
    }

    /// The pair in use for a component.
    struct Selection: Hashable, Sendable {
        let pairID: Int
        let pair: SelectedPair
        var lastSent: Instant
        var consentExpiry: Instant
        var repeatedNominations = 0
    }

    /// The limits and intervals.
    public let configuration: Configuration
    /// How many components the session has; they are numbered from 1.
    public let components: Int
    /// The credentials the peer makes its checks with.
    public let localCredentials: Credentials
    /// Our role, which changes when it conflicts with the peer's.
    public internal(set) var role: Role
    /// Where the session stands.
    public internal(set) var state = State.new

    var random: RandomSource
    var tieBreaker: UInt64
    let localKey: IntegrityKey
    var remoteCredentials: Credentials?
    var remoteKey: IntegrityKey?
    var bases: [Base] = []
    var locals: [LocalCandidate] = []
    var remotes: [Candidate] = []
    var checkList = CheckList()
    /// Pairs to check before all others (RFC 8445 §6.1.4.1).
    var triggered: [Int] = []
    var recentTriggers: [Instant] = []
    var nextTick = Instant(nanoseconds: .min)
    var transactions: [Transaction] = []
    var connections: [Connection] = []
    var lastConnection: UInt64 = 0
    var earlyChecks: [ReceivedCheck] = []
    var selections: [Selection?]
    var nominationWasAwaited = false
    var timers = TimerTable<Timer>()

    /// Creates a session; draws its credentials and tie-breaker.
    ///
    /// - Parameter components: how many components the stream has, 1 to 256.
    public init(configuration: Configuration = Configuration(), role: Role, components: Int, random: RandomSource) {
        self.configuration = configuration
        self.components = min(max(components, 1), 256)
        self.role = role
        self.random = random
        localCredentials = Credentials(random: &self.random)
        localKey = IntegrityKey(shortTerm: localCredentials.password)
        tieBreaker = self.random.next()
        selections = Array(repeating: nil, count: self.components)
    }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? { timers.deadline }

    /// Fires every timer due at or before `now`.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .pacing: effects += tick(at: now)
            case .transaction(let id): effects += transactionIsDue(id, at: now)
            case .nomination(let component): effects += nominateBest(component, at: now)
            case .patience: effects += patienceIsOver(at: now)
            case .keepalive(let component): effects += keepAlive(component, at: now)
            case .consent(let component): effects += renewConsent(component, at: now)
            case .consentExpiry(let component): effects += consentIsOver(component, at: now)
            case .reconnect(let pair): effects += check(pair, at: now)
            case .connection(let id): effects += connectionIsDue(id, at: now)
            case .linger(let component): effects += closeLosers(component)
            }
        }
        return effects
    }

    /// Changes the role before the start, where it only turns out with the remote description.
    ///
    /// Checks of the peer that were answered already hold us to the role they found.
    public mutating func assume(_ role: Role) {
        if state == .new, earlyChecks.isEmpty { self.role = role }
    }

    /// Starts the checks; legal once, in state ``State/new``.
    ///
    /// Candidates that cannot be used are passed over; checks that came before are taken up now.
    public mutating func start(remote: SessionDescription, at now: Instant) -> [Effect] {
        guard state == .new else { return [.ignored(.wrongState)] }
        state = .checking
        remoteCredentials = remote.credentials
        remoteKey = IntegrityKey(shortTerm: remote.credentials.password)
        arm(.patience, after: configuration.patience, at: now)
        var effects = learn(remote.candidates)
        formPairs()
        let early = earlyChecks
        earlyChecks = []
        for check in early { effects += process(check, at: now) }
        return effects + pace(at: now)
    }

    /// Takes a UDP datagram for which ``isSTUN(_:)`` holds.
    public mutating func receive(
        _ datagram: Span<UInt8>, on base: Endpoint, from source: Endpoint, at now: Instant
    ) -> [Effect] {
        guard state != .closed else { return [.ignored(.wrongState)] }
        guard let component = bases.first(where: { $0.endpoint == base && $0.transport == .udp })?.component else {
            return [.ignored(.unknownBase)]
        }
        let message: Message
        do { message = try Message(datagram) } catch { return [.ignored(.malformed(error))] }
        let source = source.unmapped
        let arrival = Arrival(path: .datagram(from: base, to: source), source: source, component: component)
        return receive(message, arrival, at: now)
    }

    /// Sends application data: one datagram over the selected or else the best valid pair, or frames over the
    /// selected connection. On TCP nothing is sent before a pair is selected, as a stream cannot move to another one.
    public mutating func send(_ payload: [UInt8], component: Int, at now: Instant) -> [Effect] {
        guard state == .checking || state == .completed else { return [.ignored(.wrongState)] }
        guard (1...components).contains(component) else { return [.ignored(.noPath)] }
        if let path = selections[component - 1]?.pair.path {
            guard case .stream = path else { return [transmit(payload, over: path, at: now)] }
            return payload.isEmpty ? [] : [transmit(payload, over: path, at: now)]
        }
        guard let pair = checkList.bestValid(component: component), let path = path(of: pair), case .datagram = path
        else { return [.ignored(.noPath)] }
        return [transmit(payload, over: path, at: now)]
    }

    /// Ends the session: connections are closed, nothing is answered any more.
    public mutating func close() -> [Effect] {
        guard state != .closed else { return [] }
        state = .closed
        return abandon()
    }

    /// The pair a component uses, if one is selected.
    public func selectedPair(component: Int) -> SelectedPair? {
        guard (1...components).contains(component) else { return nil }
        return selections[component - 1]?.pair
    }

    /// Whether a datagram is STUN as of RFC 8489 §5: length, top bits and cookie agree.
    public static func isSTUN(_ datagram: Span<UInt8>) -> Bool { Message.isSTUN(datagram) }
}

extension ICEAgent {
    /// Sets a timer; intervals are at least a millisecond, so that no setting makes a machine spin.
    mutating func arm(_ timer: Timer, after interval: Duration, at now: Instant) {
        timers.set(timer, at: now.advanced(by: max(interval, .milliseconds(1))))
    }

    /// Hands bytes to a path, framed where it is a stream.
    mutating func transmit(_ bytes: [UInt8], over path: Path, at now: Instant) -> Effect {
        for index in selections.indices where selections[index]?.pair.path == path {
            selections[index]?.lastSent = now
        }
        switch path {
        case .datagram(let base, let peer): return .send(bytes, from: base, to: peer)
        case .stream(let id):
            return .write(StreamFraming.frame(bytes, limit: configuration.framePayloadLimit), on: id)
        }
    }

    /// Fails the session.
    mutating func fail(_ failure: Failure) -> [Effect] {
        state = .failed(failure)
        return abandon() + [.failed(failure)]
    }

    /// Drops everything that would still act by itself.
    private mutating func abandon() -> [Effect] {
        let effects = connections.map { Effect.disconnect($0.id) }
        connections = []
        transactions = []
        triggered = []
        earlyChecks = []
        timers = TimerTable()
        return effects
    }

    /// Gives up, unless every component has a valid pair and only the peer's nomination is missing.
    private mutating func patienceIsOver(at now: Instant) -> [Effect] {
        guard state == .checking else { return [] }
        let isNearlyDone = (1...components).allSatisfy {
            selections[$0 - 1] != nil || checkList.bestValid(component: $0) != nil
        }
        guard isNearlyDone, !nominationWasAwaited else { return fail(.noPath) }
        nominationWasAwaited = true
        arm(.patience, after: configuration.nominationPatience, at: now)
        return []
    }
}
