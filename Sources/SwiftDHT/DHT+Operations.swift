public import SansIO

/// What the application asks for.
extension DHT {
    /// Looks for values at `key`, here and at the closest nodes.
    ///
    /// Values are reported as they arrive, each content once. The operation ends by itself, at the latest after
    /// ``Configuration/operationTimeout``. The selection of `query` is ignored: values are reported whole.
    public mutating func get(
        _ key: InfoHash, matching query: ValueQuery = .all, as operation: OperationID, at now: Instant
    ) -> [Effect] {
        start(at: now)
        let query = ValueQuery(where: query.conditions)
        guard open(operation, Operation(key: key, kind: .get(query, found: [:])), at: now) else { return flush() }
        for entry in storage.entries(at: key) { deliver(entry.value, to: operation, at: now) }
        begin(operation, at: now)
        return flush()
    }

    /// Looks for the fields that `query` selects, of the values at `key`: here and at the closest nodes.
    ///
    /// Rows are reported as they arrive, each content once; nobody vouches for them, as signatures cannot be checked. Ends
    /// like a get. Nodes that know nothing of selections answer with whole values, which are reduced here.
    public mutating func query(
        _ key: InfoHash, _ query: ValueQuery, as operation: OperationID, at now: Instant
    ) -> [Effect] {
        start(at: now)
        guard !query.select.isEmpty else { return refuse(operation) }
        guard open(operation, Operation(key: key, kind: .query(query, found: [])), at: now) else { return flush() }
        for entry in storage.entries(at: key) { deliver(entry.value, to: operation, at: now) }
        begin(operation, at: now)
        return flush()
    }

    /// Ends an operation that cannot be begun.
    private mutating func refuse(_ operation: OperationID) -> [Effect] {
        outbox.append(.finished(operation, .failed))
        return flush()
    }

    /// Stores `value` at the nodes closest to `key`, and here.
    ///
    /// A permanent value is stored again before its life ends, and at closer nodes as they appear, until cancelled.
    public mutating func put(
        _ value: Value, at key: InfoHash, permanently isPermanent: Bool = false, as operation: OperationID,
        at now: Instant
    ) -> [Effect] {
        start(at: now)
        let record = PutRecord(value, created: now, kind: isPermanent ? .permanent : .once)
        guard value.id.rawValue != 0, record.packed.count <= configuration.packedValueLimit else {
            return refuse(operation)
        }
        guard open(operation, Operation(key: key, kind: .put(record)), at: now) else { return flush() }
        storeOwn(record, at: key, at: now)
        begin(operation, at: now)
        return flush()
    }

    /// Reports the values at `key`, and how they come and go, until cancelled.
    ///
    /// The selection of `query` is ignored: values are reported whole.
    public mutating func listen(
        _ key: InfoHash, matching query: ValueQuery = .all, as operation: OperationID, at now: Instant
    ) -> [Effect] {
        start(at: now)
        let query = ValueQuery(where: query.conditions)
        guard open(operation, Operation(key: key, kind: .listen(query, known: KnownValues())), at: now) else {
            return flush()
        }
        localListens[key, default: []].append(operation)
        for entry in storage.entries(at: key) { reportLocal(entry, to: operation, at: now) }
        begin(operation, at: now)
        return flush()
    }

    /// Ends an operation without a further effect for it. A permanent value is left to live its type's life out.
    public mutating func cancel(_ operation: OperationID, at now: Instant) -> [Effect] {
        start(at: now)
        guard let record = operations.removeValue(forKey: operation) else {
            outbox.append(.ignored(.operationIdentifier))
            return flush()
        }
        timers.cancel(.operation(operation))
        for family in record.families { detach(operation, from: SearchKey(key: record.key, family: family), at: now) }
        switch record.kind {
        case .get, .query: break
        case .put(let put) where put.isPermanent:
            let slot = Storage.Slot(key: record.key, id: put.value.id)
            guard let entry = storage.entry(slot), entry.expires == nil else { break }
            storage.extend(slot, created: now, to: now.advanced(by: put.value.type.policy.lifetime))
        case .put: break
        case .listen:
            localListens[record.key]?.removeAll { $0 == operation }
            if localListens[record.key]?.isEmpty == true { localListens[record.key] = nil }
        }
        return flush()
    }

    /// Registers an operation; reports a refusal.
    private mutating func open(_ id: OperationID, _ operation: Operation, at now: Instant) -> Bool {
        if operations[id]?.isLingering == true { end(id, at: now) }
        guard operations[id] == nil else {
            outbox.append(.ignored(.operationIdentifier))
            return false
        }
        guard operations.count < configuration.operationLimit else {
            outbox.append(.finished(id, .failed))
            return false
        }
        operations[id] = operation
        if case .listen = operation.kind { return true }
        timers.set(.operation(id), at: now.advanced(by: configuration.operationTimeout))
        return true
    }

