internal import Digests
package import SansIO

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
    package func admitted(
        _ value: Value, _ examination: Examination, at key: InfoHash, from source: IPAddress?
    ) -> Value? {
        guard value.size <= ValueType.sizeLimit, examination.isGenuine || !isSecured else { return nil }
        switch rule {
        case .any: return value
        case .message: return value.body.map(Self.addressesNoService) == true ? nil : value
        case .serviceAnnouncement: return Self.announcement(value, from: source)
        case .certificate: return examination.certifies(key) ? value : nil
        }
    }

    /// Whether `new` may take the place of `old` of the same identifier and key; both differ in content.
    ///
    /// `examination` is that of `new`, which was admitted at the same key.
    package func permitsEdit(of old: Value, to new: Value, _ examination: Examination) -> Bool {
        if isSecured, case .plain(let before, _?) = old.content, let owner = before.owner {
            guard case .plain(let after, _?) = new.content, after.owner == owner, examination.isGenuine else {
                return false
            }
            return after.sequence > before.sequence
                || after.sequence == before.sequence && after.signedBytes == before.signedBytes
        }
        // Both were admitted at one key, so both certify the key that it is the identifier of.
        return rule == .certificate && new.type == .certificate
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
}

extension Examination {
    /// Whether the certified key has `key` for an identifier: its SHA-1, or the SHA-1 of its SHA-256.
    fileprivate func certifies(_ key: InfoHash) -> Bool {
        guard let certifiedKey else { return false }
        return InfoHash(hashing: certifiedKey) == key || InfoHash(hashing: Hash.sha256(certifiedKey)) == key
    }
}

extension ValueBody {
    /// Whether `signature` is the owner's, over this body.
    func isSigned(by signature: [UInt8], verifier: any ValueVerifier) -> Bool {
        guard let owner else { return false }
        return verifier.isValid(signature: signature, of: signedBytes, by: owner)
    }
}
