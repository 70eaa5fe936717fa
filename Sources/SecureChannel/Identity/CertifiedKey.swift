public import SansIO

/// A key with the certificates that bind a name to it: the identity of a DHT node without an account.
public struct CertifiedKey: Sendable {
    /// The private key.
    public let key: PrivateKey
    /// The key's certificate, and those above it.
    public let chain: CertificateChain

    /// Joins a key with its chain, whose first certificate must be the key's.
    public init(key: PrivateKey, chain: CertificateChain) throws(WireError) {
        guard chain.device.publicKey == key.publicKey else { throw .malformed(.certificateChain, at: 0) }
        (self.key, self.chain) = (key, chain)
    }

    /// Makes a key that certifies itself for ten years from `unixSeconds` on, as OpenDHT does without an authority.
    ///
    /// Takes up to seconds at the standard size: call it on a worker.
    public static func create(
        commonName: String, bits: Int = PrivateKey.standardBits, at unixSeconds: Int64
    ) throws(SecureChannelError) -> CertifiedKey {
        let key = try PrivateKey.generate(bits: bits)
        let author = CertificateAuthor(
            notBefore: unixSeconds, notAfter: unixSeconds + CertificateAuthor.lifetimeSeconds)
        let subject = CertificateAuthor.Subject(commonName: commonName, key: key, isAuthority: true)
        let certificate = try author.certify(subject, by: subject)
        return try replacingErrors(by: SecureChannelError.certification) {
            try CertifiedKey(key: key, chain: CertificateChain([certificate]))
        }
    }

    /// The short id, SHA-1 of the public key: what values signed by the key name as their owner.
    public var id: ShortID { key.publicKey.shortID }

    /// The long id, SHA-256 of the public key.
    public var longID: LongID { key.publicKey.longID }
}
