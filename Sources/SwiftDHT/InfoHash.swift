internal import Digests
public import SansIO

/// A 160-bit identifier: the key of a value, or the identifier of a node.
///
/// Stored as words in big-endian order, which makes XOR distances and comparisons three instructions each.
public struct InfoHash: Hashable, Sendable {
    private let high: UInt64
    private let middle: UInt64
    private let low: UInt32

    /// How many bytes an identifier has on the wire.
    public static let byteCount = 20
    /// How many bits an identifier has.
    public static let bitCount = 160
    /// The identifier that stands for "none"; never valid on the wire.
    public static let zero = InfoHash(high: 0, middle: 0, low: 0)

    static let ones = InfoHash(high: .max, middle: .max, low: .max)

    init(high: UInt64, middle: UInt64, low: UInt32) {
        (self.high, self.middle, self.low) = (high, middle, low)
    }

    /// Reads 20 bytes; `nil` for any other count.
    public init?(_ bytes: Span<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var reader = ByteReader(bytes)
        guard let high: UInt64 = try? reader.read(), let middle: UInt64 = try? reader.read(),
            let low: UInt32 = try? reader.read()
        else { return nil }
        self.init(high: high, middle: middle, low: low)
    }

    /// Reads 20 bytes; `nil` for any other count.
    public init?(bytes: [UInt8]) { self.init(bytes.span) }

    /// The SHA-1 of the UTF-8 bytes of `text`: how a name becomes a key.
    public init(hashing text: String) { self.init(hashing: Array(text.utf8)) }

    /// The SHA-1 of `bytes`; over a DER SubjectPublicKeyInfo this is the key's identifier.
    public init(hashing bytes: [UInt8]) {
        self = InfoHash(bytes: Hash.sha1(bytes)) ?? .zero
    }

    /// Draws an identifier; never ``zero``.
    public static func random(using random: inout RandomSource) -> InfoHash {
        InfoHash(high: random.next(), middle: random.next(), low: UInt32(truncatingIfNeeded: random.next()) | 1)
    }

    /// The 20 bytes, most significant first.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Self.byteCount)
        writer.write(high)
        writer.write(middle)
        writer.write(low)
        return writer.bytes
    }

    /// How many bytes an identifier takes as `bin`.
    static var packedSize: Int { MessagePackWriter.size(ofBinary: byteCount) }

    /// Writes the identifier as `bin`.
    func write(to writer: inout MessagePackWriter) {
        writer.write(upTo: Self.packedSize) { output in output.append(packed: self) }
    }

    /// Appends the 20 bytes, as a part of something longer.
    @inline(__always)
    @_lifetime(output: copy output)
    func append(to output: inout OutputSpan<UInt8>) {
        output.append(bigEndian: high)
        output.append(bigEndian: middle)
        output.append(bigEndian: low)
    }

    /// The XOR distance to `other`; compare distances with `<`.
    public func distance(to other: InfoHash) -> InfoHash {
        InfoHash(high: high ^ other.high, middle: middle ^ other.middle, low: low ^ other.low)
    }

    /// Whether this identifier is strictly closer to `target` than `other` is.
    public func isCloser(to target: InfoHash, than other: InfoHash) -> Bool {
        distance(to: target) < other.distance(to: target)
    }

    /// This identifier, or distance, as a fraction of the whole space.
    var fraction: Double { Double(high) * 0x1p-64 + Double(middle) * 0x1p-128 + Double(low) * 0x1p-160 }

    /// How many leading bits both identifiers share.
    public func commonPrefix(with other: InfoHash) -> Int {
        if high != other.high { return (high ^ other.high).leadingZeroBitCount }
        if middle != other.middle { return 64 + (middle ^ other.middle).leadingZeroBitCount }
        return 128 + (low ^ other.low).leadingZeroBitCount
    }

    /// The bit at `index`, counted from the most significant.
    func bit(at index: Int) -> Bool {
        switch index {
        case ..<64: high >> UInt64(63 - index) & 1 == 1
        case ..<128: middle >> UInt64(127 - index) & 1 == 1
        default: low >> UInt32(159 - index) & 1 == 1
        }
    }

    /// The first `count` bits of this identifier, followed by those of `tail`.
    func keeping(_ count: Int, then tail: InfoHash) -> InfoHash {
        func mask64(_ bits: Int) -> UInt64 { bits <= 0 ? 0 : bits >= 64 ? .max : .max << UInt64(64 - bits) }
        func mask32(_ bits: Int) -> UInt32 { bits <= 0 ? 0 : bits >= 32 ? .max : .max << UInt32(32 - bits) }
        let (first, second, third) = (mask64(count), mask64(count - 64), mask32(count - 128))
        return InfoHash(
            high: high & first | tail.high & ~first, middle: middle & second | tail.middle & ~second,
            low: low & third | tail.low & ~third)
    }

    /// The identifier with the bit at `index` turned over.
    func flippingBit(at index: Int) -> InfoHash {
        distance(to: InfoHash.zero.settingBit(at: index))
    }

    /// The identifier with the bit at `index` set.
    func settingBit(at index: Int) -> InfoHash {
        switch index {
        case ..<64: InfoHash(high: high | 1 << UInt64(63 - index), middle: middle, low: low)
        case ..<128: InfoHash(high: high, middle: middle | 1 << UInt64(127 - index), low: low)
        default: InfoHash(high: high, middle: middle, low: low | 1 << UInt32(159 - index))
        }
    }
}

/// The identifier of a node; the same space as the keys.
public typealias NodeID = InfoHash

extension InfoHash: Comparable {
    /// Orders identifiers, and distances, as big-endian unsigned integers.
    public static func < (left: InfoHash, right: InfoHash) -> Bool {
        (left.high, left.middle, left.low) < (right.high, right.middle, right.low)
    }
}

extension InfoHash: LosslessStringConvertible {
    /// Reads 40 hexadecimal digits of either case.
    public init?(_ description: String) {
        guard let bytes = Hexadecimal.decode(description) else { return nil }
        self.init(bytes: bytes)
    }

    /// 40 lower-case hexadecimal digits.
    public var description: String { Hexadecimal.encode(bytes) }
}

extension OutputSpan<UInt8> {
    /// Appends an identifier as `bin`: 22 bytes.
    @_lifetime(self: copy self)
    mutating func append(packed hash: InfoHash) {
        append(0xC4)
        append(UInt8(InfoHash.byteCount))
        hash.append(to: &self)
    }
}
