/// Where a machine's chance comes from: the operating system, or a seed that makes a run repeatable.
///
/// An enumeration rather than a generic parameter, so that no machine becomes generic because it draws numbers.
public enum RandomSource: RandomNumberGenerator, Sendable {
    /// The operating system's cryptographic generator.
    case system
    /// A SplitMix64 sequence; for simulations and tests only, never for keys that leave the machine.
    case seeded(UInt64)

    /// Returns the next 64 random bits.
    public mutating func next() -> UInt64 {
        switch self {
        case .system:
            var generator = SystemRandomNumberGenerator()
            return generator.next()
        case .seeded(let state):
            let advanced = state &+ 0x9E37_79B9_7F4A_7C15
            self = .seeded(advanced)
            var bits = advanced
            bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
            bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
            return bits ^ (bits >> 31)
        }
    }

    /// Returns `count` random bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let word = next()
            for shift in stride(from: 0, to: 64, by: 8) where bytes.count < count {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return bytes
    }

    /// Returns `count` random lower-case hexadecimal digits.
    public mutating func hexDigits(_ count: Int) -> String {
        String(Hexadecimal.encode(bytes((count + 1) / 2)).prefix(count))
    }

    /// Returns a random duration in `range`, uniform to the nanosecond.
    public mutating func duration(in range: ClosedRange<Duration>) -> Duration {
        .nanoseconds(Int64.random(in: range.lowerBound.nanoseconds...range.upperBound.nanoseconds, using: &self))
    }

    /// Splits off an independent source, so that children draw without disturbing each other's sequences.
    public mutating func split() -> RandomSource {
        switch self {
        case .system: .system
        case .seeded: .seeded(next())
        }
    }
}
