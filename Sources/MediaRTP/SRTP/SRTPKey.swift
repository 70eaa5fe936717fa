public import SansIO

/// How packets are encrypted and authenticated, named as in SDES (RFC 4568 §6.2, RFC 7714 §14.2).
public enum SRTPSuite: String, CaseIterable, Hashable, Sendable {
    /// AES-128 in counter mode with an 80-bit tag; the one suite stock Jami offers.
    case aes128CounterSHA1Tag80 = "AES_CM_128_HMAC_SHA1_80"
    /// AES-128 in counter mode with a 32-bit tag on RTP and an 80-bit tag on RTCP.
    case aes128CounterSHA1Tag32 = "AES_CM_128_HMAC_SHA1_32"
    /// AES-128 in Galois/counter mode.
    case aes128GCM = "AEAD_AES_128_GCM"
    /// AES-256 in Galois/counter mode.
    case aes256GCM = "AEAD_AES_256_GCM"

    /// The length of the master key in bytes.
    public var keyLength: Int { self == .aes256GCM ? 32 : 16 }

    /// The length of the master salt in bytes.
    public var saltLength: Int {
        switch self {
        case .aes128CounterSHA1Tag80, .aes128CounterSHA1Tag32: 14
        case .aes128GCM, .aes256GCM: 12
        }
    }

    /// How many bytes protection adds to an RTP packet.
    public var tagLength: Int {
        switch self {
        case .aes128CounterSHA1Tag80: 10
        case .aes128CounterSHA1Tag32: 4
        case .aes128GCM, .aes256GCM: 16
        }
    }
}

/// A master key followed by its salt, for one direction of one stream.
///
/// Printing it shows its length only.
public struct SRTPKey: Hashable, Sendable {
    /// The key, then the salt: 30 bytes for the counter-mode suites.
    public let bytes: [UInt8]

    /// Draws a new key for `suite`; `random` must be the system's wherever the key leaves the machine.
    public init(random: inout RandomSource, suite: SRTPSuite = .aes128CounterSHA1Tag80) {
        bytes = random.bytes(suite.keyLength + suite.saltLength)
    }

    /// Takes a key and salt, and checks their length.
    public init(bytes: [UInt8], suite: SRTPSuite = .aes128CounterSHA1Tag80) throws(MediaError) {
        let expected = suite.keyLength + suite.saltLength
        guard bytes.count == expected else { throw .keyLength(expected: expected, actual: bytes.count) }
        self.bytes = bytes
    }

    /// Reads the text behind `inline:` of an SDES attribute, with or without padding.
    public init(base64 text: some StringProtocol, suite: SRTPSuite = .aes128CounterSHA1Tag80) throws(MediaError) {
        guard let bytes = Base64.decode(text) else { throw .keyText }
        try self.init(bytes: bytes, suite: suite)
    }

    /// The text for `inline:` of an SDES attribute.
    public var base64: String { Base64.encode(bytes) }
}

extension SRTPKey: CustomStringConvertible, CustomDebugStringConvertible {
    /// Names the length and hides the key.
    public var description: String { "SRTPKey(\(bytes.count) bytes)" }

    /// Names the length and hides the key.
    public var debugDescription: String { description }
}
