public import SansIO

/// Who a node is: the account's and the device's keys with the certificates that bind them.
public struct Identity: Sendable {
    /// The key of the authority above the account, where it is known; only needed to issue another account certificate.
    public let authorityKey: PrivateKey?
    /// The account's key: signs device announcements.
    public let accountKey: PrivateKey
    /// The device's key: signs and opens values, and proves the device in TLS.
    public let deviceKey: PrivateKey
    /// Device, account and, as a rule, authority certificates.
    public let chain: CertificateChain
    /// The account's address.
    public let accountID: ShortID

    /// Joins keys with their chain; the chain must certify exactly these keys, the device's first, then the account's,
    /// the authority's last.
    public init(
        authorityKey: PrivateKey?, accountKey: PrivateKey, deviceKey: PrivateKey, chain: CertificateChain
    ) throws(WireError) {
        let certified = chain.certificates.map(\.publicKey)
        guard certified.prefix(2) == [deviceKey.publicKey, accountKey.publicKey],
            authorityKey == nil || certified.last == authorityKey?.publicKey
        else { throw .malformed(.certificateChain, at: 0) }
        self.authorityKey = authorityKey
        self.accountKey = accountKey
        self.deviceKey = deviceKey
        self.chain = chain
        accountID = accountKey.publicKey.shortID
    }

    /// The device's short id, which names it in DHT keys.
    public var deviceID: ShortID { deviceKey.publicKey.shortID }

    /// The device's long id, which names it towards users and newer peers.
    public var longDeviceID: LongID { deviceKey.publicKey.longID }

    /// Makes three keys and certifies them for ten years from `unixSeconds` on.
    ///
    /// Takes seconds at the standard size: call it on a worker.
    /// - Parameters:
    ///   - bits: size of the keys; stock peers use 4096.
    ///   - unixSeconds: now, in Unix time.
    public static func create(
        bits: Int = PrivateKey.standardBits, at unixSeconds: Int64
    ) throws(SecureChannelError) -> Identity {
        try create(
            authorityKey: .generate(bits: bits), accountKey: .generate(bits: bits), deviceKey: .generate(bits: bits),
            notBefore: unixSeconds, notAfter: unixSeconds + CertificateAuthor.lifetimeSeconds)
    }

    /// Makes a new device of an account that exists: a new key, certified by the account's for ten years from
    /// `unixSeconds` on.
    ///
    /// Takes up to seconds at the standard size: call it on a worker.
    /// - Parameters:
    ///   - accountKey: the account's key.
    ///   - certificates: the account's certificate and those above it; they are judged with the new device's.
    ///   - authorityKey: the key of the last certificate, if it is known.
    ///   - bits: size of the device's key; stock peers use 4096.
    ///   - unixSeconds: now, in Unix time.
    public static func create(
        deviceOf accountKey: PrivateKey, certificates: CertificateChain, authorityKey: PrivateKey? = nil,
        bits: Int = PrivateKey.standardBits, at unixSeconds: Int64
    ) throws(SecureChannelError) -> Identity {
        let deviceKey = try PrivateKey.generate(bits: bits)
        let author = CertificateAuthor(
            notBefore: unixSeconds, notAfter: unixSeconds + CertificateAuthor.lifetimeSeconds)
        let device = CertificateAuthor.Subject(commonName: "Jami device", key: deviceKey, isAuthority: false)
        let certificate = try author.certify(device, by: accountKey, named: certificates.device)
        let identity = try replacingErrors(by: SecureChannelError.certification) {
            try Identity(
                authorityKey: authorityKey, accountKey: accountKey, deviceKey: deviceKey,
                chain: CertificateChain([certificate] + certificates.certificates))
        }
        do { try Trust().verify(identity.chain, at: unixSeconds) } catch { throw .untrusted(error) }
        return identity
    }

    /// Certifies given keys for a given time.
    package static func create(
        authorityKey: PrivateKey, accountKey: PrivateKey, deviceKey: PrivateKey, notBefore: Int64, notAfter: Int64
    ) throws(SecureChannelError) -> Identity {
        let author = CertificateAuthor(notBefore: notBefore, notAfter: notAfter)
        let authority = CertificateAuthor.Subject(commonName: "Jami CA", key: authorityKey, isAuthority: true)
        let account = CertificateAuthor.Subject(commonName: "Jami", key: accountKey, isAuthority: true)
        let device = CertificateAuthor.Subject(commonName: "Jami device", key: deviceKey, isAuthority: false)
        let certificates = [
            try author.certify(device, by: account),
            try author.certify(account, by: authority),
            try author.certify(authority, by: authority),
        ]
        return try replacingErrors(by: SecureChannelError.certification) {
            try Identity(
                authorityKey: authorityKey, accountKey: accountKey, deviceKey: deviceKey,
                chain: CertificateChain(certificates))
        }
    }
}
