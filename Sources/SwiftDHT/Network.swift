internal import SansIO

/// What one family of addresses is to us: its nodes, and how well we are connected to them.
struct Network: Sendable {
    let family: IPAddress.Family
    var nodes = NodeTable()
    var table = RoutingTable()
    var tokens = KnownTokens()
    var status = DHT.Status.disconnected
    /// How long answers of all nodes take.
    var roundTrip = RoundTrip()
    /// How many nodes there are.
    var size = SizeEstimate()
    /// Whether a request left since the last maintenance.
    var wasActive = false
    /// Bootstrap pings that are not answered yet.
    var bootstrapPings = 0
    /// Nodes that answered once and were forgotten, the latest last.
    var former: [KnownNode] = []
    /// The wait before the next attempt to come back into the network.
    var reconnectWait: Duration
    var silence = Silence()
    /// When room was last made for new nodes.
    var swept: Instant?
    /// The keys of all searches, sorted; nodes that appear are offered to them.
    var searchKeys: [InfoHash] = []

    init(family: IPAddress.Family, configuration: Configuration) {
        self.family = family
        reconnectWait = configuration.bootstrapInterval
    }

    /// The position of the first search whose key is not below `id`.
    func searchPosition(of id: NodeID) -> Int {
        var (low, high) = (0, searchKeys.count)
        while low < high {
            let middle = (low + high) / 2
            if searchKeys[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Keeps a node that is forgotten otherwise.
    mutating func remember(_ node: KnownNode, limit: Int) {
        former.removeAll { $0.id == node.id }
        former.append(node)
        if former.count > limit { former.removeFirst() }
    }

    /// Good nodes, closest to `target` first.
    func closestGood(
        to target: NodeID, limit: Int, configuration: Configuration, at now: Instant
    ) -> [RemoteNode] {
        let freshness = Freshness(configuration, at: now)
        return nodes.closest(to: target, limit: limit) { $0.isGood(freshness) }
    }
}

/// Tells a few dead nodes from a family that is cut off: nobody is heard while one node after another is silent.
struct Silence: Sendable {
    /// How many nodes were given up since anybody was heard.
    private(set) var count = 0
    /// The count at which the nodes that were asked to make sure were given up, too; `nil` before they are asked.
    private var verdict: Int?

    /// Whether the family is cut off.
    var isTotal: Bool { verdict.map { count >= $0 } ?? false }

    /// Somebody was heard.
    mutating func end() { (count, verdict) = (0, nil) }

    /// A node was given up; `true` when others should be asked to make sure.
    mutating func deepens(limit: Int) -> Bool {
        count += 1
        return verdict == nil && count >= limit
    }

    /// Notes that so many nodes are asked to make sure.
    mutating func probe(_ probes: Int) { verdict = count + probes }
}

/// Both families' networks.
struct Networks: Sendable {
    /// IPv4, IPv6. An array, so that one is reached by its place: choosing between two fields copies the one that is read.
    private var both: [Network]

    init(_ configuration: Configuration) {
        both = [.v4, .v6].map { Network(family: $0, configuration: configuration) }
    }

    subscript(family: IPAddress.Family) -> Network {
        _read { yield both.span[family == .v4 ? 0 : 1] }
        _modify { yield &both[family == .v4 ? 0 : 1] }
    }
}
