public import SansIO

/// Staying in the network.
extension DHT {
    /// How well the node is connected in one family.
    public func status(of family: IPAddress.Family) -> Status { networks[family].status }

    /// Good nodes to remember for the next start, those closest to us first.
    public func goodNodes(_ family: IPAddress.Family, limit: Int, at now: Instant) -> [KnownNode] {
        networks[family].closestGood(to: nodeID, limit: max(0, limit), configuration: configuration, at: now)
            .map(\.known)
    }

    /// How many nodes the network of one family has, as far as the distances between identifiers tell.
    ///
    /// The median of what our own neighbourhood and those of the keys last searched say: right within a third most of
    /// the time, exact while fewer than ``Configuration/replication`` nodes are known, 1 while none is.
    public func estimatedSize(of family: IPAddress.Family, at now: Instant) -> Int {
        let good = goodNodes(family, limit: configuration.replication, at: now)
        guard good.count == configuration.replication else { return good.count + 1 }
        let size = networks[family].size.median(at: now) ?? ownNeighbourhoodSize(family, at: now) ?? 0
        return max(good.count, Int(min(size.rounded(), 1e15))) + 1
    }

    /// What the distances of the nodes around us say of the network's size; `nil` while too few are known.
    private func ownNeighbourhoodSize(_ family: IPAddress.Family, at now: Instant) -> Double? {
        let good = goodNodes(family, limit: configuration.replication, at: now)
        guard good.count == configuration.replication, let last = good.last else { return nil }
        return SizeEstimate.size(rank: good.count, fraction: last.id.distance(to: nodeID).fraction)
    }

    /// Looks at our own neighbourhood anew.
    mutating func estimateSize(_ family: IPAddress.Family, at now: Instant) {
        networks[family].size.observeOwn(ownNeighbourhoodSize(family, at: now))
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
        estimateSize(family, at: now)
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
            return !node.isExpired && node.isIdle && !node.isGood(configuration, at: now)
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
            lookForLostNodes(family, at: now)
            networks[family].tokens.removeAll(givenBefore: now.rewound(by: configuration.tokenFreshness))
            updateStatus(of: family, at: now)
        }
        listeners.removeAll(renewedBefore: now.advanced(by: .zero - configuration.listenerLifetime))
        bans.expire(at: now)
        rate.forgetIdle(at: now)
        proofs.expire(at: now)
        timers.set(.expiry, at: now.advanced(by: random.duration(in: .seconds(120)...(.seconds(360)))))
    }
}