    /// Joins the searches of all connected families; waits for a connection when there are none.
    mutating func begin(_ operation: OperationID, at now: Instant) {
        for family in IPAddress.Family.allCases where networks[family].status == .connected {
            attach(operation, to: family, at: now)
        }
    }

    mutating func operationTimedOut(_ id: OperationID, at now: Instant) {
        guard let operation = operations[id] else { return }
        guard !operation.isLingering else { return end(id, at: now) }
        let outcome: Outcome =
            operation.answers > 0
            ? .completed(nodes: operation.answers) : operation.families.isEmpty ? .noNodes : .failed
        conclude(id, outcome, at: now)
    }

    /// Settles how a get or put ended. Permanent puts go on, and others for a while where nodes were slow.
    private mutating func conclude(_ id: OperationID, _ outcome: Outcome, at now: Instant) {
        guard let operation = operations[id], !operation.isFinished else { return }
        timers.cancel(.operation(id))
        operations[id]?.outcome = outcome
        for family in operation.families { searches[SearchKey(key: operation.key, family: family)]?.finish(id) }
        if operations[id]?.isLingering == true, case .completed = outcome,
            operations.count <= configuration.operationLimit / 2
        {
            outbox.append(.finished(id, outcome))
            return timers.set(.operation(id), at: now.advanced(by: configuration.lingering))
        }
        if !operation.isLasting { leaveSearches(id, at: now) }
        reportEndIfDue(of: id, at: now)
    }

    private mutating func leaveSearches(_ id: OperationID, at now: Instant) {
        guard let operation = operations[id] else { return }
        for family in operation.families {
            let key = SearchKey(key: operation.key, family: family)
            guard searches[key] != nil else { continue }
            remove(id, from: key)
            if searches[key]?.isIdle == true { rest(key, at: now) }
        }
    }

    /// Forgets a put whose end was reported.
    private mutating func end(_ id: OperationID, at now: Instant) {
        leaveSearches(id, at: now)
        timers.cancel(.operation(id))
        operations[id] = nil
    }

    /// Reports the end of an operation unless something it found is still being examined.
    mutating func reportEndIfDue(of id: OperationID, at now: Instant) {
        guard let operation = operations[id], let outcome = operation.outcome, !examinations.concern(id) else { return }
        if !operation.isLasting { operations[id] = nil }
        guard operation.isInternal else { return outbox.append(.finished(id, outcome)) }
        handovers.finish(id)
        startHandovers(at: now)
    }

    /// A put that was reported as done has nothing left to do in one family.
    mutating func put(_ id: OperationID, isSpreadIn key: SearchKey, at now: Instant) {
        remove(id, from: key)
        operations[id]?.families.removeAll { $0 == key.family }
        if operations[id]?.families.isEmpty == true { end(id, at: now) }
    }

    /// One family's search has nothing more to give to an operation.
    mutating func searchConcluded(_ id: OperationID, _ family: IPAddress.Family, answers: Int, at now: Instant) {
        guard operations[id]?.conclude(family, answers: answers) == true, let total = operations[id]?.answers else {
            return
        }
        conclude(id, total > 0 ? .completed(nodes: total) : .failed, at: now)
    }

    /// Reports a value to a get, once, unless its signature is wrong.
    mutating func deliver(_ value: Value, to id: OperationID, at now: Instant) {
        if case .query(let query, _)? = operations[id]?.kind, query.matches(value) {
            return deliver(FieldTable(selecting: query.select, of: [value]), to: id)
        }
        guard case .get(let query, let found)? = operations[id]?.kind, query.matches(value) else { return }
        let same = found[value.id] ?? []
        guard !same.contains(where: { $0.hasSameContent(as: value) }), found.count < configuration.knownValueLimit
        else { return }
        if !examine(value, for: .get(id), at: now) { outbox.append(.ignored(.overLimit)) }
    }

    /// Reports the rows of a table to a query, each once.
    mutating func deliver(_ table: FieldTable, to id: OperationID) {
        guard case .query(let query, var found)? = operations[id]?.kind else { return }
        for row in table.rows where found.count < configuration.knownValueLimit {
            guard row.has(query.select), found.insert(row).inserted else { continue }
            outbox.append(.row(row, for: id))
        }
        operations[id]?.kind = .query(query, found: found)
    }

    mutating func deliver(genuine value: Value, to id: OperationID) {
        guard case .get(let query, var found)? = operations[id]?.kind else { return }
        let same = found[value.id] ?? []
        guard !same.contains(where: { $0.hasSameContent(as: value) }) else { return }
        found[value.id] = same + [value]
        operations[id]?.kind = .get(query, found: found)
        outbox.append(.value(value, for: id))
    }
}
