/// The named timers of one machine: at most one deadline per kind.
///
/// Setting a kind again replaces its deadline. Timers that are due at the same time fire in the order they were set,
/// so that a machine's effects never depend on hashing.
public struct TimerTable<Kind: Hashable & Sendable>: Sendable {
    /// One setting of a timer.
    @usableFromInline
    struct Setting: Sendable {
        @usableFromInline let kind: Kind
        @usableFromInline let place: Int

        @inlinable
        init(_ kind: Kind, place: Int) { (self.kind, self.place) = (kind, place) }
    }

    /// All settings, those included that were replaced or cancelled; the first is current.
    @usableFromInline var heap = DeadlineHeap<Setting>()
    /// The place of each timer that is set.
    @usableFromInline var places: [Kind: Int] = [:]
    /// The serial number of the current setting at each place, so that stale ones are told without hashing; 0 at vacant ones.
    @usableFromInline var serials: [UInt64] = []
    @usableFromInline var vacant: [Int] = []

    /// Creates a table without timers.
    @inlinable
    public init() {}

    /// The earliest deadline, or `nil` without timers.
    @inlinable
    public var deadline: Instant? { heap.first?.deadline }

    /// The timer that fires first, or `nil` without timers.
    @inlinable
    public var first: Kind? { heap.first?.element.kind }

    /// How many timers are set.
    @inlinable
    public var count: Int { places.count }

    /// When the timer `kind` fires; `nil` when it is not set. Costs a look at every timer.
    @inlinable
    public func deadline(of kind: Kind) -> Instant? {
        places[kind].flatMap { heap.entry(serial: serials[$0])?.deadline }
    }

    /// Whether a timer of this kind is set.
    @inlinable
    public func isSet(_ kind: Kind) -> Bool { places[kind] != nil }

    /// Sets the timer `kind` to `deadline`, replacing an earlier setting.
    @inlinable
    public mutating func set(_ kind: Kind, at deadline: Instant) {
        let place = vacant.popLast() ?? serials.count
        if place == serials.count { serials.append(0) }
        serials[place] = heap.insert(Setting(kind, place: place), at: deadline)
        if let replaced = places.updateValue(place, forKey: kind) { leave(replaced) }
    }

    /// Removes the timer `kind`, if set.
    @inlinable
    public mutating func cancel(_ kind: Kind) {
        if let place = places.removeValue(forKey: kind) { leave(place) }
    }

    /// Removes and returns the earliest timer due at or before `now`, or `nil` when none is.
    @inlinable
    public mutating func popDue(at now: Instant) -> Kind? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        cancel(first.element.kind)
        return first.element.kind
    }

    /// Makes a place vacant, and with it the setting there stale.
    @inlinable
    mutating func leave(_ place: Int) {
        serials[place] = 0
        vacant.append(place)
        while let first = heap.first, serials[first.element.place] != first.serial { heap.removeFirst() }
        if heap.isSparse(living: places.count) {
            heap.removeAll { [serials] in serials[$0.element.place] != $0.serial }
        }
    }
}
