/// A cursor over MessagePack objects (the 2013 specification, with `str` and `bin` apart).
///
/// Shared by the DHT's packets and values, the connection requests inside them, and the channel multiplexer.
/// The reader accepts every width of an integer or length; it never allocates for what it skips.
public struct MessagePackReader: ~Escapable {
    /// What comes next, without its content.
    public enum Kind: Hashable, Sendable {
        /// `nil`.
        case null
        /// `true` or `false`.
        case boolean
        /// Any integer, signed or not.
        case integer
        /// A 32- or 64-bit floating point number.
        case floatingPoint
        /// UTF-8 text.
        case string
        /// Bytes.
        case binary
        /// A sequence of objects.
        case array
        /// Pairs of objects.
        case map
        /// An application-defined extension.
        case `extension`
    }

    /// How deep arrays and maps may nest before ``skip()`` refuses them.
    public static let nestingLimit = 32

    @usableFromInline var reader: ByteReader

    /// Starts at the first byte.
    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: Span<UInt8>) { reader = ByteReader(bytes) }

    /// How many bytes were read.
    @inlinable
    public var offset: Int { reader.offset }

    /// How many bytes are left.
    @inlinable
    public var remaining: Int { reader.remaining }

    /// Whether everything was read.
    @inlinable
    public var isAtEnd: Bool { reader.isAtEnd }

    /// What comes next; throws at the end and for the one unused type byte.
    @inlinable
    public func peek() throws(WireError) -> Kind {
        guard let byte = reader.peek() else { throw .truncated(at: offset) }
        switch byte {
        case 0x00...0x7F, 0xE0...0xFF, 0xCC...0xD3: return .integer
        case 0x80...0x8F, 0xDE, 0xDF: return .map
        case 0x90...0x9F, 0xDC, 0xDD: return .array
        case 0xA0...0xBF, 0xD9...0xDB: return .string
        case 0xC0: return .null
        case 0xC2, 0xC3: return .boolean
        case 0xC4...0xC6: return .binary
        case 0xC7...0xC9, 0xD4...0xD8: return .extension
        case 0xCA, 0xCB: return .floatingPoint
        default: throw .malformed("type", at: offset)
        }
    }

    /// Reads an integer of any width that fits `T`.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readInteger<T: FixedWidthInteger>(_: T.Type = T.self) throws(WireError) -> T {
        let start = offset
        let byte = try reader.readByte()
        let value: T?
        switch byte {
        case 0x00...0x7F: value = T(exactly: byte)
        case 0xE0...0xFF: value = T(exactly: Int8(bitPattern: byte))
        case 0xCC: value = T(exactly: try reader.readByte())
        case 0xCD: value = T(exactly: try reader.read(UInt16.self))
        case 0xCE: value = T(exactly: try reader.read(UInt32.self))
        case 0xCF: value = T(exactly: try reader.read(UInt64.self))
        case 0xD0: value = T(exactly: try reader.read(Int8.self))
        case 0xD1: value = T(exactly: try reader.read(Int16.self))
        case 0xD2: value = T(exactly: try reader.read(Int32.self))
        case 0xD3: value = T(exactly: try reader.read(Int64.self))
        default: throw .malformed("integer", at: start)
        }
        guard let value else { throw .malformed("integer", at: start) }
        return value
    }

    /// Reads `true` or `false`.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readBoolean() throws(WireError) -> Bool {
        let start = offset
        switch try reader.readByte() {
        case 0xC2: return false
        case 0xC3: return true
        default: throw .malformed("boolean", at: start)
        }
    }

    /// Reads text, still borrowed and not checked to be UTF-8.
    @inlinable
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    public mutating func takeString() throws(WireError) -> Span<UInt8> {
        try reader.take(try readStringHeader())
    }

    /// Reads a text of one to eight bytes as the big-endian number they form, which tells the keys of a map apart in one
    /// comparison; `nil`, with nothing read, where there is something else or a longer form of the same.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readWord() throws(WireError) -> UInt64? {
        guard let head = reader.peek(), (0xA1...0xA8).contains(head) else { return nil }
        try reader.skip(1)
        var word: UInt64 = 0
        for _ in 0..<(head & 0x0F) { word = word << 8 | UInt64(try reader.readByte()) }
        return word
    }

    /// Reads text; ill-formed UTF-8 is refused.
    @_lifetime(self: copy self)
    public mutating func readString() throws(WireError) -> String {
        let start = offset
        guard let text = try? UTF8Span(validating: try takeString()) else { throw .malformed("string", at: start) }
        return String(copying: text)
    }

    /// Reads bytes, still borrowed.
    @inlinable
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    public mutating func takeBinary() throws(WireError) -> Span<UInt8> {
        try reader.take(try readBinaryHeader())
    }

    /// Reads how many bytes of text or binary follow, whether or not they are there; for streams that are cut anywhere.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readByteCount() throws(WireError) -> Int {
        try peek() == .string ? try readStringHeader() : try readBinaryHeader()
    }

    @inlinable
    @_lifetime(self: copy self)
    mutating func readStringHeader() throws(WireError) -> Int {
        let start = offset
        switch try reader.readByte() {
        case let byte where byte & 0xE0 == 0xA0: return Int(byte & 0x1F)
        case 0xD9: return Int(try reader.readByte())
        case 0xDA: return Int(try reader.read(UInt16.self))
        case 0xDB: return Int(try reader.read(UInt32.self))
        default: throw .malformed("string", at: start)
        }
    }

    @inlinable
    @_lifetime(self: copy self)
    mutating func readBinaryHeader() throws(WireError) -> Int {
        let start = offset
        switch try reader.readByte() {
        case 0xC4: return Int(try reader.readByte())
        case 0xC5: return Int(try reader.read(UInt16.self))
        case 0xC6: return Int(try reader.read(UInt32.self))
        default: throw .malformed("binary", at: start)
        }
    }

    /// Copies bytes that old encoders wrote as `bin`, `str` or an array of small integers.
    @_lifetime(self: copy self)
    public mutating func readBlob() throws(WireError) -> [UInt8] {
        switch try peek() {
        case .binary: return [UInt8](try takeBinary())
        case .string: return [UInt8](try takeString())
        case .array:
            let count = try readArrayHeader()
            var bytes: [UInt8] = []
            bytes.reserveCapacity(count)
            for _ in 0..<count { bytes.append(try readInteger()) }
            return bytes
        default: throw .malformed("blob", at: offset)
        }
    }

    /// Reads how many objects an array holds; refuses more than could follow.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readArrayHeader() throws(WireError) -> Int {
        let start = offset
        let count: Int
        switch try reader.readByte() {
        case let byte where byte & 0xF0 == 0x90: count = Int(byte & 0x0F)
        case 0xDC: count = Int(try reader.read(UInt16.self))
        case 0xDD: count = Int(try reader.read(UInt32.self))
        default: throw .malformed("array", at: start)
        }
        guard count <= remaining else { throw .truncated(at: offset) }
        return count
    }

    /// Reads how many pairs a map holds; refuses more than could follow.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readMapHeader() throws(WireError) -> Int {
        let start = offset
        let count: Int
        switch try reader.readByte() {
        case let byte where byte & 0xF0 == 0x80: count = Int(byte & 0x0F)
        case 0xDE: count = Int(try reader.read(UInt16.self))
        case 0xDF: count = Int(try reader.read(UInt32.self))
        default: throw .malformed("map", at: start)
        }
        guard count <= remaining / 2 else { throw .truncated(at: offset) }
        return count
    }

    /// Reads a timestamp (extension type -1) as nanoseconds since the Unix epoch; one beyond 64 bits is refused.
    @_lifetime(self: copy self)
    public mutating func readTimestamp() throws(WireError) -> Int64 {
        let start = offset
        let width: Int
        switch try reader.readByte() {
        case 0xD6: width = 4
        case 0xD7: width = 8
        case 0xC7: width = Int(try reader.readByte())
        default: throw .malformed("timestamp", at: start)
        }
        guard try reader.read(Int8.self) == -1 else { throw .malformed("timestamp", at: start) }
        let (seconds, nanoseconds): (Int64, UInt32)
        switch width {
        case 4: (seconds, nanoseconds) = (Int64(try reader.read(UInt32.self)), 0)
        case 8:
            let word: UInt64 = try reader.read()
            (seconds, nanoseconds) = (Int64(word & 0x3_FFFF_FFFF), UInt32(word >> 34))
        case 12:
            nanoseconds = try reader.read()
            seconds = try reader.read()
        default: throw .malformed("timestamp", at: start)
        }
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(Int64(nanoseconds))
        guard nanoseconds < 1_000_000_000, !overflow, !carry else { throw .malformed("timestamp", at: start) }
        return sum
    }

    /// Skips one whole object.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func skip() throws(WireError) { try skip(levels: Self.nestingLimit) }

    /// Skips one object that nests at most `levels` deep.
    @usableFromInline
    @_lifetime(self: copy self)
    mutating func skip(levels: Int) throws(WireError) {
        let inner = try skipHead()
        guard inner > 0 else { return }
        guard levels > 0 else { throw .overLimit("nesting", limit: Self.nestingLimit) }
        for _ in 0..<inner { try skip(levels: levels - 1) }
    }

    /// Skips one object that holds no others, or the head of one that does; returns how many follow inside.
    @_lifetime(self: copy self)
    private mutating func skipHead() throws(WireError) -> Int {
        switch try peek() {
        case .array: return try readArrayHeader()
        case .map: return try readMapHeader() * 2
        case .string: _ = try takeString()
        case .binary: _ = try takeBinary()
        case .null, .boolean: try reader.skip(1)
        case .integer, .floatingPoint: try skipNumber()
        case .extension: try skipExtension()
        }
        return 0
    }

    @_lifetime(self: copy self)
    private mutating func skipNumber() throws(WireError) {
        switch try reader.readByte() {
        case 0xCC, 0xD0: try reader.skip(1)
        case 0xCD, 0xD1: try reader.skip(2)
        case 0xCE, 0xD2, 0xCA: try reader.skip(4)
        case 0xCF, 0xD3, 0xCB: try reader.skip(8)
        default: break
        }
    }

    @_lifetime(self: copy self)
    private mutating func skipExtension() throws(WireError) {
        let byte = try reader.readByte()
        switch byte {
        case 0xC7: try reader.skip(Int(try reader.readByte()) + 1)
        case 0xC8: try reader.skip(Int(try reader.read(UInt16.self)) + 1)
        case 0xC9: try reader.skip(Int(try reader.read(UInt32.self)) + 1)
        default: try reader.skip(1 << Int(byte - 0xD4) + 1)
        }
    }
}
