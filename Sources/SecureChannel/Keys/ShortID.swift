internal import Crypto
public import SansIO

/// The short id of a public key: SHA-1 of its DER SubjectPublicKeyInfo, 20 bytes.
///
/// The short id of an account key is the account's address; the short id of a device key names the device in DHT keys.
public struct ShortID: Hashable, Comparable, Sendable {
    private let high: UInt64
    private let middle: UInt64
    private let low: UInt32

    /// Bytes in an id.
    public static let byteCount = 20

    /// Reads exactly 20 bytes.
    public init(_ bytes: Span<UInt8>) throws(WireError) {
        guard bytes.count <= Self.byteCount else { throw .overLimit(.keyID, limit: Self.byteCount) }
        var reader = ByteReader(bytes)
        high = try reader.read()
        middle = try reader.read()
        low = try reader.read()
    }

    /// Reads exactly 20 bytes; `nil` for any other length.
    public init?(decoding bytes: [UInt8]) {
        guard let id = try? Self(bytes.span) else { return nil }
        self = id
    }

    /// Reads 40 hexadecimal digits of either case; `nil` for anything else.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hexadecimal.decode(hex) else { return nil }
        self.init(decoding: bytes)
    }

    init(of subjectPublicKeyInfo: [UInt8]) {
        var words = WordReader(Insecure.SHA1.hash(data: subjectPublicKeyInfo))
        (high, middle, low) = (words.next(), words.next(), words.next())
    }

    /// The 20 bytes.
    public var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.write(high)
        writer.write(middle)
        writer.write(low)
        return writer.bytes
    }

    /// The id as 40 lower-case hexadecimal digits.
    public var hex: String { Hexadecimal.encode(bytes) }

    /// Orders ids as big-endian numbers.
    public static func < (left: Self, right: Self) -> Bool {
        (left.high, left.middle, left.low) < (right.high, right.middle, right.low)
    }
}

extension ShortID: CustomStringConvertible {
    /// The id as 40 lower-case hexadecimal digits.
    public var description: String { hex }
}

/// Cuts a digest, whose length its type fixes, into big-endian words.
struct WordReader {
    private var bytes: [UInt8].Iterator

    init(_ digest: some Sequence<UInt8>) { bytes = Array(digest).makeIterator() }

    mutating func next<T: FixedWidthInteger>() -> T {
        var word: T = 0
        for _ in 0..<T.bitWidth / 8 { word = word << 8 | T(truncatingIfNeeded: bytes.next() ?? 0) }
        return word
    }
}

extension WireError.Field {
    static let keyID: Self = "key id"
}
