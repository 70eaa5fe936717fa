public import SansIO

/// Coming into the network and staying there.
extension DHT {
    /// How well the node is connected in one family.
    public func status(of family: IPAddress.Family) -> Status { networks[family].status }

    /// Good nodes to remember for the next start, those closest to us first.
    public func goodNodes(_ family: IPAddress.Family, limit: Int, at now: Instant) -> [KnownNode] {
        networks[family].closestGood(to: nodeID, limit: max(0, limit), configuration: configuration, at: now)
            .map(\.known)
    }

    /// Pings `endpoints`, and again with growing pauses while disconnected. Legal at any time; endpoints add up.
    public mutating func bootstrap(_ endpoints: [Endpoint], at now: Instant) -> [Effect] {
        start(at: now)
        for endpoint in endpoints where !endpoint.isMartian && !bootstrapEndpoints.contains(endpoint) {
            guard bootstrapEndpoints.count < configuration.bootstrapLimit else { break }
            bootstrapEndpoints.append(endpoint)
        }
        bootstrapWait = configuration.bootstrapInterval
        pingBootstrapEndpoints(at: now)
        return flush()
    }

    /// Inserts nodes remembered from an earlier run, and pings them.
    public mutating func insert(_ nodes: [KnownNode], at now: Instant) -> [Effect] {
        start(at: now)
        for node in nodes where !node.endpoint.isMartian && node.id != nodeID && node.id != .zero {
            learn(node, .named, isClient: false, at: now)
            ping(node, at: now)
        }
        for family in IPAddress.Family.allCases { updateStatus(of: family, at: now) }
        return flush()
    }

    /// Reports that nothing can be sent to `endpoint` (ENETUNREACH, EHOSTUNREACH, EAFNOSUPPORT, EPIPE or EPERM).
    public mutating func sendFailed(to endpoint: Endpoint, at now: Instant) -> [Effect] {
        start(at: now)
        let owed = pending.values.filter { $0.endpoint == endpoint }.sorted { $0.transaction < $1.transaction }
        for request in owed where request.node == nil { _ = drop(request.transaction) }
        var failed: [NodeID] = []
        for request in owed {
            guard let node = request.node, !failed.contains(node) else { continue }
            failed.append(node)
            expireNode(node, endpoint.address.family, at: now)
        }
        updateStatus(of: endpoint.address.family, at: now)
        return flush()
    }

    /// Reports that local addresses or routes changed: what others saw of us is forgotten, and bootstrap starts over.
    public mutating func connectivityChanged(at now: Instant) -> [Effect] {
        start(at: now)
        observed.reset()
        bootstrapWait = configuration.bootstrapInterval
        pingBootstrapEndpoints(at: now)
        for family in IPAddress.Family.allCases {
            let width = configuration.searchWidth
            for node in networks[family].nodes.closest(to: nodeID, limit: width, where: { !$0.isExpired }) {
                ping(node.known, at: now)
            }
        }
        return flush()
    }

    // MARK: Bootstrap

    private mutating func pingBootstrapEndpoints(at now: Instant) {
        for endpoint in bootstrapEndpoints { pingUnknown(endpoint, at: now) }
        for family in IPAddress.Family.allCases { updateStatus(of: family, at: now) }
        scheduleBootstrap(at: now)
    }

    /// Bootstraps again later, unless connected by then.
    mutating func scheduleBootstrap(at now: Instant) {
        guard !bootstrapEndpoints.isEmpty, !isConnected, !timers.isSet(.bootstrap) else { return }
        timers.set(.bootstrap, at: now.advanced(by: bootstrapWait))
        bootstrapWait = min(bootstrapWait * 2, configuration.bootstrapIntervalLimit)
    }

    mutating func bootstrapAgain(at now: Instant) {
        guard !isConnected else { return bootstrapWait = configuration.bootstrapInterval }
        pingBootstrapEndpoints(at: now)
    }

    private var isConnected: Bool {
        IPAddress.Family.allCases.contains { networks[$0].status == .connected }
    }

