/// A 16-bit RTP sequence number, compared around its wrap (RFC 3550 §5.1, RFC 1982).
public struct SequenceNumber: RawRepresentable, Hashable, Sendable {
    /// The number as it is sent.
    public var rawValue: UInt16

    /// Wraps a number read from a packet.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The number that follows, 0 after 65535.
    public var next: SequenceNumber { SequenceNumber(rawValue: rawValue &+ 1) }

    /// How far `other` lies ahead, from -32768 to 32767; negative when it lies behind.
    public func distance(to other: SequenceNumber) -> Int {
        Int(Int16(bitPattern: other.rawValue &- rawValue))
    }

    /// Whether this number was sent after `other`, supposing that they lie less than half a cycle apart.
    public func isNewer(than other: SequenceNumber) -> Bool { other.distance(to: self) > 0 }
}

/// Turns 16-bit sequence numbers into ones that never wrap, by following the highest seen (RFC 3550 A.1).
public struct SequenceExtender: Hashable, Sendable {
    /// The highest extended number seen, or `nil` before the first.
    public private(set) var highest: Int64?

    /// Starts without a reference.
    public init() {}

    /// Returns the extended number nearest to the highest seen, and remembers it if it is higher.
    ///
    /// The first number becomes itself plus one cycle, so that packets sent before it stay positive.
    public mutating func extend(_ number: SequenceNumber) -> Int64 {
        guard let highest else {
            let first = Int64(number.rawValue) + 1 << 16
            self.highest = first
            return first
        }
        let reference = SequenceNumber(rawValue: UInt16(truncatingIfNeeded: highest))
        let extended = highest + Int64(reference.distance(to: number))
        self.highest = max(highest, extended)
        return extended
    }
}
