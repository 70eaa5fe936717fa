public import SansIO

/// One ICE session (RFC 8445, RFC 6544 for TCP) as a machine: N components of one stream, over UDP or TCP.
///
/// Order of use: create, ``addBase(_:at:)`` for each bound socket, optionally ``addMapped(_:base:tcp:at:)``, send
/// ``localDescription`` to the peer, ``start(remote:peer:at:)`` once its description is known, and from then on feed
/// what arrives. Checks that arrive before ``start(remote:peer:at:)`` are answered and remembered. ``restart(at:)``
/// begins anew with other credentials while what was selected stays in use. Every method is legal in every state; what
/// makes no sense is refused with ``Effect/ignored(_:)``.
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
        /// The next question whether a selected pair still works.
        case probe(component: Int)
        /// The next packet of a search for a meeting at random ports.
        case birthday(component: Int)
        /// The end of the time a name of the peer may take to be resolved.
        case resolution(host: String)
    }

    /// A candidate of ours and the socket behind it.
    struct LocalCandidate: Hashable, Sendable {
        let candidate: Candidate
        let base: Endpoint
        /// Whether ``ICEAgent/takeNewCandidates()`` has handed it out.
        var isTaken = false
    }

    /// The limits and intervals.
    public let configuration: Configuration
    /// How many components the session has; they are numbered from 1.
    public let components: Int
    /// Our role, which changes when it conflicts with the peer's.
    public internal(set) var role: Role
    /// Where the session stands.
    public internal(set) var state = State.new

    var random: RandomSource
    var tieBreaker: UInt64
    var current: Generation
    /// The generation before the last restart, whose checks are still answered.
    var former: Generation?
    var peer = PeerOptions()
    var bases: [Base] = []
    var locals: [LocalCandidate] = []
    var remotes: [Candidate] = []
    /// Those of them that were guessed.
    var predictions: [Candidate] = []
    /// The searches for a meeting at random ports, by component.
    var birthdays: [BirthdaySearch?]
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
    /// When each component first had a valid pair, while none is selected.
    var validSince: [Instant?]
    /// How many answers came from elsewhere than their checks went to, by component, while no pair is selected.
    var asymmetries: [Int]
    var nominationWasAwaited = false
    var remoteCandidatesEnded = false
    var permissions: [RelayPermission] = []
    var resolutions: [Resolution] = []
    /// The number of our last nomination, and the highest of the peer's, between peers that renominate.
    var nominations: UInt32 = 0
    var highestNominations: [UInt32]
    var timers = TimerTable<Timer>()

    /// Creates a session; draws its credentials and tie-breaker.
    ///
    /// - Parameter components: how many components the stream has, 1 to 256.
    public init(configuration: Configuration = Configuration(), role: Role, components: Int, random: RandomSource) {
        self.configuration = configuration
        self.components = min(max(components, 1), 256)
        self.role = role
        self.random = random
        current = Generation(number: 0, random: &self.random)
        tieBreaker = self.random.next()
        selections = Array(repeating: nil, count: self.components)
        validSince = Array(repeating: nil, count: self.components)
        asymmetries = Array(repeating: 0, count: self.components)
        highestNominations = Array(repeating: 0, count: self.components)
        birthdays = Array(repeating: nil, count: self.components)
    }

    /// The credentials the peer makes its checks with; other ones after each restart.
    public var localCredentials: Credentials { current.local }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? { timers.deadline }

    /// Fires every timer due at or before `now`.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .pacing: effects += tick(at: now)
            case .transaction(let id): effects += transactionIsDue(id, at: now)
            case .nomination(let component): effects += considerNomination(component, at: now)
            case .patience: effects += patienceIsOver(at: now)
            case .keepalive(let component): effects += keepAlive(component, at: now)
            case .consent(let component): effects += renewConsent(component, at: now)
            case .consentExpiry(let component): effects += consentIsOver(component, at: now)
            case .reconnect(let pair): effects += check(pair, at: now)
            case .connection(let id): effects += connectionIsDue(id, at: now)
            case .linger(let component): effects += closeLosers(component)
            case .probe(let component): effects += probe(component, at: now)
            case .birthday(let component): effects += searchAtRandom(component, at: now)
            case .resolution(let host): effects += resolved(host, to: [], at: now)
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

    /// Starts the checks; legal once, and once more after each restart, in state ``State/new``.
    ///
    /// Candidates that cannot be used are passed over; checks that came before are taken up now. Of a lite peer we take
    /// control, as it makes no checks (RFC 8445 §6.1.1).
    public mutating func start(
        remote: SessionDescription, peer: PeerOptions = PeerOptions(), at now: Instant
    ) -> [Effect] {
        guard state == .new else { return [.ignored(.wrongState)] }
        state = .checking
        self.peer = peer
        if peer.isLite { role = .controlling }
        current.meet(remote.credentials)
        arm(.patience, after: configuration.patience, at: now)
        if peer.probesRandomPorts {
            for component in 1...components {
                arm(.birthday(component: component), after: configuration.birthdayDelay, at: now)
            }
        }
        var effects = learn(remote.candidates)
        effects += formPairs()
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
        let bound = bases.first { $0.endpoint == base && $0.transport == .udp }
        guard let known = bound ?? searchingBase(at: base) else { return [.ignored(.unknownBase)] }
        guard isAllowed(known) else { return [.ignored(.policy)] }
        let message: Message
        do { message = try Message(datagram) } catch { return [.ignored(.malformed(error))] }
        let source = source.unmapped
        let arrival = Arrival(path: .datagram(from: base, to: source), source: source, component: known.component)
        return receive(message, arrival, at: now)
    }

    /// Sends application data: one datagram over the selected or else the best valid pair, or frames over the
    /// selected connection. On TCP nothing is sent before a pair is selected, as a stream cannot move to another one.
    public mutating func send(_ payload: [UInt8], component: Int, at now: Instant) -> [Effect] {
        guard isChecking || (state == .new && former != nil) else { return [.ignored(.wrongState)] }
        guard (1...components).contains(component) else { return [.ignored(.noPath)] }
        if case .stream = selections[component - 1]?.pair.path, payload.isEmpty { return [] }
        guard let path = usablePair(component: component, at: now)?.path else { return [.ignored(.noPath)] }
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

    /// The pair application data may travel on now: the selected one, or before the nomination the best one over UDP
    /// that a check of ours has succeeded on (RFC 8445 §12.1), which hides the round trip of the nomination; over UDP
    /// for as long as the last answer stands for consent.
    public func usablePair(component: Int, at now: Instant) -> SelectedPair? {
        guard (1...components).contains(component), isAlive else { return nil }
        if let selection = selections[component - 1] { return hasConsent(selection, at: now) ? selection.pair : nil }
        guard let pair = checkList.bestValid(component: component), let local = pair.validLocal,
            let path = path(of: pair), case .datagram = path, let verified = pair.lastVerified,
            configuration.consent.map({ verified.duration(to: now) < $0.expiry }) ?? true
        else { return nil }
        return SelectedPair(local: local, remote: pair.remote, path: path)
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

    /// Whether pairs are checked, or were until one was selected.
    var isChecking: Bool { state == .checking || state == .completed }

    /// Whether the session is neither failed nor closed.
    var isAlive: Bool { isChecking || state == .new }

    /// Fails the session; what was selected is not sent on any more.
    mutating func fail(_ failure: Failure) -> [Effect] {
        state = .failed(failure)
        selections = Array(repeating: nil, count: components)
        return abandon() + [.failed(failure)]
    }

    /// Drops everything that would still act by itself.
    private mutating func abandon() -> [Effect] {
        let effects = connections.map { Effect.disconnect($0.id) } + (1...components).flatMap { endSearch($0) }
        connections = []
        transactions = []
        triggered = []
        earlyChecks = []
        resolutions = []
        timers = TimerTable()
        return effects
    }

    /// Gives up, unless every component has a valid pair and only the peer's nomination is missing, or all are still
    /// served by pairs from before a restart: then everything stays as it was.
    private mutating func patienceIsOver(at now: Instant) -> [Effect] {
        guard state == .checking else { return [] }
        let isNearlyDone = (1...components).allSatisfy {
            currentSelection($0) != nil || checkList.bestValid(component: $0) != nil
        }
        if isNearlyDone, !nominationWasAwaited {
            nominationWasAwaited = true
            arm(.patience, after: configuration.nominationPatience, at: now)
            return []
        }
        guard selections.allSatisfy({ $0 != nil }) else { return fail(.noPath) }
        state = .completed
        return [.ignored(.noPath)]
    }
}
