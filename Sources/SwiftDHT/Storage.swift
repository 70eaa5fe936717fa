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
        /// When it was created or last refreshed.
        var created: Instant
        /// When it vanishes; `nil` while we put it permanently ourselves.
        var expires: Instant?
        /// Who sent it; `nil` when we did.
        let source: IPAddress?
        /// Names what was said last of when it vanishes.
        fileprivate(set) var stamp: UInt64 = 0

        init(_ value: Value, created: Instant, expires: Instant?, source: IPAddress?) {
            (self.value, self.created, self.expires, self.source) = (value, created, expires, source)
        }

        /// Bytes of the packed value.
        var packedSize: Int { value.packedSize }
    }

    /// The values of one key, oldest slot first; identifiers apart, so that looking one up touches little memory.
    private struct Shelf {
        var ids: [Value.ID] = []
        var entries: [Entry] = []

        mutating func append(_ entry: Entry, stamp: UInt64) {
            ids.append(entry.value.id)
            entries.append(entry)
            entries[entries.count - 1].stamp = stamp
        }
    }

    /// What was said of when a value vanishes; stale when the value has another stamp now, or is gone.
    struct End: Sendable {
        let slot: Slot
        let stamp: UInt64
    }

    /// Values by when they vanish. Stale ends stay inside for a while, as taking them out costs more than they do.
    typealias Ends = DeadlineHeap<End>

    private var shelves: [InfoHash: Shelf] = [:]
    /// The ends of all values; the first is not stale.
    private var ends = Ends()
    private var lastStamp: UInt64 = 0
    private var usage = StorageUsage()
    /// How many values are stored.
    private(set) var count = 0

    /// Bytes of memory that others' values take.
    var bytes: Int { usage.bytes }
    /// When the next value expires.
    var deadline: Instant? { ends.first?.deadline }
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
        lastStamp += 1
        shelves[key, default: Shelf()].append(entry, stamp: lastStamp)
        count += 1
        let end = End(slot: slot, stamp: lastStamp)
        if let expires = entry.expires { ends.insert(end, at: expires) }
        guard let source = entry.source else { return (true, displaced) }
        usage.add(entry.value.footprint, end, at: entry.expires ?? Instant(nanoseconds: .max), from: source)
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
        var removed: [Slot] = []
        while usage.isOverLimit(source, configuration), let slot = removeFirst(of: SourceGroup(source)) {
            removed.append(slot)
        }
        while usage.bytes > configuration.storageLimit, let greediest = usage.greediest,
            let slot = removeFirst(of: greediest)
        {
            removed.append(slot)
        }
        return removed
    }

    /// Removes the value of a source that vanishes first.
    private mutating func removeFirst(of group: SourceGroup) -> Slot? {
        while let end = usage.takeFirstEnd(of: group) {
            guard !Self.isStale(end, shelves) else { continue }
            _ = remove(end.element.slot)
            return end.element.slot
        }
        return nil
    }

    /// Notes that a value was stored again, and when it vanishes now.
    mutating func extend(_ slot: Slot, created: Instant, to expires: Instant) {
        guard let index = shelves[slot.key]?.ids.firstIndex(of: slot.id) else { return }
        lastStamp += 1
        shelves[slot.key]?.entries[index].created = created
        shelves[slot.key]?.entries[index].expires = expires
        shelves[slot.key]?.entries[index].stamp = lastStamp
        let end = End(slot: slot, stamp: lastStamp)
        ends.insert(end, at: expires)
        let source = shelves[slot.key]?.entries[index].source
        if let source { usage.move(end, to: expires, from: source) }
        dropStaleEnds(of: slot, from: source)
    }

    /// Removes one value.
    mutating func remove(_ slot: Slot) -> Entry? {
        guard let index = shelves[slot.key]?.ids.firstIndex(of: slot.id),
            let entry = shelves[slot.key]?.entries.remove(at: index)
        else { return nil }
        shelves[slot.key]?.ids.remove(at: index)
        if shelves[slot.key]?.ids.isEmpty == true { shelves[slot.key] = nil }
        count -= 1
        if let source = entry.source { usage.remove(entry.value.footprint, from: source) }
        dropStaleEnds(of: slot, from: entry.source)
        return entry
    }

    /// Removes and returns the next value that is due.
    mutating func popExpired(at now: Instant) -> Slot? {
        guard let end = ends.first, end.deadline <= now else { return nil }
        _ = remove(end.element.slot)
        return end.element.slot
    }

    private static func isStale(_ end: Ends.Entry, _ shelves: [InfoHash: Shelf]) -> Bool {
        let slot = end.element.slot
        guard let shelf = shelves[slot.key], let index = shelf.ids.firstIndex(of: slot.id) else { return true }
        return shelf.entries[index].stamp != end.element.stamp
    }

    /// Lets the first end be true and stale ones be few, after the value in `slot` went or lives longer.
    private mutating func dropStaleEnds(of slot: Slot, from source: IPAddress?) {
        if ends.first?.element.slot == slot {
            while let first = ends.first, Self.isStale(first, shelves) { ends.removeFirst() }
        }
        if ends.isSparse(living: count) { ends.removeAll { [shelves] in Self.isStale($0, shelves) } }
        if let source { usage.tidy(source) { [shelves] in Self.isStale($0, shelves) } }
    }
}
