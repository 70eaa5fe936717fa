public import SansIO

/// Civil time as RTCP writes it: seconds since 1900 in 32.32 fixed point (RFC 3550 §4).
public struct NTPTimestamp: RawRepresentable, Hashable, Sendable {
    /// Seconds in the upper half, their fraction in the lower.
    public var rawValue: UInt64

    /// Wraps a value read from a report.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The civil time at `instant`.
    public init(_ instant: Instant, clock: WallClock) {
        let unix = clock.unixNanoseconds(at: instant)
        let seconds = unix.dividedFloor(by: 1_000_000_000)
        let rest = UInt64(unix - seconds * 1_000_000_000)
        rawValue = UInt64(truncatingIfNeeded: seconds + 2_208_988_800) << 32 | (rest << 32) / 1_000_000_000
    }

    /// The middle 32 bits, in units of 1/65536 s, as report blocks quote it.
    public var middle: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 16) }
}

extension Int64 {
    fileprivate func dividedFloor(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

/// A duration in units of 1/65536 s, as report blocks write it.
enum ShortNTP {
    static func units(_ duration: Duration) -> UInt32 {
        let nanoseconds = max(duration.nanoseconds, 0)
        guard nanoseconds < 65_536 * 1_000_000_000 else { return .max }
        return UInt32(clamping: UInt64(nanoseconds) * 65_536 / 1_000_000_000)
    }

    static func duration(_ units: UInt32) -> Duration {
        .nanoseconds(Int64(units) * 1_000_000_000 / 65_536)
    }
}
