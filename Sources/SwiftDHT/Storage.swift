internal import SansIO

/// The values this node keeps, for others and for itself.
struct Storage: Sendable {
    /// Names one stored value.
    struct Slot: Hashable, Sendable {
        let key: InfoHash
        let id: Value.ID
    }

    /// One stored value.
    struct Entry: Sendable {
        var value: Value
        /// The packed value, as answers carry it.
        var packed: [UInt8]
        /// When it vanishes; `nil` while we put it permanently ourselves.
        var expires: Instant?
        /// Who sent it; `nil` when we did.
        var source: SourceGroup?
        var size: Int { value.size }
    }

    /// How much one source stores, and what of it vanishes first.
    private struct Usage {
        var bytes = 0
        var order = TimerTable<Slot>()
    }

    private var shelves: [InfoHash: [Entry]] = [:]
    private var expiry = TimerTable<Slot>()
    private var usage: [SourceGroup: Usage] = [:]
    /// Sources by usage, the largest first: its "instants" are negative byte counts.
    private var ranking = TimerTable<SourceGroup>()
    /// Bytes stored for others.
    private(set) var bytes = 0
    /// How many values are stored.
    private(set) var count = 0

    /// When the next value expires.
    var deadline: Instant? { expiry.deadline }
    /// How many keys have values.
    var keyCount: Int { shelves.count }

    /// The keys that have values, in no order.
    var keys: some Collection<InfoHash> { shelves.keys }

    /// Whether any value was stored at `key`.
    func knows(_ key: InfoHash) -> Bool { shelves[key] != nil }

    /// All values at `key`, oldest slot first.
    func entries(at key: InfoHash) -> [Entry] { shelves[key] ?? [] }

    func entry(_ slot: Slot) -> Entry? { shelves[slot.key]?.first { $0.value.id == slot.id } }

    /// Writes a slot, whatever was in it. `false` when a limit on keys or values per key stands against it.
    mutating func store(
        _ value: Value, at key: InfoHash, expires: Instant?, source: SourceGroup?, configuration: Configuration
    ) -> Bool {
        let slot = Slot(key: key, id: value.id)
        if entry(slot) == nil {
            guard shelves[key] != nil || shelves.count < configuration.keyLimit,
                shelves[key, default: []].count < configuration.valuesPerKeyLimit
            else { return false }
        }
        _ = remove(slot)
        shelves[key, default: []].append(
            Entry(value: value, packed: value.packed, expires: expires, source: source))
        count += 1
        if let expires { expiry.set(slot, at: expires) }
        if let source { charge(source, value.size, for: slot, expires: expires) }
        return true
    }

    /// Moves the end of a value's life; `nil` makes it permanent.
    mutating func extend(_ slot: Slot, to expires: Instant?) {
        guard let index = shelves[slot.key]?.firstIndex(where: { $0.value.id == slot.id }) else { return }
        shelves[slot.key]?[index].expires = expires
        guard let expires else { return expiry.cancel(slot) }
        expiry.set(slot, at: expires)
        if let source = shelves[slot.key]?[index].source {
            usage[source]?.order.set(slot, at: expires)
        }
    }

    /// Removes one value.
    mutating func remove(_ slot: Slot) -> Entry? {
        guard let index = shelves[slot.key]?.firstIndex(where: { $0.value.id == slot.id }),
            let entry = shelves[slot.key]?.remove(at: index)
        else { return nil }
        if shelves[slot.key]?.isEmpty == true { shelves[slot.key] = nil }
        count -= 1
        expiry.cancel(slot)
        if let source = entry.source { discharge(source, entry.size, for: slot) }
        return entry
    }

    /// Removes and returns the next value that is due.
    mutating func popExpired(at now: Instant) -> Slot? {
        guard let slot = expiry.popDue(at: now) else { return nil }
        _ = remove(slot)
        return slot
    }

    /// Removes and returns the soonest-expiring value of the source that stores most, while more than `limit` is stored.
    mutating func popExcess(limit: Int) -> Slot? {
        guard bytes > limit, let source = ranking.popDue(at: .init(nanoseconds: .max)) else { return nil }
        guard let slot = usage[source]?.order.popDue(at: .init(nanoseconds: .max)) else { return nil }
        _ = remove(slot)
        return slot
    }

    private mutating func charge(_ source: SourceGroup, _ size: Int, for slot: Slot, expires: Instant?) {
        bytes += size
        usage[source, default: Usage()].bytes += size
        usage[source]?.order.set(slot, at: expires ?? .init(nanoseconds: .max))
        rank(source)
    }

    private mutating func discharge(_ source: SourceGroup, _ size: Int, for slot: Slot) {
        bytes -= size
        usage[source]?.bytes -= size
        usage[source]?.order.cancel(slot)
        rank(source)
    }

    private mutating func rank(_ source: SourceGroup) {
        guard let used = usage[source], used.order.count > 0 else {
            usage[source] = nil
            return ranking.cancel(source)
        }
        ranking.set(source, at: Instant(nanoseconds: -Int64(used.bytes)))
    }
}
