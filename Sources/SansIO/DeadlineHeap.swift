/// Things by their deadlines, those with the same deadline in the order in which they came.
///
/// Only the first can be taken out; what ceases to be is left inside, and its owner drops it when it comes first. That costs
/// a fraction of what finding it would, as few deadlines are ever reached.
public struct DeadlineHeap<Element: Sendable>: Sendable {
    /// One thing and its deadline.
    public struct Entry: Sendable {
        /// When it is due.
        public let deadline: Instant
        /// A number that no other entry of the heap ever had.
        public let serial: UInt64
        /// The thing itself.
        public let element: Element

        @inlinable
        init(_ element: Element, deadline: Instant, serial: UInt64) {
            (self.element, self.deadline, self.serial) = (element, deadline, serial)
        }

        @inlinable
        func isBefore(_ other: Entry) -> Bool {
            deadline == other.deadline ? serial < other.serial : deadline < other.deadline
        }
    }

    /// A binary heap.
    @usableFromInline var entries: [Entry] = []
    @usableFromInline var lastSerial: UInt64 = 0

    /// Creates an empty heap.
    @inlinable
    public init() {}

    /// How many entries there are, those included that ceased to be.
    @inlinable
    public var count: Int { entries.count }

    /// The entry with the earliest deadline.
    @inlinable
    public var first: Entry? { entries.first }

    /// The entry with the serial number `serial`; costs a look at every entry.
    @inlinable
    public func entry(serial: UInt64) -> Entry? { entries.first { $0.serial == serial } }

    /// Adds an entry; returns its serial number, never 0.
    @inlinable
    @discardableResult
    public mutating func insert(_ element: Element, at deadline: Instant) -> UInt64 {
        lastSerial += 1
        entries.append(Entry(element, deadline: deadline, serial: lastSerial))
        siftUp(entries.count - 1)
        return lastSerial
    }

    /// Removes the entry with the earliest deadline, if any.
    @inlinable
    public mutating func removeFirst() {
        guard let last = entries.popLast(), !entries.isEmpty else { return }
        entries[0] = last
        siftDown(0)
    }

    /// Whether the heap holds so much more than the `living` entries that it is worth to remove the others; asked after each
    /// that ceased to be, this keeps the heap at about twice the size it must have.
    @inlinable
    public func isSparse(living: Int) -> Bool { entries.count > 64 && entries.count > 2 * living }

    /// Removes all entries that ceased to be.
    @inlinable
    public mutating func removeAll(where isStale: (Entry) -> Bool) {
        entries.removeAll(where: isStale)
        for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
    }

    @inlinable
    mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].isBefore(entries[parent]) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    @inlinable
    mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = 2 * parent + 1
            guard least < entries.count else { return }
            if least + 1 < entries.count, entries[least + 1].isBefore(entries[least]) { least += 1 }
            guard entries[least].isBefore(entries[parent]) else { return }
            entries.swapAt(least, parent)
            parent = least
        }
    }
}
