/// A cursor over borrowed bytes, big-endian. Reading never copies and never traps.
public struct ByteReader: ~Escapable {
    @usableFromInline let bytes: Span<UInt8>

    @usableFromInline var position = 0

    /// How many bytes were read.
    @inlinable
    public var offset: Int { position }

    /// Starts reading at the first byte.
    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    /// How many bytes are left.
    @inlinable
    public var remaining: Int { bytes.count - offset }

    /// Whether everything was read.
    @inlinable
    public var isAtEnd: Bool { offset == bytes.count }

    /// Reads one big-endian integer.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func read<T: FixedWidthInteger>(_: T.Type = T.self) throws(WireError) -> T {
        let width = T.bitWidth / 8
        guard remaining >= width else { throw .truncated(at: offset) }
        var value: T = 0
        for index in offset..<offset + width { value = (value &<< 8) | T(truncatingIfNeeded: bytes[index]) }
        moveForward(width)
        return value
    }

    /// Reads one byte.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readByte() throws(WireError) -> UInt8 {
        guard position < bytes.count else { throw .truncated(at: position) }
        defer { position += 1 }
        return bytes[position]
    }

    /// Takes the next `count` bytes, still borrowed.
    @inlinable
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    public mutating func take(_ count: Int) throws(WireError) -> Span<UInt8> {
        guard count >= 0, count <= remaining else { throw .truncated(at: offset) }
        let taken = bytes.extracting(offset..<offset + count)
        moveForward(count)
        return taken
    }

    /// Takes all bytes that are left, still borrowed.
    @inlinable
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    public mutating func takeRest() -> Span<UInt8> {
        let taken = bytes.extracting(offset..<bytes.count)
        moveForward(taken.count)
        return taken
    }

    /// Copies the next `count` bytes.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readBytes(_ count: Int) throws(WireError) -> [UInt8] {
        [UInt8](try take(count))
    }

    /// Skips `count` bytes.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func skip(_ count: Int) throws(WireError) {
        guard count >= 0, count <= remaining else { throw .truncated(at: offset) }
        moveForward(count)
    }

    /// Returns the next byte without reading it, or `nil` at the end.
    @inlinable
    public func peek() -> UInt8? { isAtEnd ? nil : bytes[offset] }

    @inlinable
    @_lifetime(self: copy self)
    mutating func moveForward(_ count: Int) { position += count }
}

extension Array where Element == UInt8 {
    /// Copies borrowed bytes.
    @inlinable
    public init(_ bytes: Span<UInt8>) {
        self.init(capacity: bytes.count) { output in
            for index in bytes.indices { output.append(bytes[index]) }
        }
    }
}
