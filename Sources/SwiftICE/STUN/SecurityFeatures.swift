internal import SansIO

/// What a server's nonce says it can do (RFC 8489 §9.2 and §18.1).
public struct SecurityFeatures: OptionSet, Hashable, Sendable {
    /// The 24 bits; the first feature is the most significant.
    public let rawValue: UInt32

    /// Takes the bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The server offers PASSWORD-ALGORITHMS; a response without the list was tampered with.
    public static let passwordAlgorithms = SecurityFeatures(rawValue: 1 << 23)
    /// The server takes USERHASH for USERNAME.
    public static let usernameAnonymity = SecurityFeatures(rawValue: 1 << 22)

    /// Reads the features out of a nonce; empty when it does not start with the nonce cookie.
    public init(nonce: [UInt8]) {
        let cookie = Array("obMatJos2".utf8)
        let digits = nonce.dropFirst(cookie.count).prefix(4)
        guard nonce.starts(with: cookie), digits.count == 4,
            let bytes = Base64.decode(String(decoding: digits, as: UTF8.self)), bytes.count == 3
        else {
            self = []
            return
        }
        self.init(rawValue: UInt32(bytes[0]) << 16 | UInt32(bytes[1]) << 8 | UInt32(bytes[2]))
    }
}
