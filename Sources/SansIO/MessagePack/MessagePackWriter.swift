/// Writes MessagePack objects, each integer and length in its shortest form.
public struct MessagePackWriter: Sendable {
    @usableFromInline var writer: ByteWriter

    /// Starts with room for `capacity` bytes.
    @inlinable
    public init(capacity: Int = 64) { writer = ByteWriter(capacity: capacity) }

    /// What was written so far.
    @inlinable
    public var bytes: [UInt8] { writer.bytes }

    /// How many bytes were written.
    @inlinable
    public var count: Int { writer.count }

    /// Announces a map of `count` pairs; write each key and value next.
    @inlinable
    public mutating func writeMapHeader(_ count: Int) {
        writer.write(upTo: 5) { output in output.append(mapHeader: count) }
    }

    /// Announces an array of `count` objects; write them next.
    @inlinable
    public mutating func writeArrayHeader(_ count: Int) {
        switch count {
        case 0...15: writer.write(0x90 | UInt8(count))
        case 16...0xFFFF: writer.write(UInt8(0xDC)); writer.write(UInt16(count))
        default: writer.write(UInt8(0xDD)); writer.write(UInt32(count))
        }
    }

    /// Writes text.
    @inlinable
    public mutating func write(_ text: String) {
        let bytes = text.utf8
        switch bytes.count {
        case 0...31: writer.write(0xA0 | UInt8(bytes.count))
        case 32...0xFF: writer.write(UInt8(0xD9)); writer.write(UInt8(bytes.count))
        case 0x100...0xFFFF: writer.write(UInt8(0xDA)); writer.write(UInt16(bytes.count))
        default: writer.write(UInt8(0xDB)); writer.write(UInt32(bytes.count))
        }
        writer.write(bytes)
    }

    /// Announces `count` bytes; write them next with ``write(raw:)``.
    @inlinable
    public mutating func writeBinaryHeader(_ count: Int) {
        writer.write(upTo: 5) { output in output.append(binaryHeader: count) }
    }

    /// Writes bytes.
    @inlinable
    public mutating func write(_ bytes: [UInt8]) {
        writeBinaryHeader(bytes.count)
        writer.write(bytes)
    }

    /// Writes up to `limit` bytes of MessagePack in one go; `body` appends them.
    @inlinable
    @inline(__always)
    public mutating func write(upTo limit: Int, _ body: (inout OutputSpan<UInt8>) -> Void) {
        writer.write(upTo: limit, body)
    }

    /// Writes the big-endian bytes of an integer as a part of what a header announced.
    @inlinable
    public mutating func write<T: FixedWidthInteger>(raw value: T) { writer.write(value) }

    /// Writes a text of one to eight ASCII bytes, given as the big-endian number they form.
    @inlinable
    public mutating func write(ascii word: UInt64) {
        writer.write(upTo: 9) { output in output.append(ascii: word) }
    }

    /// Writes an integer; values from 0 up in the unsigned forms, as every known peer does.
    @inlinable
    public mutating func write(_ value: some FixedWidthInteger) {
        guard value < 0 else { return writeUnsigned(UInt64(value)) }
        switch Int64(value) {
        case -32...(-1): writer.write(Int8(value))
        case -0x80...(-33): writer.write(UInt8(0xD0)); writer.write(Int8(value))
        case -0x8000...(-0x81): writer.write(UInt8(0xD1)); writer.write(Int16(value))
        case -0x8000_0000...(-0x8001): writer.write(UInt8(0xD2)); writer.write(Int32(value))
        default: writer.write(UInt8(0xD3)); writer.write(Int64(value))
        }
    }

    /// Writes `true` or `false`.
    @inlinable
    public mutating func write(_ value: Bool) { writer.write(UInt8(value ? 0xC3 : 0xC2)) }

    /// Writes nanoseconds since the Unix epoch as a timestamp (extension type -1), in the shortest form.
    public mutating func write(timestamp: Int64) {
        var (seconds, nanoseconds) = timestamp.quotientAndRemainder(dividingBy: 1_000_000_000)
        if nanoseconds < 0 { (seconds, nanoseconds) = (seconds - 1, nanoseconds + 1_000_000_000) }
        switch seconds {
        case 0...0xFFFF_FFFF where nanoseconds == 0:
            writer.write(UInt8(0xD6)); writer.write(Int8(-1)); writer.write(UInt32(seconds))
        case 0...0x3_FFFF_FFFF:
            writer.write(UInt8(0xD7)); writer.write(Int8(-1)); writer.write(UInt64(nanoseconds) << 34 | UInt64(seconds))
        default:
            writer.write(UInt8(0xC7)); writer.write(UInt8(12)); writer.write(Int8(-1))
            writer.write(UInt32(nanoseconds)); writer.write(seconds)
        }
    }

    /// Writes an object that is MessagePack already.
    @inlinable
    public mutating func write(packed bytes: [UInt8]) { writer.write(bytes) }

    /// How many bytes an integer takes.
    @inlinable
    public static func size(of value: UInt64) -> Int {
        switch value {
        case 0...0x7F: 1
        case 0x80...0xFF: 2
        case 0x100...0xFFFF: 3
        case 0x1_0000...0xFFFF_FFFF: 5
        default: 9
        }
    }

    /// How many bytes a text of `count` bytes takes.
    @inlinable
    public static func size(ofText count: Int) -> Int {
        switch count {
        case 0...31: count + 1
        case 32...0xFF: count + 2
        case 0x100...0xFFFF: count + 3
        default: count + 5
        }
    }

    /// How many bytes `count` bytes take.
    @inlinable
    public static func size(ofBinary count: Int) -> Int {
        switch count {
        case 0...0xFF: count + 2
        case 0x100...0xFFFF: count + 3
        default: count + 5
        }
    }

    @inlinable
    mutating func writeUnsigned(_ value: UInt64) { writer.write(upTo: 9) { output in output.append(packed: value) } }
}

/// Pieces for ``MessagePackWriter/write(upTo:_:)``.
extension OutputSpan<UInt8> {
    /// Appends a text of one to eight ASCII bytes, given as the big-endian number they form: at most nine bytes.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(ascii word: UInt64) {
        let count = (71 - word.leadingZeroBitCount) / 8
        append(0xA0 | UInt8(truncatingIfNeeded: count))
        for index in stride(from: count - 1, through: 0, by: -1) {
            append(UInt8(truncatingIfNeeded: word >> UInt64(8 * index)))
        }
    }

    /// Announces a map of `count` pairs: at most five bytes.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(mapHeader count: Int) {
        switch count {
        case 0...15: append(0x80 | UInt8(count))
        case 16...0xFFFF: append(0xDE); append(bigEndian: UInt16(count))
        default: append(0xDF); append(bigEndian: UInt32(count))
        }
    }

    /// Announces `count` bytes: at most five bytes.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(binaryHeader count: Int) {
        switch count {
        case 0...0xFF: append(0xC4); append(UInt8(count))
        case 0x100...0xFFFF: append(0xC5); append(bigEndian: UInt16(count))
        default: append(0xC6); append(bigEndian: UInt32(count))
        }
    }

    /// Appends an integer as MessagePack: at most nine bytes.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(packed value: UInt64) {
        switch value {
        case 0...0x7F: append(UInt8(value))
        case 0x80...0xFF: append(0xCC); append(UInt8(value))
        case 0x100...0xFFFF: append(0xCD); append(bigEndian: UInt16(value))
        case 0x1_0000...0xFFFF_FFFF: append(0xCE); append(bigEndian: UInt32(value))
        default: append(0xCF); append(bigEndian: value)
        }
    }
}
