internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
public import SansIO

/// An RSA private key of 2048 to 8192 bits.
///
/// Operations take milliseconds (about 5 ms at 4096 bits): run them on a worker where a loop must not wait.
public struct PrivateKey: Sendable {
    /// The size every Jami release generates.
    public static let standardBits = 4096

    /// The other half.
    public let publicKey: PublicKey

    let key: _RSA.Signing.PrivateKey

    /// Reads a key in DER, as PKCS#8 PrivateKeyInfo or PKCS#1 RSAPrivateKey.
    public init(der: [UInt8]) throws(WireError) {
        // A private key holds the modulus, an equally long exponent and five halves; six moduli are plenty.
        let limit = PublicKey.maximumBits * 6 / 8
        guard der.count <= limit else { throw .overLimit(.privateKey, limit: limit) }
        let key = try replacingErrors(by: WireError.malformed(.privateKey, at: 0)) {
            try _RSA.Signing.PrivateKey(derRepresentation: der)
        }
        try self.init(key)
    }

    /// Reads the first unencrypted PKCS#8 or PKCS#1 key of a PEM text.
    public init(pem: String) throws(WireError) {
        let text = Array(pem.utf8)
        var cursor = 0
        while let block = try PEM.next(in: text, from: &cursor) {
            guard block.label == PEM.pkcs8Label || block.label == PEM.pkcs1Label else { continue }
            try self.init(der: block.content)
            return
        }
        throw .malformed(.privateKey, at: 0)
    }

    private init(_ key: _RSA.Signing.PrivateKey) throws(WireError) {
        self.key = key
        publicKey = try PublicKey(der: [UInt8](key.publicKey.derRepresentation))
    }

    /// Makes a new key from the system's randomness; takes up to seconds.
    public static func generate(bits: Int = standardBits) throws(SecureChannelError) -> PrivateKey {
        guard (2048...PublicKey.maximumBits).contains(bits), bits.isMultiple(of: 8) else {
            throw .keyGeneration(bits: bits)
        }
        return try replacingErrors(by: SecureChannelError.keyGeneration(bits: bits)) {
            try PrivateKey(_RSA.Signing.PrivateKey(keySize: .init(bitCount: bits)))
        }
    }

    /// The key as PKCS#8 PEM, which is what Jami stores.
    public var pem: String { PEM.encode([UInt8](key.pkcs8DERRepresentation), label: PEM.pkcs8Label) }

    /// The key as PKCS#1 PEM.
    public var pkcs1PEM: String { PEM.encode([UInt8](key.derRepresentation), label: PEM.pkcs1Label) }

    /// Signs `message` with RSASSA-PKCS1-v1_5.
    public func sign(_ message: [UInt8], hash: SignatureHash = .sha512) throws(SecureChannelError) -> [UInt8] {
        let padding = _RSA.Signing.Padding.insecurePKCS1v1_5
        return try replacingErrors(by: SecureChannelError.signing) {
            let signature =
                switch hash {
                case .sha256: try key.signature(for: SHA256.hash(data: message), padding: padding)
                case .sha384: try key.signature(for: SHA384.hash(data: message), padding: padding)
                case .sha512: try key.signature(for: SHA512.hash(data: message), padding: padding)
                }
            return [UInt8](signature.rawRepresentation)
        }
    }
}

extension WireError.Field {
    static let privateKey: Self = "private key"
}
