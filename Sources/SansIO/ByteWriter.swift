/// Builds a message byte by byte, big-endian.
public struct ByteWriter: Sendable {
    @usableFromInline var storage: [UInt8]

    /// What was written so far.
    @inlinable
    public var bytes: [UInt8] { storage }

    /// Starts an empty message with room for `capacity` bytes.
    @inlinable
    public init(capacity: Int = 64) {
        self.init(appendingTo: [])
        reserve(capacity)
    }

    /// Goes on after `bytes`.
    @inlinable
    public init(appendingTo bytes: [UInt8]) { storage = bytes }

    /// How many bytes were written.
    @inlinable
    public var count: Int { storage.count }

    /// Makes room for `capacity` bytes in all.
    @inlinable
    public mutating func reserve(_ capacity: Int) { storage.reserveCapacity(capacity) }

    /// Writes one big-endian integer.
    @inlinable
    @inline(__always)
    public mutating func write<T: FixedWidthInteger>(_ value: T) {
        guard T.bitWidth > 8 else { return storage.append(UInt8(truncatingIfNeeded: value)) }
        // Copies a local integer while it lives. Byte by byte this takes three times as long, and packets are little else.
        unsafe withUnsafeBytes(of: value.bigEndian) { bytes in unsafe storage.append(contentsOf: bytes) }
    }

    /// Writes the bytes of a collection.
    @inlinable
    public mutating func write(_ other: some Collection<UInt8>) { storage.append(contentsOf: other) }

    /// Writes borrowed bytes.
    @inlinable
    public mutating func write(_ other: Span<UInt8>) {
        for index in other.indices { storage.append(other[index]) }
    }

    /// Writes `count` times the byte `value`.
    @inlinable
    public mutating func write(repeating value: UInt8, count: Int) {
        storage.append(contentsOf: repeatElement(value, count: count))
    }

    /// Replaces the integer written at `offset`; for lengths known only afterwards.
    @inlinable
    public mutating func overwrite<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        let width = T.bitWidth / 8
        precondition(offset >= 0 && offset + width <= storage.count, "overwrite reaches past what was written")
        for index in 0..<width {
            storage[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * (width - 1 - index)))
        }
    }
}
