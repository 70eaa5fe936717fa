internal import SansIO

/// The way to the nodes closest to a key, in one family, for all operations on that key.
struct Search: Sendable {
    /// How many nodes a search keeps: in all, of one address prefix, and closer to the key than is plausible.
    struct Limits {
        let nodes, nodesPerPrefix, implausibleNodes: Int

        init(_ configuration: Configuration) {
            nodes = configuration.searchNodeLimit
            nodesPerPrefix = configuration.searchNodesPerPrefix
            implausibleNodes = configuration.implausibleNodeLimit
        }
    }

    let key: SearchKey
    /// Sorted by distance to the key.
    private(set) var nodes: [SearchNode] = []
    var gets: [OperationID] = []
    var puts: [OpenPut] = []
    var listens: [OperationID] = []
    /// Whether the search fills the routing table around our own identifier.
    var isForTable = false
    var refilled: Instant?
    /// When it is forgotten, while nothing needs it.
    var idleUntil: Instant?
    /// When its timer fires.
    var nextStep: Instant?

    init(_ key: SearchKey) { self.key = key }

    /// Whether nothing wants an answer any more.
    var isIdle: Bool { gets.isEmpty && puts.isEmpty && listens.isEmpty && !isForTable }

    /// Whether nodes must be known with a token, not only be asked once.
    var wantsTokens: Bool { !puts.isEmpty || !listens.isEmpty || isForTable }

    // Nodes are looked at by position and one fact at a time, since copies of them cost more than what is looked for.

    /// Whether the node at `index` owes an answer that is not overdue.
    func isAwaited(_ index: Int) -> Bool {
        !nodes[index].lookups.isEmpty && !nodes[index].isSlow && !nodes[index].isExpired
    }

    /// Whether the node at `index` owes an answer that is overdue.
    func isLate(_ index: Int) -> Bool {
        !nodes[index].lookups.isEmpty && nodes[index].isSlow && !nodes[index].isExpired
    }

    /// Whether the node at `index` gave a token after `instant`.
    func isSynced(_ index: Int, after instant: Instant) -> Bool {
        guard let synced = nodes[index].synced else { return false }
        return synced > instant
    }

    /// Whether the node at `index` answered a lookup of this search after `instant`.
    func isExplored(_ index: Int, after instant: Instant) -> Bool {
        guard let explored = nodes[index].explored else { return false }
        return explored > instant
    }

    /// Whether the node at `index` acknowledged what `operation` puts.
    func hasStored(_ operation: OperationID, _ index: Int) -> Bool {
        nodes[index].stores.contains { $0.operation == operation && $0.acknowledged != nil }
    }

    /// The node at `index` as others name it.
    func known(_ index: Int) -> KnownNode { KnownNode(id: nodes[index].id, endpoint: nodes[index].endpoint) }

    /// How many of its nodes are not known to be dead.
    var livingCount: Int { nodes.count { !$0.isExpired } }

