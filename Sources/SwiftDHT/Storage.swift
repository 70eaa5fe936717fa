internal import SansIO

/// The values this node keeps, for others and for itself.
///
/// What others store is limited in all, by address and by prefix; what goes first is what the greediest address has that
/// would vanish first. A key that is full makes room the same way, so that nobody can close it to others.
struct Storage: Sendable {
    /// Names one stored value.
    struct Slot: Hashable, Sendable {
        let key: InfoHash
        let id: Value.ID
    }

    /// One stored value.
    struct Entry: Sendable {
        let value: Value
        /// Bytes of the packed value.
        let packedSize: Int
        /// When it was created or last refreshed.
        var created: Instant
        /// When it vanishes; `nil` while we put it permanently ourselves.
        var expires: Instant?
        /// Who sent it; `nil` when we did.
        let source: IPAddress?

        init(_ value: Value, created: Instant, expires: Instant?, source: IPAddress?) {
            (self.value, self.created, self.expires, self.source) = (value, created, expires, source)
            packedSize = value.packed.count
        }
    }

    /// The values of one key, oldest slot first; identifiers apart, so that looking one up touches little memory.
    private struct Shelf {
        var ids: [Value.ID] = []
        var entries: [Entry] = []

        mutating func append(_ entry: Entry) {
            ids.append(entry.value.id)
            entries.append(entry)
        }
    }

    /// How much one source stores, and what of it vanishes first.
    private struct Usage {
        var bytes = 0
        var order = TimerTable<Slot>()
    }

    private var shelves: [InfoHash: Shelf] = [:]
    private var expiry = TimerTable<Slot>()
    private var usage: [SourceGroup: Usage] = [:]
    /// Bytes by prefix; networks that are not the Internet's have none, and no limit of their own.
    private var prefixes: [AddressPrefix: Int] = [:]
    /// Sources by usage, the largest first: its "instants" are negative byte counts.
    private var ranking = TimerTable<SourceGroup>()
    /// Bytes of memory that others' values take.
    private(set) var bytes = 0
    /// How many values are stored.
    private(set) var count = 0

    /// When the next value expires.
    var deadline: Instant? { expiry.deadline }
    /// How many keys have values.
    var keyCount: Int { shelves.count }
    /// All keys, sorted.
    var keys: [InfoHash] { shelves.keys.sorted() }

    /// Whether any value was stored at `key`.
    func knows(_ key: InfoHash) -> Bool { shelves[key] != nil }

    /// All values at `key`, oldest slot first.
    func entries(at key: InfoHash) -> [Entry] { shelves[key]?.entries ?? [] }

    func entry(_ slot: Slot) -> Entry? {
        guard let shelf = shelves[slot.key], let index = shelf.ids.firstIndex(of: slot.id) else { return nil }
        return shelf.entries[index]
    }

    /// Writes a slot, whatever was in it. Returns whether it was written, and which others had to go for it.
    mutating func store(
        _ entry: Entry, at key: InfoHash, configuration: Configuration
    ) -> (isStored: Bool, displaced: [Slot]) {
        let slot = Slot(key: key, id: entry.value.id)
        var displaced: [Slot] = []
        if let ids = shelves[key]?.ids {
            if ids.contains(slot.id) {
                _ = remove(slot)
            } else if ids.count >= configuration.valuesPerKeyLimit {
                guard let victim = mostCommon(at: key, newcomer: entry.source) else { return (false, []) }
                displaced.append(victim)
                _ = remove(victim)
            }
        } else if shelves.count >= configuration.keyLimit {
            return (false, [])
        }
        shelves[key, default: Shelf()].append(entry)
        count += 1
        if let expires = entry.expires { expiry.set(slot, at: expires) }
        guard let source = entry.source else { return (true, displaced) }
        charge(source, entry.value.footprint, for: slot, expires: entry.expires)
        displaced += makeRoom(after: source, configuration: configuration)
        return (!displaced.contains(slot), displaced)
    }

