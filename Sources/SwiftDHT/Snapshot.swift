public import SansIO

extension DHT {
    /// What a node knows and does at one moment: for people who look into it, not for programs that decide.
    public struct Snapshot: Hashable, Sendable {
        /// What one family of addresses holds.
        public struct Network: Hashable, Sendable {
            /// The family.
            public var family: IPAddress.Family
            /// How well the node is connected.
            public var status: Status
            /// The buckets of the routing table, by their ranges.
            public var buckets: [Bucket]
            /// Nodes known in all, in buckets or not.
            public var knownNodes: Int
            /// Those of them that answered lately.
            public var goodNodes: Int
            /// How many nodes the network may have, this one among them.
            public var estimatedSize: Int
        }

        /// The nodes of one range of identifiers.
        public struct Bucket: Hashable, Sendable {
            /// The first identifier of the range.
            public var first: NodeID
            /// How many leading bits the identifiers of the range share.
            public var depth: Int
            /// The members, closest to the newest first.
            public var nodes: [Node]
        }

        /// A member of a bucket.
        public struct Node: Hashable, Sendable {
            /// How alive a node seems.
            public enum State: Hashable, Sendable {
                /// It answered lately.
                case good
                /// It was silent for a while, or never asked.
                case doubtful
                /// It did not answer.
                case expired
            }

            /// Where it is.
            public var node: KnownNode
            /// How alive it seems.
            public var state: State
            /// The smoothed round-trip time; `nil` before an answer.
            public var roundTrip: Duration?
            /// How long ago it was heard; `nil` if never.
            public var silence: Duration?
        }

        /// The way to the nodes closest to a key.
        public struct Search: Hashable, Sendable {
            /// The key.
            public var key: InfoHash
            /// The family.
            public var family: IPAddress.Family
            /// Nodes that may answer.
            public var nodes: Int
            /// Those of them that answered with a token that still counts.
            public var syncedNodes: Int
            /// The operations it serves.
            public var operations: [OperationID]
        }

        /// What is stored under one key.
        public struct Shelf: Hashable, Sendable {
            /// The key.
            public var key: InfoHash
            /// How many values.
            public var values: Int
            /// Their bytes.
            public var bytes: Int
        }

        /// The node's identifier.
        public var nodeID: NodeID
        /// IPv4, then IPv6.
        public var networks: [Network]
        /// By key, then family.
        public var searches: [Search]
        /// The first ``shelfLimit`` keys with values, in order.
        public var shelves: [Shelf]
        /// Keys with values.
        public var storedKeys: Int
        /// Values stored, our own among them.
        public var storedValues: Int
        /// Bytes stored for others.
        public var storedBytes: Int
        /// Gets, puts and listens under way.
        public var operations: Int
        /// What happened so far.
        public var counters: Counters

        /// How many keys a snapshot lists.
        public static let shelfLimit = 1024
    }

    /// What the node knows and does; costs time in proportion.
    public func snapshot(at now: Instant) -> Snapshot {
        Snapshot(
            nodeID: nodeID, networks: IPAddress.Family.allCases.map { network($0, at: now) },
            searches: searches.keys.sorted(by: Self.isBefore).compactMap { search($0, at: now) },
            shelves: storage.shelves(limit: Snapshot.shelfLimit), storedKeys: storage.keyCount,
            storedValues: storage.count, storedBytes: storage.bytes, operations: operations.count, counters: counters)
    }

    private func network(_ family: IPAddress.Family, at now: Instant) -> Snapshot.Network {
        let network = networks[family]
        let buckets = network.table.buckets.map { bucket in
            Snapshot.Bucket(
                first: bucket.first, depth: bucket.depth,
                nodes: bucket.members.compactMap { network.nodes[$0].map { member($0, at: now) } })
        }
        return Snapshot.Network(
            family: family, status: network.status, buckets: buckets, knownNodes: network.nodes.count,
            goodNodes: network.nodes.nodes.count { $0.isGood(configuration, at: now) },
            estimatedSize: estimatedSize(of: family, at: now))
    }

    private func member(_ node: RemoteNode, at now: Instant) -> Snapshot.Node {
        let state: Snapshot.Node.State =
            node.isExpired ? .expired : node.isGood(configuration, at: now) ? .good : .doubtful
        return Snapshot.Node(
            node: node.known, state: state, roundTrip: node.roundTrip.smoothed, silence: node.heard?.duration(to: now))
    }

    private func search(_ key: SearchKey, at now: Instant) -> Snapshot.Search? {
        guard let search = searches[key] else { return nil }
        let syncedAfter = now.rewound(by: configuration.tokenFreshness)
        let living = search.nodes.indices.filter { !search.nodes[$0].isExpired }
        return Snapshot.Search(
            key: key.key, family: key.family, nodes: living.count,
            syncedNodes: living.count { search.isSynced($0, after: syncedAfter) },
            operations: search.gets + search.puts.map(\.id) + search.listens)
    }

    private static func isBefore(_ left: SearchKey, _ right: SearchKey) -> Bool {
        left.key == right.key ? left.family == .v4 && right.family == .v6 : left.key < right.key
    }
}

extension Storage {
    /// What the first `limit` keys hold, in the order of the keys.
    fileprivate func shelves(limit: Int) -> [DHT.Snapshot.Shelf] {
        keys.prefix(limit).map { key in
            let entries = entries(at: key)
            return DHT.Snapshot.Shelf(
                key: key, values: entries.count, bytes: entries.reduce(0) { $0 + $1.packedSize })
        }
    }
}