    // MARK: Buckets

    /// Looks after one family's buckets: often while there is traffic, else rarely.
    mutating func maintain(_ family: IPAddress.Family, at now: Instant) {
        let wasActive = networks[family].wasActive
        networks[family].wasActive = false
        for index in networks[family].table.buckets.indices { maintainBucket(index, family, at: now) }
        if !networks[family].wasActive, let grew = networks[family].table.ownBucketGrew,
            grew.duration(to: now) < .seconds(150)
        {
            findNeighbours(family, at: now)
        }
        updateStatus(of: family, at: now)
        let pause: ClosedRange<Duration> =
            wasActive || networks[family].wasActive ? .seconds(5)...(.seconds(25)) : .seconds(60)...(.seconds(180))
        timers.set(.maintenance(family), at: now.advanced(by: random.duration(in: pause)))
    }

    /// Asks a member of a quiet bucket for others of its range, and a doubtful member whether it lives.
    private mutating func maintainBucket(_ index: Int, _ family: IPAddress.Family, at now: Instant) {
        let bucket = networks[family].table.buckets[index]
        let doubtful = bucket.members.first { id in
            guard let node = networks[family].nodes[id] else { return false }
            return !node.isExpired && node.pending.isEmpty && !node.isGood(configuration, at: now)
        }
        if let doubtful, let node = networks[family].nodes[doubtful] { ping(node.known, at: now) }
        let isQuiet = bucket.refreshed.map { $0.duration(to: now) > configuration.hearingFreshness } ?? true
        guard isQuiet || bucket.members.isEmpty else { return }
        let target = bucket.randomTarget(using: &random)
        guard let node = helper(for: index, family) else { return }
        networks[family].table.touch(bucketOf: target, at: now)
        let wantsBoth = Int.random(in: 0..<38, using: &random) == 0
        request(.find(target: target, want: wantsBoth ? [.v4, .v6] : nil), to: node, purpose: .maintenance, at: now)
    }

    /// A living member of a bucket, or now and then, or for want of one, of a neighbouring bucket.
    private mutating func helper(for index: Int, _ family: IPAddress.Family) -> KnownNode? {
        let buckets = networks[family].table.buckets
        var candidates = buckets[index].members
        if candidates.isEmpty || Int.random(in: 0..<8, using: &random) == 0 {
            let neighbours = [index + 1, index - 1].filter(buckets.indices.contains)
            candidates = neighbours.map { buckets[$0].members }.first { !$0.isEmpty } ?? candidates
        }
        let living = candidates.filter { networks[family].nodes[$0]?.isExpired == false }
        return living.randomElement(using: &random).flatMap { networks[family].nodes[$0]?.known }
    }

    /// Asks a neighbour for nodes very close to us.
    private mutating func findNeighbours(_ family: IPAddress.Family, at now: Instant) {
        let target = nodeID.keeping(NodeID.bitCount - 8, then: .random(using: &random))
        let index = networks[family].table.bucketIndex(of: nodeID)
        guard let node = helper(for: index, family) else { return }
        request(.find(target: target, want: [.v4, .v6]), to: node, purpose: .maintenance, at: now)
    }

    // MARK: Expiry

    /// Forgets dead nodes, silent listeners, bans and idle rate counters.
    mutating func expireEverything(at now: Instant) {
        for family in IPAddress.Family.allCases {
            let (nodes, configuration) = (networks[family].nodes, configuration)
            let candidates = networks[family].table.removeAll { id in
                guard let node = nodes[id] else { return true }
                return node.isExpired && node.isStale(configuration, at: now)
            }
            removeUselessNodes(family, at: now)
            for candidate in candidates { ping(candidate, at: now) }
            updateStatus(of: family, at: now)
        }
        listeners.removeAll(renewedBefore: now.advanced(by: .zero - configuration.listenerLifetime))
        bans.expire(at: now)
        rate.forgetIdle(at: now)
        timers.set(.expiry, at: now.advanced(by: random.duration(in: .seconds(120)...(.seconds(360)))))
    }
}
