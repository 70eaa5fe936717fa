internal import Digests

/// The key of MESSAGE-INTEGRITY, hashed once for both algorithms (RFC 8489 §9).
public struct IntegrityKey: Sendable {
    /// How a long-term key is made from a password (RFC 8489 §18.5).
    public enum Algorithm: Hashable, Sendable {
        /// MD5, what every server knows.
        case md5
        /// SHA-256, where PASSWORD-ALGORITHM was negotiated.
        case sha256
    }

    let sha1: MessageAuthentication
    let sha256: MessageAuthentication

    /// Takes the bytes of a key.
    public init(bytes: [UInt8]) {
        sha1 = MessageAuthentication(.sha1, key: bytes)
        sha256 = MessageAuthentication(.sha256, key: bytes)
    }

    /// The short-term key: the password's own bytes. Passwords beyond ASCII must be prepared as of RFC 8265 before.
    public init(shortTerm password: String) { self.init(bytes: Array(password.utf8)) }

    /// The long-term key of RFC 8489 §9.2.2, from texts that are prepared already.
    public init(longTerm username: String, realm: String, password: String, algorithm: Algorithm = .md5) {
        self.init(bytes: Self.longTermBytes(username, realm, password, algorithm))
    }

    static func longTermBytes(
        _ username: String, _ realm: String, _ password: String, _ algorithm: Algorithm
    ) -> [UInt8] {
        let text = Array("\(username):\(realm):\(password)".utf8)
        return switch algorithm {
        case .md5: Hash.md5(text)
        case .sha256: Hash.sha256(text)
        }
    }

    /// The value of USERHASH (RFC 8489 §14.4).
    public static func userHash(username: String, realm: String) -> [UInt8] {
        Hash.sha256(Array("\(username):\(realm)".utf8))
    }
}