    /// The soonest-expiring value at `key` of the source that has most there, unless the newcomer has as many.
    private func mostCommon(at key: InfoHash, newcomer: IPAddress?) -> Slot? {
        guard let entries = shelves[key]?.entries else { return nil }
        var counts: [SourceGroup: Int] = [:]
        for entry in entries { if let source = entry.source { counts[SourceGroup(source), default: 0] += 1 } }
        var victim: (entry: Entry, count: Int)?
        for entry in entries {
            guard let source = entry.source, let expires = entry.expires else { continue }
            let count = counts[SourceGroup(source)] ?? 0
            if let best = victim, (-best.count, best.entry.expires ?? expires) <= (-count, expires) { continue }
            victim = (entry, count)
        }
        let own = newcomer.map { counts[SourceGroup($0)] ?? 0 } ?? 0
        guard let victim, victim.count > own else { return nil }
        return Slot(key: key, id: victim.entry.value.id)
    }

    /// Removes what is over a limit since `source` stored something.
    private mutating func makeRoom(after source: IPAddress, configuration: Configuration) -> [Slot] {
        let (group, prefix) = (SourceGroup(source), AddressPrefix(source))
        var removed: [Slot] = []
        while usage[group]?.bytes ?? 0 > configuration.storageLimitPerSource
            || prefix.flatMap({ prefixes[$0] }) ?? 0 > configuration.storageLimitPerPrefix,
            let slot = popFirst(of: group)
        {
            removed.append(slot)
        }
        while bytes > configuration.storageLimit, let greediest = ranking.first,
            let slot = popFirst(of: greediest)
        {
            removed.append(slot)
        }
        return removed
    }

    private mutating func popFirst(of group: SourceGroup) -> Slot? {
        guard let slot = usage[group]?.order.first else { return nil }
        _ = remove(slot)
        return slot
    }

    /// Notes that a value was stored again; `nil` for `expires` makes it permanent.
    mutating func extend(_ slot: Slot, created: Instant, to expires: Instant?) {
        guard let index = shelves[slot.key]?.ids.firstIndex(of: slot.id) else { return }
        shelves[slot.key]?.entries[index].created = created
        shelves[slot.key]?.entries[index].expires = expires
        guard let expires else { return expiry.cancel(slot) }
        expiry.set(slot, at: expires)
        if let source = shelves[slot.key]?.entries[index].source {
            usage[SourceGroup(source)]?.order.set(slot, at: expires)
        }
    }

    /// Removes one value.
    mutating func remove(_ slot: Slot) -> Entry? {
        guard let index = shelves[slot.key]?.ids.firstIndex(of: slot.id),
            let entry = shelves[slot.key]?.entries.remove(at: index)
        else { return nil }
        shelves[slot.key]?.ids.remove(at: index)
        if shelves[slot.key]?.ids.isEmpty == true { shelves[slot.key] = nil }
        count -= 1
        expiry.cancel(slot)
        if let source = entry.source { discharge(source, entry.value.footprint, for: slot) }
        return entry
    }

    /// Removes and returns the next value that is due.
    mutating func popExpired(at now: Instant) -> Slot? {
        guard let slot = expiry.popDue(at: now) else { return nil }
        _ = remove(slot)
        return slot
    }

    private mutating func charge(_ source: IPAddress, _ size: Int, for slot: Slot, expires: Instant?) {
        let group = SourceGroup(source)
        bytes += size
        if let prefix = AddressPrefix(source) { prefixes[prefix, default: 0] += size }
        usage[group, default: Usage()].bytes += size
        usage[group]?.order.set(slot, at: expires ?? .init(nanoseconds: .max))
        rank(group)
    }

    private mutating func discharge(_ source: IPAddress, _ size: Int, for slot: Slot) {
        let group = SourceGroup(source)
        bytes -= size
        if let prefix = AddressPrefix(source) {
            prefixes[prefix] = prefixes[prefix].flatMap { $0 > size ? $0 - size : nil }
        }
        usage[group]?.bytes -= size
        usage[group]?.order.cancel(slot)
        rank(group)
    }

    private mutating func rank(_ group: SourceGroup) {
        guard let used = usage[group], used.order.count > 0 else {
            usage[group] = nil
            return ranking.cancel(group)
        }
        ranking.set(group, at: Instant(nanoseconds: -Int64(used.bytes)))
    }
}
