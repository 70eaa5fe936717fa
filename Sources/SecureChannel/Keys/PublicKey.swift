internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
public import SansIO

/// The hash under an RSA signature.
public enum SignatureHash: Hashable, Sendable {
    /// SHA-256: found on certificates of 2048-bit keys; never emitted.
    case sha256
    /// SHA-384: certificates.
    case sha384
    /// SHA-512: values of the DHT.
    case sha512
}

/// An RSA public key of 2048 to 8192 bits.
public struct PublicKey: Sendable {
    /// The largest modulus that is read, so that a hostile key cannot cost much to use.
    public static let maximumBits = 8192

    /// The key as DER SubjectPublicKeyInfo, exactly as it was read; what ids hash and what the DHT carries.
    public let der: [UInt8]
    /// SHA-1 of ``der``.
    public let shortID: ShortID
    /// SHA-256 of ``der``.
    public let longID: LongID

    private let key: _RSA.Signing.PublicKey

    /// Reads a DER SubjectPublicKeyInfo.
    public init(der: [UInt8]) throws(WireError) {
        // Twice the modulus covers its encoding and any exponent worth accepting.
        guard der.count <= Self.maximumBits / 4 else { throw .overLimit(.publicKey, limit: Self.maximumBits / 4) }
        key = try replacingErrors(by: WireError.malformed(.publicKey, at: 0)) {
            try _RSA.Signing.PublicKey(derRepresentation: der)
        }
        guard key.keySizeInBits <= Self.maximumBits else { throw .overLimit(.publicKey, limit: Self.maximumBits) }
        self.der = der
        shortID = ShortID(of: der)
        longID = LongID(of: der)
    }

    /// Bits of the modulus.
    public var bits: Int { key.keySizeInBits }

    /// Whether `signature` is this key's RSASSA-PKCS1-v1_5 signature of `message`.
    public func verifies(_ signature: [UInt8], of message: [UInt8], hash: SignatureHash = .sha512) -> Bool {
        let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
        let padding = _RSA.Signing.Padding.insecurePKCS1v1_5
        return switch hash {
        case .sha256: key.isValidSignature(signature, for: SHA256.hash(data: message), padding: padding)
        case .sha384: key.isValidSignature(signature, for: SHA384.hash(data: message), padding: padding)
        case .sha512: key.isValidSignature(signature, for: SHA512.hash(data: message), padding: padding)
        }
    }
}

extension PublicKey: Hashable {
    /// Keys are equal when their DER is.
    public static func == (left: Self, right: Self) -> Bool { left.der == right.der }

    /// Feeds the long id, which stands for the whole key.
    public func hash(into hasher: inout Hasher) { hasher.combine(longID) }
}

extension WireError.Field {
    static let publicKey: Self = "public key"
}
