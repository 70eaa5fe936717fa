public import SansIO

extension DHT {
    /// What a node keeps beyond one run: its identifier, nodes to begin with, the values it stores, and its user's
    /// permanent puts.
    public struct State: Hashable, Sendable {
        /// One stored value.
        public struct StoredValue: Hashable, Sendable {
            /// The key it is stored at.
            public var key: InfoHash
            /// The value.
            public var value: Value
            /// When it was created or last refreshed, in nanoseconds since the Unix epoch.
            public var created: Int64
            /// When it vanishes, in nanoseconds since the Unix epoch.
            public var expires: Int64
            /// The address it came from; `nil` when that is not known.
            public var source: IPAddress?

            /// Joins the parts.
            public init(key: InfoHash, value: Value, created: Int64, expires: Int64, source: IPAddress?) {
                (self.key, self.value, self.created, self.expires, self.source) = (key, value, created, expires, source)
            }
        }

        /// One permanent put, to be started anew.
        public struct PermanentPut: Hashable, Sendable {
            /// The key.
            public var key: InfoHash
            /// The value.
            public var value: Value

            /// Joins the parts.
            public init(key: InfoHash, value: Value) { (self.key, self.value) = (key, value) }
        }

        /// The node's identifier, which the next run should have too.
        public var id: NodeID
        /// Nodes that were good, the closest first.
        public var nodes: [KnownNode]
        /// Values stored for others.
        public var values: [StoredValue]
        /// The user's permanent puts, in the order they were begun.
        public var puts: [PermanentPut]

        /// Joins the parts.
        public init(
            id: NodeID, nodes: [KnownNode] = [], values: [StoredValue] = [], puts: [PermanentPut] = []
        ) {
            (self.id, self.nodes, self.values, self.puts) = (id, nodes, values, puts)
        }

        /// How many nodes of one family are kept.
        public static let nodeLimit = 256
    }

    /// What to keep for the next run.
    public func state(at now: Instant) -> State {
        var state = State(id: nodeID)
        for family in IPAddress.Family.allCases { state.nodes += goodNodes(family, limit: State.nodeLimit, at: now) }
        for key in storage.keys {
            for entry in storage.entries(at: key) {
                guard let source = entry.source, let expires = entry.expires else { continue }
                state.values.append(
                    .init(
                        key: key, value: entry.value, created: clock.unixNanoseconds(at: entry.created),
                        expires: clock.unixNanoseconds(at: expires), source: source))
            }
        }
        for id in operations.keys.sorted() {
            guard let operation = operations[id], case .put(let record) = operation.kind, record.isPermanent else {
                continue
            }
            state.puts.append(.init(key: operation.key, value: record.value))
        }
        return state
    }

    /// Takes over nodes and values of an earlier run: pings the nodes, and stores the values that still live.
    ///
    /// Legal at any time; what is stored already stays. The identifier is for ``init(configuration:id:verifier:clock:random:)``,
    /// and permanent puts are for the caller to begin, who names operations. Values are trusted no more than those that
    /// arrive by the network: signatures and limits are checked.
    public mutating func restore(_ state: State, at now: Instant) -> [Effect] {
        start(at: now)
        for stored in state.values {
            let life = Examinations.Life(
                created: instant(stored.created, at: now), expires: instant(stored.expires, at: now))
            guard stored.value.id.rawValue != 0, life.expires > now else { continue }
            guard storage.entry(Storage.Slot(key: stored.key, id: stored.value.id)) == nil else { continue }
            let source = stored.source ?? .unspecified(.v4)
            if !examine(stored.value, for: .restore(stored.key, life, source), at: now) {
                outbox.append(.ignored(.overLimit))
            }
        }
        return flush() + insert(state.nodes, at: now)
    }

    /// Stores a value of an earlier run; its life ends when it would have, or when its type's does.
    mutating func restore(
        _ value: Value, _ examination: Examination, at key: InfoHash, _ life: Examinations.Life,
        from source: IPAddress, at now: Instant
    ) {
        let slot = Storage.Slot(key: key, id: value.id)
        let policy = value.type.policy
        // The address in a service announcement was put there when it was stored.
        guard storage.entry(slot) == nil, let admitted = policy.admitted(value, examination, at: key, from: nil) else {
            return
        }
        let expires = min(life.expires, now.advanced(by: policy.lifetime))
        let entry = Storage.Entry(admitted, created: min(life.created, now), expires: expires, source: source)
        if write(entry, at: key, at: now) { announce(entry, at: key, at: now) }
    }

    /// The instant of a civil time, in nanoseconds since the Unix epoch.
    private func instant(_ unixNanoseconds: Int64, at now: Instant) -> Instant {
        let (ahead, overflow) = unixNanoseconds.subtractingReportingOverflow(clock.unixNanoseconds(at: now))
        guard !overflow else { return Instant(nanoseconds: unixNanoseconds < 0 ? .min : .max) }
        return now.advanced(by: .nanoseconds(ahead))
    }
}
