package import SansIO

/// Puts the records of a datagram session back into the order they were sent in, and says where some are missing.
///
/// What runs on a session cuts long messages over several records, so a record out of place would be taken for a
/// part of another message. A gap is waited for a little, as reordering networks are, and then told.
package struct RecordOrder: Sendable {
    /// How long a missing record is waited for.
    package static let patience = Duration.milliseconds(250)
    /// How many records behind a gap are held.
    package static let limit = 32

    /// The number of the next record in order. The first of an epoch, 0, belongs to the handshake.
    private var expected: UInt64
    /// Records behind a gap, by number.
    private var held: [(number: UInt64, record: [UInt8])] = []
    /// When the gap is given up.
    package private(set) var deadline: Instant?

    /// Starts before the record of this number.
    package init(expecting first: UInt64 = 1) { expected = first }

    /// Takes a record; returns what is in order now. Repeated records and those that come after their gap was given up
    /// are dropped.
    package mutating func insert(_ record: [UInt8], number: UInt64, at now: Instant) -> [SecureEffect] {
        guard number >= expected else { return [] }
        let index = held.firstIndex { $0.number >= number } ?? held.count
        guard index == held.count || held[index].number != number else { return [] }
        held.insert((number, record), at: index)
        var effects = release()
        if held.count > Self.limit { effects += skip() }
        wait(at: now, anew: !effects.isEmpty)
        return effects
    }

    /// Gives up the gap whose time has come.
    package mutating func advance(to now: Instant) -> [SecureEffect] {
        guard let deadline, deadline <= now else { return [] }
        let effects = skip()
        wait(at: now, anew: true)
        return effects
    }

    /// Hands out what follows without a gap.
    private mutating func release() -> [SecureEffect] {
        var effects: [SecureEffect] = []
        while let first = held.first, first.number == expected {
            effects.append(.received(first.record))
            expected += 1
            held.removeFirst()
        }
        return effects
    }

    /// Goes on behind the first gap.
    private mutating func skip() -> [SecureEffect] {
        guard let first = held.first else { return [] }
        expected = first.number
        return [.gap] + release()
    }

    private mutating func wait(at now: Instant, anew: Bool) {
        if held.isEmpty {
            deadline = nil
        } else if deadline == nil || anew {
            deadline = now.advanced(by: Self.patience)
        }
    }
}
