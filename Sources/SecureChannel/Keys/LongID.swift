internal import Crypto
public import SansIO

/// The long id of a public key: SHA-256 of its DER SubjectPublicKeyInfo, 32 bytes.
///
/// Newer peers name devices by it: in logs, in SIP contacts and, hashed once more, in DHT keys.
public struct LongID: Hashable, Comparable, Sendable {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64
    private let fourth: UInt64

    /// Bytes in an id.
    public static let byteCount = 32

    /// Reads exactly 32 bytes.
    public init(_ bytes: Span<UInt8>) throws(WireError) {
        guard bytes.count <= Self.byteCount else { throw .overLimit(.keyID, limit: Self.byteCount) }
        var reader = ByteReader(bytes)
        first = try reader.read()
        second = try reader.read()
        third = try reader.read()
        fourth = try reader.read()
    }

    /// Reads exactly 32 bytes; `nil` for any other length.
    public init?(decoding bytes: [UInt8]) {
        guard let id = try? Self(bytes.span) else { return nil }
        self = id
    }

    /// Reads 64 hexadecimal digits of either case; `nil` for anything else.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hexadecimal.decode(hex) else { return nil }
        self.init(decoding: bytes)
    }

    init(of subjectPublicKeyInfo: [UInt8]) {
        var words = WordReader(SHA256.hash(data: subjectPublicKeyInfo))
        (first, second, third, fourth) = (words.next(), words.next(), words.next(), words.next())
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        var writer = ByteWriter()
        for word in [first, second, third, fourth] { writer.write(word) }
        return writer.bytes
    }

    /// The id as 64 lower-case hexadecimal digits.
    public var hex: String { Hexadecimal.encode(bytes) }

    /// SHA-1 of the 32 bytes: where newer DHT nodes keep the certificate of this key.
    public var hashed: ShortID { ShortID(of: bytes) }

    /// Orders ids as big-endian numbers.
    public static func < (left: Self, right: Self) -> Bool {
        (left.first, left.second, left.third, left.fourth) < (right.first, right.second, right.third, right.fourth)
    }
}

extension LongID: CustomStringConvertible {
    /// The id as 64 lower-case hexadecimal digits.
    public var description: String { hex }
}
