internal import SansIO

/// The way to the nodes closest to a key, in one family, for all operations on that key.
struct Search: Sendable {
    let key: SearchKey
    /// Sorted by distance to the key.
    private(set) var nodes: [SearchNode] = []
    var gets: [OperationID] = []
    var puts: [OperationID] = []
    var listens: [OperationID] = []
    /// Whether the search fills the routing table around our own identifier.
    var isForTable = false
    var refilled: Instant?

    init(_ key: SearchKey) { self.key = key }

    /// Whether nothing wants an answer any more.
    var isIdle: Bool { gets.isEmpty && puts.isEmpty && listens.isEmpty && !isForTable }

    /// Whether nodes must be known with a token, not only be asked once.
    var wantsTokens: Bool { !puts.isEmpty || !listens.isEmpty || isForTable }

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

    /// Adds a node, or learns that it moved or came back; the farthest goes when there are too many.
    mutating func insert(_ node: KnownNode, isSlow: Bool, limit: Int) {
        let index = position(of: node.id)
        if index < nodes.count, nodes[index].id == node.id {
            nodes[index].isExpired = false
            nodes[index].move(to: node.endpoint)
            return
        }
        guard index < limit else { return }
        nodes.insert(SearchNode(node, isSlow: isSlow), at: index)
        if nodes.count > limit { nodes.removeLast() }
    }

    mutating func update(_ id: NodeID, _ change: (inout SearchNode) -> Void) {
        guard let index = index(of: id) else { return }
        change(&nodes[index])
    }

    mutating func update(at index: Int, _ change: (inout SearchNode) -> Void) { change(&nodes[index]) }

    /// Forgets all traces of an operation; returns the listen sockets that served it.
    mutating func remove(_ operation: OperationID) -> [UInt32] {
        gets.removeAll { $0 == operation }
        puts.removeAll { $0 == operation }
        listens.removeAll { $0 == operation }
        var sockets: [UInt32] = []
        for index in nodes.indices { sockets += nodes[index].remove(operation) }
        return sockets
    }

    /// The closest nodes that count: not expired, and not slow.
    ///
    /// While fewer than `quorum` of them satisfy `hasAnswered`, slow nodes count too until their second attempt is due:
    /// giving up on them earlier could miss the only copy.
    func closestCounting(_ count: Int, quorum: Int, hasAnswered: (SearchNode) -> Bool) -> [SearchNode] {
        var answered = 0
        for node in nodes where !node.isExpired && hasAnswered(node) { answered += 1 }
        var closest: [SearchNode] = []
        for node in nodes where !node.isExpired && closest.count < count {
            if hasAnswered(node) || !(node.isVerySlow || node.isSlow && answered >= quorum) { closest.append(node) }
        }
        return closest
    }
}

/// A node as one search sees it.
struct SearchNode: Sendable {
    /// A get or find that was not answered yet.
    struct Lookup: Sendable {
        let transaction: UInt32
        let operation: OperationID?
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
    var token: [UInt8] = []
    /// When the node last answered with a token.
    var synced: Instant?
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

    init(_ node: KnownNode, isSlow: Bool) {
        id = node.id
        endpoint = node.endpoint
        self.isSlow = isSlow
    }

    /// Tokens are bound to the endpoint that got them, but not to the one that gave them: only the address changes.
    mutating func move(to endpoint: Endpoint) { self.endpoint = endpoint }

    func isSynced(_ configuration: Configuration, at now: Instant) -> Bool {
        guard let synced, !token.isEmpty else { return false }
        return synced.duration(to: now) < configuration.tokenFreshness
    }

    /// Whether a lookup for `operation` is under way.
    func isAsked(for operation: OperationID?) -> Bool { lookups.contains { $0.operation == operation } }

    func probe(of operation: OperationID) -> Probe? { probes.first { $0.operation == operation } }

    /// Notes an answer of any kind.
    mutating func wasHeard() { (isExpired, isSlow, isVerySlow) = (false, false, false) }

    mutating func remove(_ operation: OperationID) -> [UInt32] {
        answered.removeAll { $0 == operation }
        stores.removeAll { $0.operation == operation }
        probes.removeAll { $0.operation == operation }
        let sockets = subscriptions.filter { $0.operation == operation }.map(\.socket)
        subscriptions.removeAll { $0.operation == operation }
        return sockets
    }
}
