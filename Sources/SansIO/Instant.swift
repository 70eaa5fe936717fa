/// A point on a monotonic time line, in nanoseconds since an origin the driver chose.
///
/// Real drivers use the boot clock, simulations start at zero. Instants of different drivers must not be compared.
public struct Instant: InstantProtocol, Hashable, Sendable {
    /// Nanoseconds since the driver's origin.
    public let nanoseconds: Int64

    /// The origin of the time line.
    public static let zero = Instant(nanoseconds: 0)

    /// Creates the instant `nanoseconds` after the origin.
    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Returns the instant `duration` later, saturating at the ends of the time line.
    @inlinable
    public func advanced(by duration: Duration) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.nanoseconds)
        guard overflow else { return Instant(nanoseconds: sum) }
        return Instant(nanoseconds: duration < .zero ? .min : .max)
    }

    /// Returns the instant `duration` earlier, saturating at the ends of the time line.
    @inlinable
    public func rewound(by duration: Duration) -> Instant {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(duration.nanoseconds)
        guard overflow else { return Instant(nanoseconds: difference) }
        return Instant(nanoseconds: duration < .zero ? .max : .min)
    }

    /// Returns how much later `other` is; negative when it is earlier.
    @inlinable
    public func duration(to other: Instant) -> Duration {
        let (difference, overflow) = other.nanoseconds.subtractingReportingOverflow(nanoseconds)
        guard !overflow else { return .nanoseconds(other.nanoseconds) - .nanoseconds(nanoseconds) }
        return Duration(attoseconds: Int128(difference) * 1_000_000_000)
    }

    /// Orders instants by time.
    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
}

extension Duration {
    /// The duration in whole nanoseconds, saturating at about 292 years.
    @inlinable
    public var nanoseconds: Int64 {
        let magnitude = attoseconds.magnitude
        let (high, low) = (UInt64(truncatingIfNeeded: magnitude >> 64), UInt64(truncatingIfNeeded: magnitude))
        // Machines ask this for every datagram: one division, of a machine word up to 18 seconds, in place of several of two.
        guard high < 500_000_000 else { return attoseconds < 0 ? .min : .max }
        let whole =
            high == 0 ? low / 1_000_000_000 : UInt64(1_000_000_000).dividingFullWidth((high, low)).quotient
        return attoseconds < 0 ? -Int64(whole) : Int64(whole)
    }

    /// The duration in seconds, for printing and arithmetic where a fraction is good enough.
    @inlinable
    public var seconds: Double { Double(nanoseconds) / 1e9 }

    /// The duration in milliseconds, for printing.
    @inlinable
    public var milliseconds: Double { Double(nanoseconds) / 1e6 }
}

/// Where a driver's monotonic time line lies in civil time.
///
/// Machines that must write or judge civil times (creation times of values, validity of certificates) are given one.
public struct WallClock: Hashable, Sendable {
    /// Nanoseconds from the Unix epoch (1970-01-01 UTC) to ``Instant/zero``.
    public let epochOffset: Int64

    /// Creates a clock whose ``Instant/zero`` lies `epochOffset` nanoseconds after the Unix epoch.
    public init(epochOffset: Int64) { self.epochOffset = epochOffset }

    /// Unix time in whole seconds at `instant`, rounded towards the epoch; saturating.
    public func unixSeconds(at instant: Instant) -> Int64 {
        unixNanoseconds(at: instant) / 1_000_000_000
    }

    /// Unix time in nanoseconds at `instant`, saturating.
    public func unixNanoseconds(at instant: Instant) -> Int64 {
        let (sum, overflow) = epochOffset.addingReportingOverflow(instant.nanoseconds)
        guard overflow else { return sum }
        return epochOffset < 0 ? .min : .max
    }
}