    private func position(of id: NodeID) -> Int {
        var (low, high) = (0, nodes.count)
        while low < high {
            let middle = (low + high) / 2
            if nodes[middle].id.isCloser(to: key.key, than: id) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func index(of id: NodeID) -> Int? {
        let index = position(of: id)
        return index < nodes.count && nodes[index].id == id ? index : nil
    }

    /// Whether a node is there already, as it is named, and not known to be dead.
    func holds(_ node: KnownNode) -> Bool {
        guard let index = index(of: node.id) else { return false }
        return nodes[index].endpoint == node.endpoint && !nodes[index].isExpired
    }

    /// Adds a node, or learns that it moved or came back. Returns whom it displaced: the farthest when there are too
    /// many in all, of an address prefix, or of those that are closer than a network of `size` nodes explains.
    ///
    /// - Parameter token: one that the node gave already.
    mutating func insert(
        _ node: KnownNode, isSlow: Bool, token: KnownTokens.Entry?, size: Double?, _ limits: Limits
    ) -> SearchNode? {
        let index = position(of: node.id)
        if index < nodes.count, nodes[index].id == node.id {
            nodes[index].isExpired = false
            nodes[index].move(to: node.endpoint)
            return nil
        }
        var old: SearchNode?
        if let displaced = displaced(by: node, size: size, limits) {
            // The farther one of the two stays out; a place further back moves by one.
            guard index <= displaced else { return nil }
            old = nodes.remove(at: displaced)
        }
        let newcomer = SearchNode(node, isSlow: isSlow, token: token, key: key.key)
        // The usual case while a search is filled, and cheaper than an insertion that moves nothing.
        if index == nodes.count { nodes.append(newcomer) } else { nodes.insert(newcomer, at: index) }
        return old
    }

    /// The position of the node that has to go for a new one, be it the new one in its place; `nil` while there is room.
    private func displaced(by node: KnownNode, size: Double?, _ limits: Limits) -> Int? {
        if let prefix = AddressPrefix(node.endpoint.address) {
            let same = nodes.indices.filter { nodes[$0].prefix == prefix }
            if same.count >= limits.nodesPerPrefix { return same.last }
        }
        if let size, Spread.isImplausible(node.id.distance(to: key.key).fraction, in: size) {
            let same = nodes.indices.filter { nodes[$0].isImplausible(in: size) }
            if same.count >= limits.implausibleNodes { return same.last }
        }
        return nodes.count >= limits.nodes ? nodes.count - 1 : nil
    }

    mutating func update(_ id: NodeID, _ change: (inout SearchNode) -> Void) {
        guard let index = index(of: id) else { return }
        change(&nodes[index])
    }

    mutating func update(at index: Int, _ change: (inout SearchNode) -> Void) { change(&nodes[index]) }

    /// Notes that the end of a put was settled.
    mutating func finish(_ put: OperationID) {
        if let index = puts.firstIndex(where: { $0.id == put }) { puts[index].isFinished = true }
    }

    /// Forgets all traces of an operation; returns the listen sockets that served it.
    mutating func remove(_ operation: OperationID) -> [UInt32] {
        gets.removeAll { $0 == operation }
        puts.removeAll { $0.id == operation }
        listens.removeAll { $0 == operation }
        var sockets: [UInt32] = []
        for index in nodes.indices { sockets += nodes[index].remove(operation) }
        return sockets
    }

    /// How many closest nodes matter, and whether all of them satisfy `hasAnswered`: those not expired, and not passed over
    /// for being slow, up to the `count`-th that `spread` counts.
    ///
    /// Slow nodes are passed over once `quorum` others satisfy `hasAnswered`; with fewer, but at least one, only when
    /// their second attempt was in vain, too: giving up on them earlier could miss the only copy. Without a quorum, no
    /// node is passed over. With `countsSlow`, those passed over take their places all the same, and nobody is waited for in
    /// their stead.
    ///
    /// Nodes are named by their positions: this happens after every answer, and copies of nodes cost more than it does.
    func closestCounting(
        _ count: Int, quorum: Int?, countsSlow: Bool = false, _ spread: Spread, hasAnswered: (Int) -> Bool
    ) -> (count: Int, haveAllAnswered: Bool) {
        var answered = 0
        for index in nodes.indices where !nodes[index].isExpired && hasAnswered(index) { answered += 1 }
        var (spread, counted) = (spread, 0)
        var closest = (count: 0, haveAllAnswered: true)
        for index in nodes.indices where !nodes[index].isExpired && counted < count {
            let counts = spread.counts(nodes[index].prefix, fraction: nodes[index].fraction)
            if !hasAnswered(index) {
                guard !isPassedOver(index, quorum: quorum, answered: answered) else {
                    if countsSlow, counts { counted += 1 }
                    continue
                }
                closest.haveAllAnswered = false
            }
            closest.count += 1
            if counts { counted += 1 }
        }
        return closest
    }

    private func isPassedOver(_ index: Int, quorum: Int?, answered: Int) -> Bool {
        guard let quorum, answered > 0 else { return false }
        return nodes[index].isVerySlow || nodes[index].isSlow && answered >= quorum
    }

    /// Whether all of the closest nodes, slow ones too, satisfy `isDone`.
    func isDoneEverywhere(_ count: Int, _ spread: Spread, _ isDone: (Int) -> Bool) -> Bool {
        closestCounting(count, quorum: nil, spread, hasAnswered: isDone).haveAllAnswered
    }
}

/// What the nodes of a search are to be asked.
struct Questions {
    /// How many of the closest nodes must answer this very search: all of them when it is about nodes.
    let explorations: Int
    let gets: [(OperationID, ValueQuery)]
    /// Puts that ask a node what it has.
    let probes: [OpenPut]
}

/// What one step of a search goes by: found out once for all nodes and operations.
struct StepFacts {
    let now: Instant
    /// A token given, or an answer, before is too old.
    let freshAfter: Instant
    /// How many nodes the network has, where that can be said.
    let size: Double?
    /// How many nodes of one address prefix count.
    let prefixLimit: Int

    /// What counts towards the closest nodes, from the first node on.
    var spread: Spread { Spread(prefixLimit: prefixLimit, size: size) }
}

/// A put that takes part in a search.
struct OpenPut: Sendable {
    let id: OperationID
    let record: PutRecord
    /// Whether its end was settled for the application already.
    var isFinished: Bool

    /// Whether it is done for the application, and goes on where nodes were slow.
    var isLingering: Bool { isFinished && record.kind == .once }
}

/// A node as one search sees it.
struct SearchNode: Sendable {
    /// A get or find that was not answered yet.
    struct Lookup: Sendable {
        let transaction: UInt32
        let question: PendingRequest.Question
    }

    /// Where a put stands at this node.
    struct Store: Sendable {
        let operation: OperationID
        /// When the node acknowledged; `nil` while it has not.
        var acknowledged: Instant?
        /// When the node was asked.
        var isPending: Bool
    }

    /// What a node answered when it was asked for the value of a put.
    struct Probe: Sendable {
        let operation: OperationID
        /// The sequence number of the edit it has; `nil` when it has none.
        let sequence: UInt16?
    }

    /// Where a listen stands at this node.
    struct Subscription: Sendable {
        let operation: OperationID
        let socket: UInt32
        /// When the node was last asked.
        var renewed: Instant
        var isPending: Bool
    }

    let id: NodeID
    private(set) var endpoint: Endpoint
    /// The prefix of its address; `nil` outside of the Internet.
    private(set) var prefix: AddressPrefix?
    /// Its distance to the key as a fraction of the space.
    let fraction: Double
    var token: [UInt8]
    /// When the node gave its token, to whatever search; `nil` without one.
    var synced: Instant?
    /// When the node last answered a lookup of this search; `nil` before.
    var explored: Instant?
    var isExpired = false
    /// Whether an answer is overdue: the next closest node is used in its place.
    var isSlow: Bool
    /// Whether the second attempt was due without an answer.
    var isVerySlow = false
    var lookups: [Lookup] = []
    var answered: [OperationID] = []
    var stores: [Store] = []
    /// Answers to probes that nothing was sent for yet.
    var probes: [Probe] = []
    var subscriptions: [Subscription] = []

    /// - Parameter token: one that the node gave to another search.
    init(_ node: KnownNode, isSlow: Bool, token: KnownTokens.Entry?, key: InfoHash) {
        (self.token, synced) = (token?.bytes ?? [], token?.given)
        id = node.id
        endpoint = node.endpoint
        prefix = AddressPrefix(node.endpoint.address)
        fraction = node.id.distance(to: key).fraction
        self.isSlow = isSlow
    }

    /// Tokens are bound to the endpoint that got them, but not to the one that gave them: only the address changes.
    mutating func move(to endpoint: Endpoint) {
        guard endpoint != self.endpoint else { return }
        (self.endpoint, prefix) = (endpoint, AddressPrefix(endpoint.address))
    }

    /// Whether it is asked as a matter of course.
    var isUsable: Bool { !isExpired && !isSlow }

    func isImplausible(in size: Double) -> Bool { Spread.isImplausible(fraction, in: size) }

    /// Whether a probe for the put `operation` is under way.
    func isProbed(for operation: OperationID) -> Bool { lookups.contains { $0.question == .probe(operation) } }

    /// Forgets the token, which is bound to an address we no longer have, and lets listens begin anew: what the node pushed
    /// to that address meanwhile, it tells a new listen only. Returns the sockets of the former ones.
    mutating func resynchronise() -> [UInt32] {
        (token, synced, explored) = ([], nil, nil)
        defer { subscriptions = [] }
        return subscriptions.map(\.socket)
    }

    func probe(of operation: OperationID) -> Probe? { probes.first { $0.operation == operation } }

    /// Notes an answer of any kind.
    mutating func wasHeard() { (isExpired, isSlow, isVerySlow) = (false, false, false) }

    mutating func remove(_ operation: OperationID) -> [UInt32] {
        if answered.contains(operation) { answered.removeAll { $0 == operation } }
        removeStore(operation)
        guard !subscriptions.isEmpty else { return [] }
        let sockets = subscriptions.filter { $0.operation == operation }.map(\.socket)
        subscriptions.removeAll { $0.operation == operation }
        return sockets
    }

    /// Forgets where a put stands. Looking first costs less than removing nothing, which is the usual case.
    mutating func removeStore(_ operation: OperationID) {
        if let index = stores.firstIndex(where: { $0.operation == operation }) { stores.remove(at: index) }
        if let index = probes.firstIndex(where: { $0.operation == operation }) { probes.remove(at: index) }
    }
}
