internal import SansIO

/// What one listen reported, and which nodes still have it.
struct KnownValues: Sendable {
    /// Who has a value.
    enum Holder: Hashable, Sendable {
        /// Our own storage.
        case local
        /// The node behind a listen socket.
        case socket(UInt32)
    }

    private struct Version: Sendable {
        var value: Value
        var holders: [(holder: Holder, expires: Instant)]
    }

    private var versions: [Value.ID: [Version]] = [:]

    /// How many values are known.
    var count: Int { versions.count }

    /// Notes that `holder` has `value` until `expires`; returns whether the value is to be reported.
    mutating func insert(_ value: Value, at holder: Holder, until expires: Instant) -> Bool {
        var known = versions[value.id] ?? []
        if known.contains(where: { $0.value.supersedes(value) }) { return false }
        let same = known.firstIndex { $0.value.hasSameContent(as: value) }
        for index in known.indices where index != same { known[index].holders.removeAll { $0.holder == holder } }
        if let same {
            known[same].holders.removeAll { $0.holder == holder }
            known[same].holders.append((holder, expires))
        } else {
            known.append(Version(value: value, holders: [(holder, expires)]))
        }
        known.removeAll { $0.holders.isEmpty }
        versions[value.id] = known
        return same == nil
    }

    /// Notes that `holder` will keep `id` longer; `lifetime` is what the value's type lives.
    mutating func refresh(_ id: Value.ID, at holder: Holder, now: Instant) {
        guard var known = versions[id] else { return }
        for index in known.indices {
            guard let place = known[index].holders.firstIndex(where: { $0.holder == holder }) else { continue }
            known[index].holders[place].expires = now.advanced(by: known[index].value.type.policy.lifetime)
        }
        versions[id] = known
    }

    /// Notes that `holder` lost `id`; returns whether nobody has it any more.
    mutating func remove(_ id: Value.ID, at holder: Holder) -> Bool {
        guard var known = versions[id] else { return false }
        for index in known.indices { known[index].holders.removeAll { $0.holder == holder } }
        known.removeAll { $0.holders.isEmpty }
        versions[id] = known.isEmpty ? nil : known
        return known.isEmpty
    }

    /// Drops holders whose time is over; returns whether nobody has `id` any more.
    mutating func expire(_ id: Value.ID, at now: Instant) -> Bool {
        guard var known = versions[id] else { return false }
        for index in known.indices { known[index].holders.removeAll { $0.expires <= now } }
        known.removeAll { $0.holders.isEmpty }
        versions[id] = known.isEmpty ? nil : known
        return known.isEmpty
    }

    /// When the last holder of `id` loses it.
    func expiry(of id: Value.ID) -> Instant? {
        versions[id]?.flatMap { $0.holders.map(\.expires) }.max()
    }

    /// Whether exactly this content is known.
    func contains(_ value: Value) -> Bool {
        versions[value.id]?.contains { $0.value.hasSameContent(as: value) } ?? false
    }
}

extension Value {
    /// Whether `older` is an earlier edit of this signed value.
    fileprivate func supersedes(_ older: Value) -> Bool {
        guard let mine = body, let owner = mine.owner, let other = older.body, other.owner == owner else {
            return false
        }
        return mine.sequence > other.sequence
    }
}
