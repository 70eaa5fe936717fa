/// Builds a message byte by byte, big-endian.
public struct ByteWriter: Sendable {
    /// What was written so far.
    public private(set) var bytes: [UInt8]

    /// Starts an empty message with room for `capacity` bytes.
    @inlinable
    public init(capacity: Int = 64) {
        self.init(appendingTo: [])
        reserve(capacity)
    }

    /// Goes on after `bytes`.
    public init(appendingTo bytes: [UInt8]) { self.bytes = bytes }

    /// How many bytes were written.
    public var count: Int { bytes.count }

    /// Makes room for `capacity` bytes in all.
    public mutating func reserve(_ capacity: Int) { bytes.reserveCapacity(capacity) }

    /// Writes one big-endian integer.
    public mutating func write<T: FixedWidthInteger>(_ value: T) {
        for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }

    /// Writes the bytes of a collection.
    public mutating func write(_ other: some Collection<UInt8>) { bytes.append(contentsOf: other) }

    /// Writes borrowed bytes.
    public mutating func write(_ other: Span<UInt8>) {
        for index in other.indices { bytes.append(other[index]) }
    }

    /// Writes `count` times the byte `value`.
    public mutating func write(repeating value: UInt8, count: Int) {
        bytes.append(contentsOf: repeatElement(value, count: count))
    }

    /// Replaces the integer written at `offset`; for lengths known only afterwards.
    public mutating func overwrite<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        let width = T.bitWidth / 8
        precondition(offset >= 0 && offset + width <= bytes.count, "overwrite reaches past what was written")
        for index in 0..<width {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * (width - 1 - index)))
        }
    }
}
