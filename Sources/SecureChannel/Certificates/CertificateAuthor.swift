internal import CryptoExtras
internal import FoundationEssentials
internal import SansIO
internal import SwiftASN1
internal import X509

/// Writes the certificates of a Jami identity: authority, account and device.
struct CertificateAuthor {
    /// What is certified, and the name it gets.
    struct Subject {
        let commonName: String
        let key: PrivateKey
        let isAuthority: Bool
    }

    /// Ten years without leap days, as stock peers count them.
    static let lifetimeSeconds: Int64 = 10 * 365 * 86_400

    /// First second of validity, in Unix time.
    let notBefore: Int64
    /// Last second of validity, in Unix time.
    let notAfter: Int64

    /// Certifies `subject` by `issuer`, which may be the same.
    ///
    /// Signed with SHA-384, since stock peers offer nothing weaker in TLS; the serial number is 64 bits, positive.
    func certify(_ subject: Subject, by issuer: Subject) throws(SecureChannelError) -> Certificate {
        try certify(subject, by: issuer.key) { Self.name(of: issuer) }
    }

    /// Certifies `subject` by the key of a certificate that exists, under the name that certificate has.
    func certify(
        _ subject: Subject, by key: PrivateKey, named issuer: Certificate
    ) throws(SecureChannelError) -> Certificate {
        try certify(subject, by: key) { try DistinguishedName(derEncoded: DER.parse(issuer.subject)) }
    }

    private func certify(
        _ subject: Subject, by key: PrivateKey, named issuer: () throws -> DistinguishedName
    ) throws(SecureChannelError) -> Certificate {
        try replacingErrors(by: SecureChannelError.certification) {
            let written = try X509.Certificate(
                version: .v3,
                serialNumber: Self.serialNumber(),
                publicKey: X509.Certificate.PublicKey(subject.key.key.publicKey),
                notValidBefore: Date(timeIntervalSince1970: Double(notBefore)),
                notValidAfter: Date(timeIntervalSince1970: Double(notAfter)),
                issuer: issuer(),
                subject: Self.name(of: subject),
                signatureAlgorithm: .sha384WithRSAEncryption,
                extensions: Self.extensions(of: subject),
                issuerPrivateKey: X509.Certificate.PrivateKey(key.key))
            var serializer = DER.Serializer()
            try serializer.serialize(written)
            return try Certificate(der: serializer.serializedBytes)
        }
    }

    /// Common name first, user id second; the order is part of the name's bytes.
    private static func name(of subject: Subject) -> DistinguishedName {
        let id = subject.key.publicKey.shortID.hex
        return DistinguishedName([
            RelativeDistinguishedName(.init(type: Name.commonNameType, utf8String: subject.commonName)),
            RelativeDistinguishedName(.init(type: Name.userIDType, utf8String: id)),
        ])
    }

    private static func extensions(of subject: Subject) throws -> X509.Certificate.Extensions {
        let keyID = subject.key.publicKey.shortID.bytes
        return try X509.Certificate.Extensions {
            SubjectKeyIdentifier(keyIdentifier: keyID[...])
            if subject.isAuthority {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            } else {
                Critical(KeyUsage(digitalSignature: true, dataEncipherment: true))
            }
        }
    }

    /// Eight random bytes; the top bit is clear so that the number is positive, the next one set so that all count.
    private static func serialNumber() -> X509.Certificate.SerialNumber {
        var random = RandomSource.system
        var bytes = random.bytes(8)
        bytes[0] = bytes[0] & 0x7F | 0x40
        return X509.Certificate.SerialNumber(bytes: bytes)
    }
}
