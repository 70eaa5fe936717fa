internal import SansIO

/// Puts: values on their way to the closest nodes of a search.
extension DHT {
    /// Stores at the leading nodes that have a token: no closer one is left to ask before them.
    mutating func storeAtClosest(_ search: inout Search, _ facts: StepFacts) {
        guard !search.puts.isEmpty else { return }
        let end = endOfLeading(search, configuration.replication, facts)
        for put in search.puts {
            for index in 0..<end where search.nodes[index].isUsable { storeIfDue(put, &search, index, at: facts.now) }
        }
    }

    /// The position after the closest usable nodes up to the `count`-th that counts, as far as all of them have answered, or
    /// gave their token before and are as near as the closest must be.
    func endOfLeading(_ search: Search, _ count: Int, _ facts: StepFacts) -> Int {
        var (spread, counted) = (facts.spread, 0)
        for index in search.nodes.indices where !search.nodes[index].isExpired {
            let counts = spread.counts(search.nodes[index].prefix, fraction: search.nodes[index].fraction)
            guard !search.nodes[index].isSlow else { continue }
            guard counted < count, search.isSynced(index, after: facts.freshAfter),
                search.isExplored(index, after: facts.freshAfter)
                    || isNear(search.nodes[index].fraction, facts.size)
            else { return index }
            if counts { counted += 1 }
        }
        return search.nodes.count
    }

    private mutating func storeIfDue(_ put: OpenPut, _ search: inout Search, _ index: Int, at now: Instant) {
        guard isStoreDue(put, search, index, at: now) else { return }
        let step = storeStep(put, search, index)
        guard step != .wait, step == .done || send(step, put, search, index, at: now) else { return }
        search.update(at: index) { node in
            node.removeStore(put.id)
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
        _ step: StoreStep, _ put: OpenPut, _ search: Search, _ index: Int, at now: Instant
    ) -> Bool {
        let (record, key, token) = (put.record, search.key.key, search.nodes[index].token)
        let purpose = PendingRequest.Purpose.store(search.key, put.id)
        guard step == .put else {
            let method = Request.Method.refresh(key: key, id: record.value.id, token: token)
            return request(method, to: search.known(index), purpose: purpose, at: now) != nil
        }
        let age = record.created.duration(to: now)
        let isOld = !record.isPermanent && age >= configuration.creationOmission
        let created = isOld ? clock.unixSeconds(at: record.created) : nil
        let isInside = travelsInside(count: 1, size: record.packed.count)
        let item = isInside ? ValueItem.packed(record.packed) : .announced(record.packed.count)
        let method = Request.Method.put(key: key, values: [item], token: token, created: created)
        let fragments = isInside ? [] : [record.packed]
        return request(method, to: search.known(index), values: fragments, purpose: purpose, at: now) != nil
    }

    /// When a permanent value must be stored again; `nil` for others, which are stored once.
    func refreshDue(_ record: PutRecord, _ store: SearchNode.Store) -> Instant? {
        guard record.isPermanent, let acknowledged = store.acknowledged else { return nil }
        let lifetime = record.value.type.policy.lifetime
        return acknowledged.advanced(by: max(lifetime - configuration.refreshMargin, lifetime / 2))
    }

    mutating func storeAnswered(_ operation: OperationID, by reply: Reply, in key: SearchKey, at now: Instant) {
        networks[key.family].nodes.update(reply.sender) { $0.tokenRefusals = 0 }
        guard let place = searches.index(forKey: key) else { return }
        searches.values[place].update(reply.sender) { node in
            node.wasHeard()
            for index in node.stores.indices where node.stores[index].operation == operation {
                (node.stores[index].acknowledged, node.stores[index].isPending) = (now, false)
            }
        }
        step(key, place, at: now)
    }
}
