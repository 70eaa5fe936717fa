/// The named timers of one machine: at most one deadline per kind.
///
/// Setting a kind again replaces its deadline. Timers that are due at the same time fire in the order they were set,
/// so that a machine's effects never depend on hashing.
public struct TimerTable<Kind: Hashable & Sendable>: Sendable {
    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline var deadline: Instant
        @usableFromInline var serial: UInt64
        @usableFromInline var kind: Kind

        @inlinable
        init(deadline: Instant, serial: UInt64, kind: Kind) {
            (self.deadline, self.serial, self.kind) = (deadline, serial, kind)
        }

        @inlinable
        func isBefore(_ other: Entry) -> Bool {
            deadline == other.deadline ? serial < other.serial : deadline < other.deadline
        }
    }

    /// A binary heap; entries whose serial is no longer current in `serials` are stale and skipped.
    @usableFromInline var heap: [Entry] = []
    @usableFromInline var serials: [Kind: UInt64] = [:]
    @usableFromInline var nextSerial: UInt64 = 0

    /// Creates a table without timers.
    @inlinable
    public init() {}

    /// The earliest deadline, or `nil` without timers.
    @inlinable
    public var deadline: Instant? { heap.first?.deadline }

    /// The timer that fires first, or `nil` without timers.
    @inlinable
    public var first: Kind? { heap.first?.kind }

    /// How many timers are set.
    @inlinable
    public var count: Int { serials.count }

    /// When the timer `kind` fires; `nil` when it is not set. Costs a look at every timer.
    @inlinable
    public func deadline(of kind: Kind) -> Instant? {
        guard let serial = serials[kind] else { return nil }
        return heap.first { $0.serial == serial }?.deadline
    }

    /// Whether a timer of this kind is set.
    @inlinable
    public func isSet(_ kind: Kind) -> Bool { serials[kind] != nil }

    /// Sets the timer `kind` to `deadline`, replacing an earlier setting.
    @inlinable
    public mutating func set(_ kind: Kind, at deadline: Instant) {
        nextSerial += 1
        let replaced = serials.updateValue(nextSerial, forKey: kind)
        heap.append(Entry(deadline: deadline, serial: nextSerial, kind: kind))
        siftUp(heap.count - 1)
        if let replaced { dropStale(since: replaced) }
    }

    /// Removes the timer `kind`, if set.
    @inlinable
    public mutating func cancel(_ kind: Kind) {
        guard let removed = serials.removeValue(forKey: kind) else { return }
        dropStale(since: removed)
    }

    /// Removes and returns the earliest timer due at or before `now`, or `nil` when none is.
    @inlinable
    public mutating func popDue(at now: Instant) -> Kind? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        serials[first.kind] = nil
        removeFirst()
        dropStaleFront()
        return first.kind
    }

    /// Keeps the invariant that the first entry is current.
    @inlinable
    mutating func dropStaleFront() {
        while let first = heap.first, serials[first.kind] != first.serial { removeFirst() }
    }

    /// Keeps the first entry current after the one of `serial` ceased to be, and the heap at most about twice the number of
    /// timers.
    @inlinable
    mutating func dropStale(since serial: UInt64) {
        // Only the first entry matters, and most of the time it is another: no need to look timers up by name.
        if heap.first?.serial == serial { dropStaleFront() }
        guard heap.count > 64, heap.count > 2 * serials.count else { return }
        heap.removeAll { serials[$0.kind] != $0.serial }
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
    }

    @inlinable
    mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        siftDown(0)
    }

    @inlinable
    mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    @inlinable
    mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = 2 * parent + 1
            guard least < heap.count else { return }
            if least + 1 < heap.count, heap[least + 1].isBefore(heap[least]) { least += 1 }
            guard heap[least].isBefore(heap[parent]) else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
