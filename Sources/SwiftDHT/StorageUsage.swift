internal import SansIO

/// Who stores how much here, and what of theirs vanishes first.
struct StorageUsage: Sendable {
    /// What one source stores.
    private struct Share {
        private(set) var bytes = 0
        private(set) var count = 0
        /// The ends of its values, some of them stale.
        var ends = Storage.Ends()
        private var rank = Instant.zero

        /// Counts a value; returns the place in the ranking if it is another now.
        mutating func add(_ size: Int, _ end: Storage.End, at expires: Instant) -> Instant? {
            (bytes, count) = (bytes + size, count + 1)
            ends.insert(end, at: expires)
            return newRank()
        }

        /// Counts a value no longer; returns the place in the ranking if it is another now.
        mutating func remove(_ size: Int) -> Instant? {
            (bytes, count) = (bytes - size, count - 1)
            return newRank()
        }

        /// Bytes less up to an eighth of them, so that places in the ranking seldom change.
        private mutating func newRank() -> Instant? {
            let unit = 1 << max(0, Int.bitWidth - bytes.leadingZeroBitCount - 4)
            let place = Instant(nanoseconds: -Int64(bytes / unit * unit))
            guard place != rank else { return nil }
            rank = place
            return place
        }
    }

    private var shares: [SourceGroup: Share] = [:]
    /// Bytes by prefix; networks that are not the Internet's have none, and no limit of their own.
    private var prefixes: [AddressPrefix: Int] = [:]
    /// Sources by rank, the largest first: its "instants" are negative byte counts.
    private var ranking = TimerTable<SourceGroup>()
    /// Bytes of memory that others' values take.
    private(set) var bytes = 0

    /// The source that stores most, or up to an eighth less.
    var greediest: SourceGroup? { ranking.first }

    /// Whether a source, or all of its prefix, stores more than it may.
    func isOverLimit(_ source: IPAddress, _ configuration: Configuration) -> Bool {
        if shares[SourceGroup(source)]?.bytes ?? 0 > configuration.storageLimitPerSource { return true }
        guard let prefix = AddressPrefix(source) else { return false }
        return prefixes[prefix] ?? 0 > configuration.storageLimitPerPrefix
    }

    /// Counts a value of `size` bytes.
    mutating func add(_ size: Int, _ end: Storage.End, at expires: Instant, from source: IPAddress) {
        count(size, in: AddressPrefix(source))
        let group = SourceGroup(source)
        guard let rank = shares[group, default: Share()].add(size, end, at: expires) else { return }
        ranking.set(group, at: rank)
    }

    /// Counts a value of `size` bytes no longer.
    mutating func remove(_ size: Int, from source: IPAddress) {
        count(-size, in: AddressPrefix(source))
        let group = SourceGroup(source)
        if let rank = shares[group]?.remove(size) { ranking.set(group, at: rank) }
        guard shares[group]?.count == 0 else { return }
        shares[group] = nil
        ranking.cancel(group)
    }

    private mutating func count(_ size: Int, in prefix: AddressPrefix?) {
        bytes += size
        guard let prefix else { return }
        let left = (prefixes[prefix] ?? 0) + size
        prefixes[prefix] = left > 0 ? left : nil
    }

    // MARK: What vanishes first

    /// Notes that a value that is counted vanishes at another time.
    mutating func move(_ end: Storage.End, to expires: Instant, from source: IPAddress) {
        shares[SourceGroup(source)]?.ends.insert(end, at: expires)
    }

    /// Takes out the first end of a source, which may be stale.
    mutating func takeFirstEnd(of group: SourceGroup) -> Storage.Ends.Entry? {
        guard let end = shares[group]?.ends.first else { return nil }
        shares[group]?.ends.removeFirst()
        return end
    }

    /// Drops stale ends of a source when they are many.
    mutating func tidy(_ source: IPAddress, where isStale: (Storage.Ends.Entry) -> Bool) {
        let group = SourceGroup(source)
        guard let share = shares[group], share.ends.isSparse(living: share.count) else { return }
        shares[group]?.ends.removeAll(where: isStale)
    }
}
