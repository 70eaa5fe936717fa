public import SansIO

/// One X.509 certificate: the facts Jami looks at, and the exact bytes they came from.
///
/// The reader asks for the structure of RFC 5280 and nothing more: negative serial numbers and missing extensions, both
/// of which stock peers produce, are fine. Nothing is verified here; that is ``Trust``.
public struct Certificate: Sendable {
    /// The largest certificate that is read, in bytes.
    public static let maximumBytes = 16_384

    /// The certificate as it was read.
    public let der: [UInt8]
    /// The subject's common name, empty when it has none.
    public let commonName: String
    /// The subject's user id (attribute 0.9.2342.19200300.100.1.1), the hexadecimal short id of the key in Jami.
    public let userID: String?
    /// The issuer's user id, if the issuer's name has one.
    public let issuerUserID: String?
    /// The certified key as DER SubjectPublicKeyInfo, exactly as it stands in the certificate.
    public let publicKeyDER: [UInt8]
    /// The certified key, if it is of the kind and size everything here needs; DHT nodes without a user have others.
    public let publicKey: PublicKey?
    /// SHA-1 of ``publicKeyDER``.
    public let shortID: ShortID
    /// SHA-256 of ``publicKeyDER``.
    public let longID: LongID
    /// First second of validity, in Unix time.
    public let notBefore: Int64
    /// Last second of validity, in Unix time.
    public let notAfter: Int64
    /// The serial number's bytes in DER, two's complement.
    public let serialNumber: [UInt8]
    /// Whether basic constraints make the subject an authority.
    public let isAuthority: Bool
    /// How many further authorities may follow below, if the certificate limits it.
    public let pathLength: Int?
    /// The subject key identifier, if present.
    public let subjectKeyIdentifier: [UInt8]?
    /// The allowed uses, if the certificate names them.
    public let keyUsage: KeyUsage?
    /// Whether there is an extension that is marked critical and not understood here.
    public let hasUnknownCriticalExtension: Bool

    let subject: [UInt8]
    let issuer: [UInt8]
    let signedBytes: [UInt8]
    let signatureHash: SignatureHash?
    let signature: [UInt8]

    /// What a key may be used for (RFC 5280 §4.2.1.3); the bits as they stand in the first byte.
    public struct KeyUsage: OptionSet, Hashable, Sendable {
        /// The first byte of the bit string.
        public let rawValue: UInt8

        /// Wraps the first byte of the bit string.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Signatures other than on certificates and revocation lists.
        public static let digitalSignature = KeyUsage(rawValue: 0x80)
        /// Encryption of data itself.
        public static let dataEncipherment = KeyUsage(rawValue: 0x10)
        /// Signatures on certificates.
        public static let certificateSigning = KeyUsage(rawValue: 0x04)
        /// Signatures on revocation lists.
        public static let revocationListSigning = KeyUsage(rawValue: 0x02)
    }

    /// Reads one DER certificate that fills `der`.
    public init(der: [UInt8]) throws(WireError) {
        guard der.count <= Self.maximumBytes else { throw .overLimit(.certificate, limit: Self.maximumBytes) }
        let fields = try replacingErrors(by: WireError.malformed(.certificate, at: 0)) {
            try CertificateFields(der: der)
        }
        self.der = der
        publicKeyDER = fields.publicKey
        publicKey = try? PublicKey(der: fields.publicKey)
        (shortID, longID) = (ShortID(of: fields.publicKey), LongID(of: fields.publicKey))
        (subject, issuer) = (fields.subject.der, fields.issuer.der)
        commonName = fields.subject.commonName ?? ""
        (userID, issuerUserID) = (fields.subject.userID, fields.issuer.userID)
        (notBefore, notAfter) = (fields.notBefore, fields.notAfter)
        serialNumber = fields.serialNumber
        (isAuthority, pathLength) = (fields.extensions.isAuthority, fields.extensions.pathLength)
        subjectKeyIdentifier = fields.extensions.subjectKeyIdentifier
        keyUsage = fields.extensions.keyUsage
        hasUnknownCriticalExtension = fields.extensions.hasUnknownCritical
        (signedBytes, signatureHash, signature) = (fields.signedBytes, fields.signatureHash, fields.signature)
    }

    /// The certificate as PEM, in lines of 64 characters and ending in a line break, as GnuTLS writes it.
    public var pem: String { PEM.encode(der, label: PEM.certificateLabel) }

    /// Whether the certificate names itself as its issuer.
    public var isSelfIssued: Bool { subject == issuer }

    /// Whether `issuer` signed this certificate. Names and dates are not looked at.
    public func isSigned(by issuer: PublicKey) -> Bool {
        guard let signatureHash else { return false }
        return issuer.verifies(signature, of: signedBytes, hash: signatureHash)
    }
}

extension Certificate: Hashable {
    /// Certificates are equal when their bytes are.
    public static func == (left: Self, right: Self) -> Bool { left.der == right.der }

    /// Feeds the bytes.
    public func hash(into hasher: inout Hasher) { hasher.combine(der) }
}

extension WireError.Field {
    static let certificate: Self = "certificate"
    static let certificateChain: Self = "certificate chain"
}
