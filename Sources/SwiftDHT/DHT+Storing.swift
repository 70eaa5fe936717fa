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
        let entry = Storage.Entry(admitted, created: created, expires: expires, source: source)
        guard write(entry, at: key, at: now) else { return }
        counters.valuesStored += 1
        announce(entry, at: key, at: now)
    }

    /// Writes a value, and tells of those that had to make room for it; `false` when there is no room for it itself.
    mutating func write(_ entry: Storage.Entry, at key: InfoHash, at now: Instant) -> Bool {
        let (isStored, displaced) = storage.store(entry, at: key, configuration: configuration)
        for slot in displaced { announceLoss(of: slot, at: now) }
        if !isStored { outbox.append(.ignored(.overLimit)) }
        return isStored
    }

    /// Stores a value of our own, so that we answer for it like any other node.
    mutating func storeOwn(_ record: PutRecord, at key: InfoHash, at now: Instant) {
        let slot = Storage.Slot(key: key, id: record.value.id)
        let expires = record.isPermanent ? nil : record.created.advanced(by: record.value.type.policy.lifetime)
        if let known = storage.entry(slot), known.source != nil, !known.value.hasSameContent(as: record.value) {
            let rules = known.value.type.policy
            guard rules.permitsEdit(of: known.value, to: record.value, .needless) else { return }
        }
        let entry = Storage.Entry(record.value, created: record.created, expires: expires, source: nil)
        if write(entry, at: key, at: now) { announce(entry, at: key, at: now) }
    }

    /// When a value was created: as its sender says, but never in the future.
    func creation(_ created: Int64?, at now: Instant) -> Instant {
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
        if let old = entry.expires {
            storage.extend(slot, created: max(entry.created, created), to: max(old, expires))
        }
        for listener in listeners[slot.key] { push(refreshed: slot.id, at: slot.key, to: listener, at: now) }
        for operation in localListens[slot.key] ?? [] {
            refreshKnownValue(slot.id, of: operation, at: .local, now: now)
        }
    }

    /// Tells everyone who listens about a value that is new or changed.
    mutating func announce(_ entry: Storage.Entry, at key: InfoHash, at now: Instant) {
        for listener in listeners[key] where listener.query.matches(entry.value) {
            push([entry], at: key, to: listener, at: now)
        }
        for operation in localListens[key] ?? [] { reportLocal(entry, to: operation, at: now) }
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
    mutating func push(_ entries: [Storage.Entry], at key: InfoHash, to listener: RemoteListener, at now: Instant) {
        var start = 0
        while start < entries.count {
            var (end, size) = (start, 0)
            while end < entries.count, end == start || size + entries[end].packedSize <= configuration.pushLimit {
                size += entries[end].packedSize
                end += 1
            }
            pushPart(Array(entries[start..<end]), at: key, to: listener, at: now)
            start = end
        }
    }

    /// Whether stored values are few and small enough for one message.
    func travelInside(_ entries: [Storage.Entry]) -> Bool {
        var size = 0
        for index in entries.indices { size += entries.span[index].packedSize }
        return travelsInside(count: entries.count, size: size)
    }

    /// How stored values travel: inside the message, or announced by size and followed by fragments.
    func layout(_ entries: [Storage.Entry]) -> (items: [ValueItem], fragments: [[UInt8]]) {
        if travelInside(entries) { return (entries.map { .whole($0.value) }, []) }
        return (entries.map { .announced($0.packedSize) }, entries.map(\.value.packed))
    }

    private mutating func pushPart(
        _ entries: [Storage.Entry], at key: InfoHash, to listener: RemoteListener, at now: Instant
    ) {
        let (items, fragments) = layout(entries)
        guard listener.acknowledges else {
            var reply = Reply(sender: nodeID, seeing: listener.endpoint)
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
