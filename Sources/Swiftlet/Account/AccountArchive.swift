internal import Digests
internal import SansIO
public import SecureChannel

/// An account outside of a device: what stock Jami exports to move an account to another device or to keep it safe.
///
/// The text is a JSON object with the account's keys and certificates, its contacts and its settings; what is not
/// understood here is given back as it came. Left out are the certificate and the key of the device that exported: they
/// are of no use elsewhere, and no stock reader looks at them. The receipt that stock peers keep beside the archive on a
/// device is not needed here: the account's key is at hand, so that a node signs its announcement itself.
public struct AccountArchive: Sendable {
    /// The account's key.
    public let accountKey: PrivateKey
    /// The key of the authority above the account; archives need not hold it.
    public let authorityKey: PrivateKey?
    /// The account's certificate, then those above it.
    public let certificates: CertificateChain
    /// The account's contacts.
    public var contacts: ContactList
    /// The name shown to peers; empty for none.
    public var displayName: String
    /// Every other member, in the order it came.
    private(set) var others: [JSON.Member]

    /// The account's address.
    public var id: AccountID { accountKey.publicKey.shortID }

    /// The members that have a meaning here.
    enum Key: String {
        case authorityKey = "ringCaKey"
        case accountKey = "ringAccountKey"
        case certificates = "ringAccountCert"
        case contacts = "ringAccountContacts"
        case displayName = "Account.displayName"
        /// Whether a password seals the archive, as its writer saw it.
        case hasPassword = "Account.archiveHasPassword"
        /// The secret for the name server: 32 bytes.
        case nameKey = "ethKey"
        case deviceCertificate = "TLS.certificateFile"
        case deviceKey = "TLS.privateKeyFile"
    }

    /// Puts an archive together from what a state folder holds.
    init(_ identity: Identity, displayName: String, contacts: ContactList, others: [JSON.Member]) throws(WireError) {
        accountKey = identity.accountKey
        authorityKey = identity.authorityKey
        certificates = try CertificateChain(Array(identity.chain.certificates.dropFirst()))
        self.contacts = contacts
        self.displayName = displayName
        self.others = others
        guard others[Key.nameKey.rawValue] == nil else { return }
        // Without one, a stock daemon is left with an empty secret. Drawn from the account's key, so that every archive
        // of the account holds the same.
        let secret = Hash.sha256(Array(("name server key of " + accountKey.pem).utf8))
        self.others.append(.init(name: Key.nameKey.rawValue, value: .text(Base64.encode(secret))))
    }
}

// MARK: - Text

extension AccountArchive {
    /// The longest JSON text that is read, in bytes.
    public static let maximumBytes = 8 << 20

    /// Reads the JSON text of an archive.
    package init(json text: [UInt8]) throws(AccountArchiveError) {
        guard text.count <= Self.maximumBytes else { throw .overLimit(limit: Self.maximumBytes) }
        let json: JSON
        do { json = try JSON(decoding: text) } catch { throw .damaged }
        guard case .object(let members) = json else { throw .notAnArchive }
        var rest: [String: JSON] = [:]
        for member in members { rest[member.name] = member.value }
        func take(_ key: Key) -> JSON? { rest.removeValue(forKey: key.rawValue) }

        guard let accountKey = take(.accountKey) else { throw .incomplete(key: Key.accountKey.rawValue) }
        guard let certificates = take(.certificates) else { throw .incomplete(key: Key.certificates.rawValue) }
        self.accountKey = try Self.privateKey(accountKey, .accountKey)
        authorityKey = if let key = take(.authorityKey) { try Self.privateKey(key, .authorityKey) } else { nil }
        self.certificates = try Self.chain(certificates)
        guard self.certificates.device.publicKey == self.accountKey.publicKey,
            authorityKey == nil || self.certificates.authority.publicKey == authorityKey?.publicKey
        else { throw .mismatched }

        switch take(.contacts) {
        case .object(let members)?: contacts = ContactList(members)
        // Stock peers write nothing, or null, for no contacts.
        case nil, .null?: contacts = ContactList()
        default: throw .malformed(key: Key.contacts.rawValue)
        }
        switch take(.displayName) {
        case .text(let name)?: displayName = name
        case nil: displayName = ""
        default: throw .malformed(key: Key.displayName.rawValue)
        }
        _ = (take(.deviceCertificate), take(.deviceKey))
        others = members.filter { rest[$0.name] != nil }
    }

    /// The JSON text.
    package var json: [UInt8] { text(isSealed: false) }

    func text(isSealed: Bool) -> [UInt8] {
        var members = others
        func add(_ key: Key, _ value: JSON) { members.append(.init(name: key.rawValue, value: value)) }
        if let index = members.firstIndex(where: { $0.name == Key.hasPassword.rawValue }) {
            // Settings are text in archives, truth values among them.
            members[index].value = .text(isSealed ? "true" : "false")
        }
        if let authorityKey { add(.authorityKey, Self.armour(authorityKey.pem)) }
        add(.accountKey, Self.armour(accountKey.pem))
        add(.certificates, Self.armour(certificates.pem))
        if !contacts.isEmpty { add(.contacts, contacts.json) }
        if !displayName.isEmpty { add(.displayName, .text(displayName)) }
        return JSON.object(members.sortedByName).encoded
    }

    /// PEM inside of base64.
    private static func armour(_ pem: String) -> JSON { .text(Base64.encode(Array(pem.utf8))) }

    private static func bytes(_ value: JSON, _ key: Key) throws(AccountArchiveError) -> [UInt8] {
        guard let text = value.asText, let bytes = Base64.decode(text) else { throw .malformed(key: key.rawValue) }
        return bytes
    }

    private static func privateKey(_ value: JSON, _ key: Key) throws(AccountArchiveError) -> PrivateKey {
        let text = String(decoding: try bytes(value, key), as: UTF8.self)
        do { return try PrivateKey(pem: text) } catch { throw .malformed(key: key.rawValue) }
    }

    private static func chain(_ value: JSON) throws(AccountArchiveError) -> CertificateChain {
        let bytes = try bytes(value, .certificates)
        do { return try CertificateChain(decoding: bytes) } catch {
            throw .malformed(key: Key.certificates.rawValue)
        }
    }
}
