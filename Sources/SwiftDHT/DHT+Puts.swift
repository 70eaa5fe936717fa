internal import SansIO

/// A put that takes part in a search.
struct OpenPut {
    let id: OperationID
    let record: PutRecord
    /// Whether its end was settled for the application already.
    let isFinished: Bool
}

/// Puts: values on their way to the closest nodes of a search.
extension DHT {
    /// Stores at the leading nodes that have a token: no closer one is left to ask before them.
    mutating func storeAtClosest(_ search: inout Search, _ puts: [OpenPut], at now: Instant) {
        guard !puts.isEmpty else { return }
        let leading = leading(search, configuration.replication, at: now)
        for put in puts {
            for index in leading { storeIfDue(put, &search, index, at: now) }
        }
    }

    /// The positions of the closest usable nodes up to the `count`-th that counts, as far as all of them have answered, or
    /// gave their token before and are as near as the closest must be.
    func leading(_ search: Search, _ count: Int, at now: Instant) -> [Int] {
        let freshAfter = now.rewound(by: configuration.tokenFreshness)
        let size = networks[search.key.family].size.plausible(at: now)
        var (spread, counted) = (spread(search.key.family, at: now), 0)
        var leading: [Int] = []
        for index in search.nodes.indices where !search.nodes[index].isExpired {
            let counts = spread.counts(search.nodes[index].prefix, fraction: search.nodes[index].fraction)
            guard !search.nodes[index].isSlow else { continue }
            guard counted < count, search.isSynced(index, after: freshAfter),
                search.isExplored(index, after: freshAfter) || isNear(search.nodes[index].fraction, size)
            else { break }
            leading.append(index)
            if counts { counted += 1 }
        }
        return leading
    }

    private mutating func storeIfDue(_ put: OpenPut, _ search: inout Search, _ index: Int, at now: Instant) {
        guard isStoreDue(put, search, index, at: now) else { return }
        let node = search.nodes[index]
        let step = storeStep(put.record, put.id, at: node)
        guard step != .wait, step == .done || send(step, put.record, put.id, to: node, in: search.key, at: now) else {
            return
        }
        search.update(at: index) { node in
            node.stores.removeAll { $0.operation == put.id }
            node.probes.removeAll { $0.operation == put.id }
            let isDone = step == .done
            node.stores.append(.init(operation: put.id, acknowledged: isDone ? now : nil, isPending: !isDone))
        }
    }

    /// Whether a node must be sent something for a put, now.
    func isStoreDue(_ put: OpenPut, _ search: Search, _ index: Int, at now: Instant) -> Bool {
        guard let store = search.nodes[index].stores.first(where: { $0.operation == put.id }) else { return true }
        guard !store.isPending, let due = refreshDue(put.record, store) else { return false }
        return due <= now
    }

    /// Sends a put or refresh; `false` when too much is under way.
    private mutating func send(
        _ step: StoreStep, _ record: PutRecord, _ operation: OperationID, to node: SearchNode, in key: SearchKey,
        at now: Instant
    ) -> Bool {
        let target = KnownNode(id: node.id, endpoint: node.endpoint)
        let purpose = PendingRequest.Purpose.store(key, operation)
        guard step == .put else {
            let method = Request.Method.refresh(key: key.key, id: record.value.id, token: node.token)
            return request(method, to: target, purpose: purpose, at: now) != nil
        }
        let (items, fragments) = layout([record.value.packed])
        let age = record.created.duration(to: now)
        let isOld = !record.isPermanent && age >= configuration.creationOmission
        let created = isOld ? clock.unixSeconds(at: record.created) : nil
        let method = Request.Method.put(key: key.key, values: items, token: node.token, created: created)
        return request(method, to: target, values: fragments, purpose: purpose, at: now) != nil
    }

    /// When a permanent value must be stored again; `nil` for others, which are stored once.
    func refreshDue(_ record: PutRecord, _ store: SearchNode.Store) -> Instant? {
        guard record.isPermanent, let acknowledged = store.acknowledged else { return nil }
        let lifetime = record.value.type.policy.lifetime
        return acknowledged.advanced(by: max(lifetime - configuration.refreshMargin, lifetime / 2))
    }

    mutating func storeAnswered(_ operation: OperationID, by reply: Reply, in key: SearchKey, at now: Instant) {
        networks[key.family].nodes.update(reply.sender) { $0.tokenRefusals = 0 }
        searches[key]?.update(reply.sender) { node in
            node.wasHeard()
            for index in node.stores.indices where node.stores[index].operation == operation {
                (node.stores[index].acknowledged, node.stores[index].isPending) = (now, false)
            }
        }
        step(key, at: now)
    }
}
