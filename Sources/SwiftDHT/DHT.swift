public import SansIO

/// One node of the network, in IPv4 and IPv6 at the same time.
///
/// Give it every datagram of its sockets, carry out the effects it returns in order, and call ``advance(to:)`` at
/// ``deadline``. Gets, puts and listens may be started at any time; while nobody is known they wait for a connection.
/// Nothing is delivered or stored that its signer did not sign, which the driver finds out on another thread; encrypted
/// values are handed over as they are.
public struct DHT: Machine {
    /// What the node waits for.
    enum Timer: Hashable, Sendable {
        case request(UInt32)
        case search(SearchKey)
        case operation(OperationID)
        case knownValue(OperationID, Value.ID)
        case maintenance(IPAddress.Family)
        case transfer(Transfers.Name)
        case expiry
        case storage
        case secret
        case reconnect(IPAddress.Family)
        case fragments
    }

    /// Where a search is; valid until one begins or ends.
    typealias SearchPlace = Dictionary<SearchKey, Search>.Index

    /// One of our listens at one node: pushes name nothing else.
    struct Socket: Sendable {
        let search: SearchKey
        let operation: OperationID
        let node: NodeID
    }

    /// The identifier under which this node is known.
    public let nodeID: NodeID
    /// What the node does and how much it holds.
    public let configuration: Configuration
    /// Examines values in place; `nil` leaves that to the driver.
    let verifier: (any ValueVerifier)?
    let clock: WallClock
    let origin: PacketFrame.Origin

    var random: RandomSource
    /// Numbers that nobody can foretell, for what is drawn with every request.
    var numbers: RandomNumbers
    var timers = TimerTable<Timer>()
    /// Effects of the input being worked on.
    var outbox: [Effect] = []
    private var isStarted = false
    /// When ``advance(to:)`` next has something to do; `nil` before the first input.
    ///
    /// Kept, not computed: a driver asks after every input, and would copy the whole node to do so.
    public private(set) var deadline: Instant?

    var networks: Networks
    var pending: [UInt32: PendingRequest] = [:]
    var searches: [SearchKey: Search] = [:]
    /// Searches that nothing needs any more, the longest idle first.
    var idleSearches: [SearchKey] = []
    var operations: [OperationID: Operation] = [:]
    /// Our listens by key, as the local storage notifies them.
    var localListens: [InfoHash: [OperationID]] = [:]
    var sockets: [UInt32: Socket] = [:]

    var storage = Storage()
    var examinations = Examinations()
    var handovers = Handovers()
    var listeners = RemoteListeners()
    var transfers = Transfers()
    var fragments = FragmentQueue()
    var tokens: TokenMint
    var rate = RateLimit()
    var refusals = SecondCount()
    var proofs = ProvenAddresses()
    var withheld = WithheldRequests()
    var bans = BanList()
    var observed = ObservedAddresses()
    var bootstrapEndpoints: [Endpoint] = []

    /// What happened so far.
    public internal(set) var counters = Counters()

    /// Creates a node that knows nobody.
    ///
    /// `clock` says when values were created; an error of minutes makes short-lived values vanish. With a `verifier`,
    /// signatures are checked in place, as simulations may; without, each check is an ``Effect/examine(_:as:)``.
    public init(
        configuration: Configuration = Configuration(), id: NodeID, verifier: (any ValueVerifier)? = nil,
        clock: WallClock, random: RandomSource
    ) {
        self.configuration = configuration
        nodeID = id
        origin = PacketFrame.Origin(
            network: configuration.network, isClient: configuration.isClient, agent: configuration.agent)
        self.verifier = verifier
        self.clock = clock
        self.random = random
        tokens = TokenMint(random: &self.random)
        numbers = RandomNumbers(random: &self.random)
        networks = Networks(configuration)
    }

    /// Fires every timer due: repeats requests, renews listens, refreshes values and drops old ones.
    public mutating func advance(to now: Instant) -> [Effect] {
        while let timer = timers.popDue(at: now) { fire(timer, at: now) }
        expireValues(at: now)
        return flush()
    }

    /// Takes one datagram; legal at any time, from anybody.
    public mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [Effect] {
        start(at: now)
        counters.datagramsReceived += 1
        if let reason = take(datagram, from: source.unmapped, at: now) {
            counters.datagramsIgnored += 1
            outbox.append(.ignored(reason))
        }
        return flush()
    }

    /// Sets the periodic timers at the first input, as there is no time before.
    mutating func start(at now: Instant) {
        guard !isStarted else { return }
        isStarted = true
        let first = random.duration(in: .seconds(3)...(.seconds(5)))
        for family in IPAddress.Family.allCases { timers.set(.maintenance(family), at: now.advanced(by: first)) }
        timers.set(.expiry, at: now.advanced(by: random.duration(in: .seconds(120)...(.seconds(360)))))
        timers.set(.secret, at: now.advanced(by: random.duration(in: configuration.tokenInterval)))
        timers.set(.storage, at: now.advanced(by: random.duration(in: configuration.maintenanceInterval)))
    }

    /// Hands over the effects collected, and says when the next are due; the end of every input.
    mutating func flush() -> [Effect] {
        let (first, expiry) = (timers.deadline, storage.deadline)
        deadline = if let first, let expiry { min(first, expiry) } else { first ?? expiry }
        guard !outbox.isEmpty else { return [] }
        defer { outbox = [] }
        return outbox
    }

    private mutating func fire(_ timer: Timer, at now: Instant) {
        switch timer {
        case .request(let transaction): requestTimedOut(transaction, at: now)
        case .search(let key): stepIsDue(key, at: now)
        case .operation(let operation): operationTimedOut(operation, at: now)
        case .knownValue(let operation, let id): expireKnownValue(id, of: operation, at: now)
        case .maintenance(let family): maintain(family, at: now)
        case .transfer(let name): transferTimedOut(name, at: now)
        case .expiry: expireEverything(at: now)
        case .storage: maintainStorage(at: now)
        case .secret:
            tokens.rotate(random: &random)
            timers.set(.secret, at: now.advanced(by: random.duration(in: configuration.tokenInterval)))
        case .reconnect(let family): reconnect(family, at: now)
        case .fragments: sendFragments(at: now)
        }
    }
}
