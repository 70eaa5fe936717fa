/// Checks what others signed, for ``Examination``. Must not block.
public protocol ValueVerifier: Sendable {
    /// Whether `signature` (RSASSA-PKCS1-v1_5 with SHA-512) over `bytes` is by the key `owner` (DER SubjectPublicKeyInfo).
    func isValid(signature: [UInt8], of bytes: [UInt8], by owner: [UInt8]) -> Bool

    /// The DER SubjectPublicKeyInfo of the first certificate in `data`, which is bare or armoured, maybe behind other bytes.
    func publicKey(inCertificate data: [UInt8]) -> [UInt8]?
}

/// Uses one private key. Slow; runs outside of the machine.
public protocol ValueSealer: Sendable {
    /// The key's DER SubjectPublicKeyInfo.
    var publicKey: [UInt8] { get }

    /// Signs `bytes` (RSASSA-PKCS1-v1_5 with SHA-512).
    func sign(_ bytes: [UInt8]) throws -> [UInt8]

    /// Opens what a ``ValueEncryptor`` made for this key.
    func decrypt(_ cypher: [UInt8]) throws -> [UInt8]
}

/// Encrypts for one public key. Runs outside of the machine.
public protocol ValueEncryptor: Sendable {
    /// The key identifier of the only reader: the SHA-1 of its DER SubjectPublicKeyInfo.
    var recipient: InfoHash { get }

    /// Encrypts `bytes` so that only the holder of the private key reads them.
    func encrypt(_ bytes: [UInt8]) throws -> [UInt8]
}
