internal import SansIO

/// Our listens: what others push to us.
extension DHT {
    /// Takes news from a storing node. It was acknowledged already: late news for ended listens is normal.
    mutating func take(_ update: Update, from sender: KnownNode, at now: Instant) -> Reason? {
        guard let socket = sockets[update.socket], socket.node == sender.id else { return .unsolicited }
        if !update.token.isEmpty {
            searches[socket.search]?.update(sender.id) { ($0.token, $0.synced) = (update.token, now) }
        }
        let holder = KnownValues.Holder.socket(update.socket)
        for case .whole(let value) in update.values {
            report(value, to: socket.operation, from: holder, until: nil, at: now)
        }
        for id in update.refreshed { refreshKnownValue(id, of: socket.operation, at: holder, now: now) }
        for id in update.expired { forgetKnownValue(id, of: socket.operation, at: holder) }
        return nil
    }

    /// Reports a value of our own storage to one of our listens.
    mutating func reportLocal(_ entry: Storage.Entry, to operation: OperationID, at now: Instant) {
        let expires = entry.expires ?? Instant(nanoseconds: .max)
        report(entry.value, to: operation, from: .local, until: expires, at: now)
    }

    private mutating func report(
        _ value: Value, to id: OperationID, from holder: KnownValues.Holder, until expires: Instant?, at now: Instant
    ) {
        guard case .listen(let query, let known)? = operations[id]?.kind, query.matches(value) else { return }
        if known.contains(value) { return report(genuine: value, to: id, from: holder, until: expires, at: now) }
        guard known.count < configuration.knownValueLimit,
            examine(value, for: .listen(id, holder, until: expires), at: now)
        else { return outbox.append(.ignored(.overLimit)) }
    }

    mutating func report(
        genuine value: Value, to id: OperationID, from holder: KnownValues.Holder, until expires: Instant?,
        at now: Instant
    ) {
        guard case .listen(let query, var known)? = operations[id]?.kind else { return }
        let expires = expires ?? now.advanced(by: value.type.policy.lifetime)
        let isNews = known.insert(value, at: holder, until: expires)
        if let expiry = known.expiry(of: value.id) { timers.set(.knownValue(id, value.id), at: expiry) }
        operations[id]?.kind = .listen(query, known: known)
        if isNews { outbox.append(.value(value, for: id)) }
    }

    mutating func refreshKnownValue(
        _ value: Value.ID, of id: OperationID, at holder: KnownValues.Holder, now: Instant
    ) {
        guard case .listen(let query, var known)? = operations[id]?.kind else { return }
        known.refresh(value, at: holder, now: now)
        if let expiry = known.expiry(of: value) { timers.set(.knownValue(id, value), at: expiry) }
        operations[id]?.kind = .listen(query, known: known)
    }

    /// A holder lost a value; it is reported as gone when nobody else has it.
    mutating func forgetKnownValue(_ value: Value.ID, of id: OperationID, at holder: KnownValues.Holder) {
        guard case .listen(let query, var known)? = operations[id]?.kind else { return }
        guard known.remove(value, at: holder) else {
            operations[id]?.kind = .listen(query, known: known)
            return
        }
        operations[id]?.kind = .listen(query, known: known)
        timers.cancel(.knownValue(id, value))
        outbox.append(.expired(value, for: id))
    }

    mutating func expireKnownValue(_ value: Value.ID, of id: OperationID, at now: Instant) {
        guard case .listen(let query, var known)? = operations[id]?.kind else { return }
        let isGone = known.expire(value, at: now)
        if let expiry = known.expiry(of: value) { timers.set(.knownValue(id, value), at: expiry) }
        operations[id]?.kind = .listen(query, known: known)
        if isGone { outbox.append(.expired(value, for: id)) }
    }
}
