/// When a chain proves that a device belongs to an account.
///
/// The chain carries its own anchor: what is trusted is an account id, and the account's key is in the chain. So
/// the rules are about form: each certificate signed by the next, all valid now, issuers allowed to issue.
public struct Trust: Hashable, Sendable {
    /// Smallest modulus that is accepted anywhere in a chain, in bits.
    public var minimumKeyBits = 2048
    /// Whether each user id must spell the short id of its key, as releases of 2019 demanded.
    public var requiresUserID = false

    /// Creates the rules current peers follow.
    public init() {}

    /// Why a chain is not to be trusted. Levels count from the device, 0, upwards.
    public enum Failure: Error, Hashable, Sendable {
        /// The device's certificate stands alone, so that it names no account.
        case noIssuer
        /// A key is not RSA, or larger than ``PublicKey/maximumBits``.
        case unsupportedKey(level: Int)
        /// A key is smaller than ``Trust/minimumKeyBits``.
        case weakKey(level: Int)
        /// A certificate is not valid yet.
        case notYetValid(level: Int)
        /// A certificate is no longer valid.
        case expired(level: Int)
        /// A certificate names another issuer than the one that follows.
        case wrongIssuer(level: Int)
        /// A signature is wrong or of an unknown kind.
        case badSignature(level: Int)
        /// An issuer is not allowed to issue certificates, or not this deep.
        case notAuthority(level: Int)
        /// A certificate demands that something unknown be understood.
        case unknownCriticalExtension(level: Int)
        /// The device's certificate is the account's own.
        case deviceIsIssuer
        /// A user id does not spell the short id of its key.
        case wrongUserID(level: Int)
    }

    /// Checks `chain` at a Unix time and returns the account it proves.
    @discardableResult
    public func verify(_ chain: CertificateChain, at unixSeconds: Int64) throws(Failure) -> ShortID {
        let certificates = chain.certificates
        guard let account = chain.account else { throw .noIssuer }
        guard account.publicKeyDER != chain.device.publicKeyDER else { throw .deviceIsIssuer }
        for (level, certificate) in certificates.enumerated() {
            try check(certificate, level: level, at: unixSeconds)
            if level + 1 < certificates.count {
                try check(certificate, level: level, issuedBy: certificates[level + 1])
            } else if certificate.isSelfIssued {
                try check(certificate, level: level, issuedBy: certificate)
            }
        }
        return account.shortID
    }

    private func check(_ certificate: Certificate, level: Int, at unixSeconds: Int64) throws(Failure) {
        guard let key = certificate.publicKey else { throw .unsupportedKey(level: level) }
        guard key.bits >= minimumKeyBits else { throw .weakKey(level: level) }
        guard unixSeconds >= certificate.notBefore else { throw .notYetValid(level: level) }
        guard unixSeconds <= certificate.notAfter else { throw .expired(level: level) }
        guard !certificate.hasUnknownCriticalExtension else { throw .unknownCriticalExtension(level: level) }
        if requiresUserID, certificate.userID != certificate.shortID.hex { throw .wrongUserID(level: level) }
        guard level > 0 else { return }
        guard certificate.isAuthority, certificate.keyUsage?.contains(.certificateSigning) ?? true,
            certificate.pathLength.map({ $0 >= level - 1 }) ?? true
        else { throw .notAuthority(level: level) }
    }

    private func check(_ certificate: Certificate, level: Int, issuedBy issuer: Certificate) throws(Failure) {
        guard certificate.issuer == issuer.subject else { throw .wrongIssuer(level: level) }
        guard let key = issuer.publicKey, certificate.isSigned(by: key) else { throw .badSignature(level: level) }
    }
}
