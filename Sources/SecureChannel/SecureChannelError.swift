/// Why keys, sealed bytes or a session failed.
public enum SecureChannelError: Error, Hashable, Sendable {
    /// A key could not be made, or has a size that is not offered.
    case keyGeneration(bits: Int)
    /// The key refused to sign.
    case signing
    /// The recipient's key is too small for what is to be sealed.
    case sealing
    /// Sealed bytes are not for this key or password, damaged or forged; which of them is not told, on purpose.
    case unopenable
    /// There was not enough memory to stretch a password.
    case stretching
    /// A certificate could not be built or signed.
    case certification
    /// GnuTLS would not take a certificate chain with its key, or a setting; the code is GnuTLS's.
    case refusedByLibrary(code: Int32)
    /// The chain of the peer, or of an account to join, is not to be trusted.
    case untrusted(Trust.Failure)
    /// The peer's chain could not be read.
    case unreadableCertificate
    /// The chain is sound, but is not the one that was expected.
    case unexpectedPeer(account: ShortID, device: ShortID)
    /// There is no certificate to judge servers by, in the system's trust store or in what was given.
    case noAuthority
    /// A server's certificate is not to be trusted, or does not name it; the bits are GnuTLS's.
    case untrustedServer(status: UInt32)
    /// The peer ended the session with a fatal alert of this number (RFC 8446 §6).
    case alert(UInt8)
    /// The handshake or a record broke the protocol; the code and its name are GnuTLS's.
    case protocolViolation(code: Int32, name: String)
}

/// Runs `body` and replaces whatever it throws, as the libraries below throw untyped.
func replacingErrors<T, E: Error>(by replacement: @autoclosure () -> E, _ body: () throws -> T) throws(E) -> T {
    do { return try body() } catch { throw replacement() }
}
