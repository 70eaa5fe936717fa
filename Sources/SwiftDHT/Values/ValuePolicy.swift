internal import Digests
internal import SansIO

/// How nodes store values of one type.
public struct ValuePolicy: Hashable, Sendable {
    /// What a type asks of the content.
    enum Rule: Hashable, Sendable {
        case any
        case message
        case serviceAnnouncement
        case certificate
    }

    /// How long a value lives after its creation, unless refreshed.
    public let lifetime: Duration
    /// Whether signatures are checked on storing, and signed values may be edited by their signer.
    public let isSecured: Bool
    let rule: Rule

    /// Returns what to store for `value` at `key`, or `nil` when the type's rules refuse it.
    ///
    /// `source` is the sender's address, which replaces the one a service announcement carries.
    func admitted(_ value: Value, at key: InfoHash, from source: IPAddress?, verifier: any ValueVerifier) -> Value? {
        guard value.size <= ValueType.sizeLimit else { return nil }
        if isSecured, case .plain(let body, let signature?) = value.content {
            guard body.isSigned(by: signature, verifier: verifier) else { return nil }
        }
        switch rule {
        case .any: return value
        case .message: return value.body.map(Self.addressesNoService) == true ? nil : value
        case .serviceAnnouncement: return Self.announcement(value, from: source)
        case .certificate: return Self.certifiedKey(of: value, at: key, verifier: verifier) == nil ? nil : value
        }
    }

    /// Whether `new` may take the place of `old` of the same identifier and key; both differ in content.
    func permitsEdit(of old: Value, to new: Value, at key: InfoHash, verifier: any ValueVerifier) -> Bool {
        if isSecured, case .plain(let before, _?) = old.content, let owner = before.owner {
            guard case .plain(let after, let signature?) = new.content, after.owner == owner else { return false }
            guard after.isSigned(by: signature, verifier: verifier) else { return false }
            return after.sequence > before.sequence
                || after.sequence == before.sequence && after.signedBytes == before.signedBytes
        }
        guard rule == .certificate, new.type == .certificate else { return false }
        guard let before = Self.certifiedKey(of: old, at: key, verifier: verifier) else { return false }
        return before == Self.certifiedKey(of: new, at: key, verifier: verifier)
    }

    /// A message that decodes and names no service reaches nobody.
    private static func addressesNoService(_ body: ValueBody) -> Bool {
        var reader = MessagePackReader(body.data.span)
        guard let count = try? reader.readArrayHeader(), count == 2, let service = try? reader.readString() else {
            return false
        }
        return service.isEmpty
    }

    /// The announcement with the sender's address in it; the announced port stays.
    private static func announcement(_ value: Value, from source: IPAddress?) -> Value? {
        guard case .plain(var body, let signature) = value.content else { return nil }
        let data = body.data
        var reader = MessagePackReader(data.span)
        guard let given = try? reader.takeBinary(), let endpoint = SocketAddress.decode(given), endpoint.port != 0
        else { return nil }
        guard let source else { return value }
        var writer = MessagePackWriter()
        writer.write(SocketAddress.encode(Endpoint(source, port: endpoint.port)))
        body.data = writer.bytes
        var stored = value
        stored.content = .plain(body, signature: signature)
        return stored
    }

    /// The public key of a certificate value whose identifier is `key`: its SHA-1, or the SHA-1 of its SHA-256.
    private static func certifiedKey(of value: Value, at key: InfoHash, verifier: any ValueVerifier) -> [UInt8]? {
        guard case .plain(let body, _) = value.content, body.type == .certificate,
            let publicKey = verifier.publicKey(inCertificate: body.data)
        else { return nil }
        let fits = InfoHash(hashing: publicKey) == key || InfoHash(hashing: Hash.sha256(publicKey)) == key
        return fits ? publicKey : nil
    }
}

extension ValueBody {
    /// Whether `signature` is the owner's, over this body.
    func isSigned(by signature: [UInt8], verifier: any ValueVerifier) -> Bool {
        guard let owner else { return false }
        return verifier.isValid(signature: signature, of: signedBytes, by: owner)
    }
}
