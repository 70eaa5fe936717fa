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
        // One look at the room for all bytes: appending a collection of them takes much longer.
        storage.append(addingCapacity: T.bitWidth / 8) { output in output.append(bigEndian: value) }
    }

    /// Writes up to `limit` bytes in one go, which costs one look at the room for them; `body` appends them.
    @inlinable
    @inline(__always)
    public mutating func write(upTo limit: Int, _ body: (inout OutputSpan<UInt8>) -> Void) {
        storage.append(addingCapacity: limit, initializingWith: body)
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

extension OutputSpan<UInt8> {
    /// Appends the bytes of an integer, the most significant first.
    @inlinable
    @inline(__always)
    @_lifetime(self: copy self)
    public mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
        var shift = T.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: shift)))
        }
    }
}
