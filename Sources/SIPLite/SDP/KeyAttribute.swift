internal import SansIO

/// A key for SRTP carried in the description (`a=crypto`, RFC 4568). It protects what its writer sends.
///
/// The descriptions travel in an authenticated, encrypted channel; nothing here may be logged.
public struct KeyAttribute: Hashable, Sendable {
    /// How packets are protected.
    public struct Suite: RawRepresentable, Hashable, Sendable {
        /// The suite's name.
        public let rawValue: String

        /// Names a suite.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// AES in counter mode, tags of 80 bits: what Jami offers.
        public static let aes128Tag80 = Suite(rawValue: "AES_CM_128_HMAC_SHA1_80")
        /// AES in counter mode, tags of 32 bits.
        public static let aes128Tag32 = Suite(rawValue: "AES_CM_128_HMAC_SHA1_32")
    }

    /// The number an answer refers to; 1 to 999999999.
    public var tag: Int
    /// The suite.
    public var suite: Suite
    /// 16 bytes of key and 14 bytes of salt.
    public let keyAndSalt: [UInt8]

    /// How many bytes key and salt have in both suites.
    public static let size = 30

    /// Makes a key line; `nil` when the key does not have ``size`` bytes or the tag is out of range.
    public init?(tag: Int = 1, suite: Suite = .aes128Tag80, keyAndSalt: [UInt8]) {
        guard keyAndSalt.count == Self.size, (1...999_999_999).contains(tag) else { return nil }
        self.tag = tag
        self.suite = suite
        self.keyAndSalt = keyAndSalt
    }

    /// Reads the value of the attribute; `nil` for an unknown suite, a malformed key, or a session parameter we would
    /// have to understand (RFC 4568 §6.3.7). Lifetime and master key identifier are tolerated.
    public init?(_ value: String) {
        let words = value.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count >= 3, words[0].utf8.count <= 9, words[0].utf8.allSatisfy(ASCII.isDigit),
            let tag = Int(words[0])
        else { return nil }
        let suite = Suite(rawValue: String(words[1]))
        guard [.aes128Tag80, .aes128Tag32].contains(suite), words[2].hasPrefix("inline:") else { return nil }
        guard words.dropFirst(3).allSatisfy({ $0.hasPrefix("-") || $0.hasPrefix("WSH=") }) else { return nil }
        let text = words[2].dropFirst("inline:".count).prefix { $0 != "|" && $0 != ";" }
        guard let bytes = Base64.decode(text) else { return nil }
        self.init(tag: tag, suite: suite, keyAndSalt: bytes)
    }

    /// The value of the attribute.
    public var value: String { "\(tag) \(suite.rawValue) inline:\(Base64.encode(keyAndSalt))" }
}
