internal import Crypto

/// HMAC under one key that is hashed once and then kept (RFC 2104).
///
/// Copying the kept state costs a quarter of starting from the key, which matters for one HMAC a STUN message.
public struct MessageAuthentication: Sendable {
    /// The hash function inside.
    public enum Algorithm: Hashable, Sendable {
        /// HMAC-SHA1, 20 bytes (STUN MESSAGE-INTEGRITY).
        case sha1
        /// HMAC-SHA256, 32 bytes (STUN MESSAGE-INTEGRITY-SHA256).
        case sha256
    }

    private enum State {
        case sha1(HMAC<Insecure.SHA1>)
        case sha256(HMAC<SHA256>)
    }

    private let state: State

    /// Prepares the key.
    public init(_ algorithm: Algorithm, key: [UInt8]) {
        let key = SymmetricKey(data: key)
        state =
            switch algorithm {
            case .sha1: .sha1(HMAC(key: key))
            case .sha256: .sha256(HMAC(key: key))
            }
    }

    /// Returns the code over the parts, one after the other.
    public func code(over parts: [UInt8]...) -> [UInt8] {
        switch state {
        case .sha1(var hmac):
            for part in parts { hmac.update(data: part) }
            return [UInt8](hmac.finalize())
        case .sha256(var hmac):
            for part in parts { hmac.update(data: part) }
            return [UInt8](hmac.finalize())
        }
    }

    /// Compares two codes in time that depends on their lengths only.
    public static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}
