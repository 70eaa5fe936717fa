internal import SansIO

/// What is stored here, and who hears about it.
extension DHT {
    /// Whether a value another node sends is stored here already, which prolongs its life, or too old to be.
    mutating func isKept(_ value: Value, _ arrival: Examinations.Arrival, at now: Instant) -> Bool {
        let created = creation(arrival.created, at: now)
        guard created.advanced(by: value.type.policy.lifetime) > now else { return true }
        let slot = Storage.Slot(key: arrival.key, id: value.id)
        guard let known = storage.entry(slot), known.value.hasSameContent(as: value) else { return false }
        refresh(slot, created: created, at: now)
        return true
    }

    /// Stores a value of another node, if its type's rules allow.
    mutating func store(
        _ value: Value, _ examination: Examination, _ arrival: Examinations.Arrival, at now: Instant
    ) {
        let (key, source) = (arrival.key, arrival.source.address)
        let policy = value.type.policy
        let created = creation(arrival.created, at: now)
        let expires = created.advanced(by: policy.lifetime)
        guard let admitted = policy.admitted(value, examination, at: key, from: source) else { return }
        let slot = Storage.Slot(key: key, id: value.id)
        if let known = storage.entry(slot) {
            guard !known.value.hasSameContent(as: admitted) else { return refresh(slot, created: created, at: now) }
            guard known.value.type.policy.permitsEdit(of: known.value, to: admitted, examination) else { return }
        }
        // Our own permanent value keeps living as ours when somebody stores a later edit of it.
        guard
            storage.store(
                admitted, at: key, expires: expires, source: SourceGroup(source), configuration: configuration)
        else { return }
        counters.valuesStored += 1
        while let excess = storage.popExcess(limit: configuration.storageLimit) { announceLoss(of: excess, at: now) }
        announce(slot, at: now)
    }

    /// Stores a value of our own, so that we answer for it like any other node.
    mutating func storeOwn(_ record: PutRecord, at key: InfoHash, at now: Instant) {
        let slot = Storage.Slot(key: key, id: record.value.id)
        let expires = record.isPermanent ? nil : record.created.advanced(by: record.value.type.policy.lifetime)
        if let known = storage.entry(slot), known.source != nil, !known.value.hasSameContent(as: record.value) {
            let rules = known.value.type.policy
            guard rules.permitsEdit(of: known.value, to: record.value, .needless) else { return }
        }
        guard storage.store(record.value, at: key, expires: expires, source: nil, configuration: configuration) else {
            return
        }
        announce(slot, at: now)
    }

    /// When a value was created: as its sender says, but never in the future.
    private func creation(_ created: Int64?, at now: Instant) -> Instant {
        guard let created else { return now }
        let age = clock.unixSeconds(at: now).subtractingReportingOverflow(created)
        guard !age.overflow else { return Instant(nanoseconds: .min) }
        guard age.partialValue > 0 else { return now }
        return now.advanced(by: .zero - .seconds(min(age.partialValue, 1 << 32)))
    }

    /// A value was stored again without change: it lives on, and listeners hear that.
    mutating func refresh(_ slot: Storage.Slot, created: Instant, at now: Instant) {
        guard let entry = storage.entry(slot) else { return }
        let expires = created.advanced(by: entry.value.type.policy.lifetime)
        if let old = entry.expires { storage.extend(slot, to: max(old, expires)) }
        for listener in listeners[slot.key] { push(refreshed: slot.id, at: slot.key, to: listener, at: now) }
        for operation in localListens[slot.key] ?? [] {
            refreshKnownValue(slot.id, of: operation, at: .local, now: now)
        }
    }

    /// Tells everyone who listens about a value that is new or changed.
    private mutating func announce(_ slot: Storage.Slot, at now: Instant) {
        guard let entry = storage.entry(slot) else { return }
        for listener in listeners[slot.key] where listener.query.matches(entry.value) {
            push([entry.packed], at: slot.key, to: listener, at: now)
        }
        for operation in localListens[slot.key] ?? [] { reportLocal(entry, to: operation, at: now) }
    }

    /// Tells everyone who listens that a value is gone.
    private mutating func announceLoss(of slot: Storage.Slot, at now: Instant) {
        for listener in listeners[slot.key] { push(expired: slot.id, at: slot.key, to: listener, at: now) }
        for operation in localListens[slot.key] ?? [] { forgetKnownValue(slot.id, of: operation, at: .local) }
    }

    /// Drops values whose time is over.
    mutating func expireValues(at now: Instant) {
        while let slot = storage.popExpired(at: now) { announceLoss(of: slot, at: now) }
    }

    // MARK: Pushes to listeners

    /// Pushes values, as many messages as it takes.
    mutating func push(_ packed: [[UInt8]], at key: InfoHash, to listener: RemoteListener, at now: Instant) {
        var start = 0
        while start < packed.count {
            var (end, size) = (start, 0)
            while end < packed.count, end == start || size + packed[end].count <= configuration.pushLimit {
                size += packed[end].count
                end += 1
            }
            pushPart(Array(packed[start..<end]), at: key, to: listener, at: now)
            start = end
        }
    }

    private mutating func pushPart(_ packed: [[UInt8]], at key: InfoHash, to listener: RemoteListener, at now: Instant)
    {
        let (items, fragments) = layout(packed)
        guard listener.acknowledges else {
            var reply = Reply(sender: nodeID, observed: listener.endpoint.address)
            reply.token = tokens.token(for: listener.endpoint)
            reply.values = items
            answer(reply, listener.socket, to: listener.endpoint)
            return sendFragments(of: fragments, transaction: listener.socket, to: listener.endpoint, at: now)
        }
        var update = Update(socket: listener.socket)
        update.key = key
        update.version = 1
        update.values = items
        push(update, fragments, at: key, to: listener, at: now)
    }

    private mutating func push(
        refreshed: Value.ID? = nil, expired: Value.ID? = nil, at key: InfoHash, to listener: RemoteListener,
        at now: Instant
    ) {
        var update = Update(socket: listener.socket)
        if let refreshed { update.refreshed = [refreshed] }
        if let expired { update.expired = [expired] }
        guard !listener.acknowledges else { return push(update, [], at: key, to: listener, at: now) }
        let legacy = LegacyUpdate(
            sender: nodeID, token: tokens.token(for: listener.endpoint), refreshed: update.refreshed,
            expired: update.expired)
        send(encode(.update(legacy), transaction: listener.socket), to: listener.endpoint)
    }

    private mutating func push(
        _ update: Update, _ fragments: [[UInt8]], at key: InfoHash, to listener: RemoteListener, at now: Instant
    ) {
        var update = update
        update.token = tokens.token(for: listener.endpoint)
        counters.pushesSent += 1
        let node = KnownNode(id: listener.node, endpoint: listener.endpoint)
        request(.update(update), to: node, values: fragments, purpose: .push(key), at: now)
    }
}
