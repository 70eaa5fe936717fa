public import SansIO

/// The 96 bits that tie a response to its request (RFC 8489 §5).
public struct TransactionID: Hashable, Sendable {
    /// The first 32 bits.
    public let high: UInt32
    /// The last 64 bits.
    public let low: UInt64

    /// Joins the two words.
    public init(high: UInt32, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Draws a fresh identifier; every transaction needs its own.
    public init(random: inout RandomSource) {
        high = UInt32(truncatingIfNeeded: random.next())
        low = random.next()
    }
}
