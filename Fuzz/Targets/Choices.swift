import SansIO

/// A fuzzer's bytes read as choices; at their end every choice is the first one.
struct Choices {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func word() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }

    /// One of the elements of a list, or `nil` of an empty one.
    mutating func element<T>(of list: [T]) -> T? {
        let choice = Int(byte())
        return list.isEmpty ? nil : list[choice % list.count]
    }

    /// Up to 255 bytes, as their first one says; of 255 onwards, all the rest.
    mutating func bytes() -> [UInt8] {
        let count = Int(byte())
        let taken = count == 255 ? rest : rest.prefix(count)
        rest = rest.dropFirst(taken.count)
        return Array(taken)
    }

    /// No time, or milliseconds, tenths of a second, seconds or ten seconds, up to 63 of them.
    mutating func duration() -> Duration {
        let choice = byte()
        let unit: Duration =
            switch choice >> 6 {
            case 0: .milliseconds(1)
            case 1: .milliseconds(100)
            case 2: .seconds(1)
            default: .seconds(10)
            }
        return unit * Int(choice & 63)
    }
}

/// How many effects one input may have: generous, yet far from what would exhaust a driver.
let effectLimit = 4_096

/// Lets time pass until `end` and returns the effects. `advance(to:)` must move or clear a deadline that is due.
func pass<M: Machine>(_ machine: inout M, until end: Instant) throws(Finding) -> [M.Effect] {
    var effects: [M.Effect] = []
    var time: Instant?
    while let deadline = machine.deadline, deadline <= end {
        let now = max(deadline, time ?? deadline)
        let due = machine.advance(to: now)
        try require(due.count <= effectLimit, "the effects of time are bounded")
        if let next = machine.deadline { try require(next > now, "a deadline that was due is not due again") }
        effects += due
        time = now
    }
    return effects
}
