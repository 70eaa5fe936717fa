internal import SansIO

/// The nodes one family keeps alive: dense around our own identifier, sparse elsewhere.
struct RoutingTable: Sendable {
    /// What came of offering a node.
    enum Insertion: Hashable {
        case present
        case inserted
        /// No room; a member that may be dead should be asked, so that the newcomer can take its place.
        case questioned(NodeID)
        case refused
    }

    private(set) var buckets = [Bucket(first: .zero, depth: 0)]
    /// When the bucket of our own identifier last got a member.
    private(set) var ownBucketGrew: Instant?

    /// The bucket whose range holds `id`.
    func bucketIndex(of id: NodeID) -> Int {
        var (low, high) = (0, buckets.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if id < buckets[middle].first { high = middle } else { low = middle }
        }
        return low
    }

    /// Offers a node; `isReply` says that it just answered us.
    mutating func insert(
        _ node: KnownNode, own: NodeID, isReply: Bool, nodes: NodeTable, configuration: Configuration, at now: Instant
    ) -> Insertion {
        guard !isMember(node.id, isReply: isReply, at: now) else { return .present }
        let index = bucketIndex(of: node.id)
        guard !isCrowded(buckets[index], around: node, nodes: nodes, configuration: configuration) else {
            return .refused
        }
        let isOwn = buckets[index].contains(own)
        if buckets[index].members.count < configuration.replication {
            buckets[index].members.insert(node.id, at: 0)
            if isOwn { ownBucketGrew = now }
            return .inserted
        }
        if let expired = buckets[index].members.firstIndex(where: { nodes[$0]?.isExpired ?? true }) {
            buckets[index].members[expired] = node.id
            return .inserted
        }
        let freshness = Freshness(configuration, at: now)
        let doubtful = buckets[index].members.first { nodes[$0]?.isGood(freshness) != true }
        if isOwn, doubtful == nil || buckets.count == 1, buckets[index].depth < NodeID.bitCount - 1 {
            buckets.insert(buckets[index].split(), at: index + 1)
            return insert(node, own: own, isReply: isReply, nodes: nodes, configuration: configuration, at: now)
        }
        buckets[index].candidate = node
        guard let doubtful, nodes[doubtful]?.isIdle == true else { return .refused }
        return .questioned(doubtful)
    }

    /// Whether `id` is a member of its bucket; `isReply` says that it just answered us.
    mutating func isMember(_ id: NodeID, isReply: Bool, at now: Instant) -> Bool {
        let index = bucketIndex(of: id)
        if isReply { buckets[index].refreshed = now }
        return buckets[index].members.contains(id)
    }

    /// Whether the address prefix of `node` has as many members of the bucket as one party may have.
    private func isCrowded(
        _ bucket: Bucket, around node: KnownNode, nodes: NodeTable, configuration: Configuration
    ) -> Bool {
        guard let prefix = AddressPrefix(node.endpoint.address) else { return false }
        var count = 0
        for id in bucket.members {
            guard let member = nodes[id], AddressPrefix(member.endpoint.address) == prefix else { continue }
            count += 1
        }
        return count >= configuration.bucketMembersPerPrefix
    }

    /// Removes members for which `isObsolete` holds; returns the candidates that may take their places.
    mutating func removeAll(where isObsolete: (NodeID) -> Bool) -> [KnownNode] {
        var candidates: [KnownNode] = []
        for index in buckets.indices {
            let count = buckets[index].members.count
            buckets[index].members.removeAll(where: isObsolete)
            guard buckets[index].members.count < count, let candidate = buckets[index].candidate else { continue }
            buckets[index].candidate = nil
            candidates.append(candidate)
        }
        return candidates
    }

    /// Notes that the bucket of `id` was looked after.
    mutating func touch(bucketOf id: NodeID, at now: Instant) { buckets[bucketIndex(of: id)].refreshed = now }

    /// Whether the bucket of `id` is not full.
    func hasRoom(for id: NodeID, configuration: Configuration) -> Bool {
        buckets[bucketIndex(of: id)].members.count < configuration.replication
    }

    /// Whether `id` is a member of a bucket.
    func contains(_ id: NodeID) -> Bool { buckets[bucketIndex(of: id)].members.contains(id) }
}
