internal import Digests
public import SansIO

/// The label that candidates of the same kind, base address and server share (RFC 8445 §5.1.1.3).
public struct Foundation: Hashable, Sendable, CustomStringConvertible {
    /// The label, 1 to 32 characters of `A-Za-z0-9+/`.
    public let description: String

    /// The most characters a foundation may have.
    public static let lengthLimit = 32

    /// Takes a label as it stands in a candidate line; `nil` when it is not one.
    public init?(_ text: some StringProtocol) {
        guard (1...Self.lengthLimit).contains(text.utf8.count), text.utf8.allSatisfy(isICECharacter) else { return nil }
        description = String(text)
    }

    /// The label as Jami builds it: a letter for the kind and the base's IPv4 address as a hexadecimal number
    /// without leading zeros, or for IPv6 a 32-bit hash of the address.
    ///
    /// UDP and TCP candidates of one base share it, which is harmless as they never meet in one pair.
    ///
    /// - Parameter server: tells apart the servers that told addresses of one base, as what one tells may work where the
    ///   word of another does not.
    public init(kind: Candidate.Kind, base: IPAddress, server: Int = 0) {
        let word: UInt32 =
            switch base {
            case .v4(let word): word
            case .v6: CyclicRedundancyCheck.crc32(base.bytes)
            }
        description = kind.letter + String(word, radix: 16) + (server == 0 ? "" : "+\(server)")
    }

    /// A fresh label for a peer-reflexive candidate, different from every other one with overwhelming odds.
    init(random: inout RandomSource) { description = Candidate.Kind.peerReflexive.letter + random.hexDigits(16) }
}

extension Candidate.Kind {
    fileprivate var letter: String {
        switch self {
        case .host: "H"
        case .serverReflexive: "S"
        case .peerReflexive: "P"
        case .relayed: "R"
        }
    }
}

/// Whether a byte is an ice-char of RFC 8839 §5.1.
func isICECharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"): true
    default: false
    }
}
