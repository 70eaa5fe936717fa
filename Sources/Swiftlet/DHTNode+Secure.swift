internal import EventLoop
internal import SansIO
public import SecureChannel
public import SwiftDHT

/// Signed and encrypted values. All work with keys is done on a thread of its own.
extension DHTNode {
    /// Why a value was not made.
    public enum SecureError: Error, Hashable, Sendable {
        /// The node was given no identity.
        case noIdentity
        /// Nobody has published a certificate for the recipient, or the network did not answer.
        case unknownRecipient
        /// The key would not sign or encrypt.
        case refused
        /// The node was closed.
        case closed
    }

    /// Whom a value is for.
    public enum Recipient: Hashable, Sendable {
        /// The 20 bytes under which a certificate lies: SHA-1 of the public key, which finds nobody whose node is of
        /// OpenDHT 3.5 or later, or SHA-1 of the long id, which does.
        case short(ShortID)
        /// SHA-256 of the public key. Nodes of OpenDHT before 3.5 cannot be found by it.
        case long(LongID)

        /// Where the recipient's certificates lie.
        var key: InfoHash {
            switch self {
            case .short(let id): InfoHash(id)
            case .long(let id): InfoHash(hashing: id.bytes)
            }
        }

        func isID(of certificate: Certificate) -> Bool {
            switch self {
            case .short(let id):
                certificate.shortID == id || InfoHash(hashing: certificate.longID.bytes) == InfoHash(id)
            case .long(let id): certificate.longID == id
            }
        }
    }

    /// Signs a body as this node's identity, with a sequence number above that of every edit of ours that is found.
    public func sign(_ body: ValueBody, id: Value.ID, for key: InfoHash) async throws(SecureError) -> Value {
        guard let identity = configuration.identity else { throw .noIdentity }
        let owner = InfoHash(identity.id)
        var body = body
        var latest: UInt16?
        for await case .value(let value) in get(key, matching: ValueQuery(where: [.id(id), .owner(owner)])) {
            latest = max(latest ?? 0, value.body?.sequence ?? 0)
        }
        if let latest {
            // Sequence numbers end with 16 bits; the last edit cannot be followed by another.
            guard latest < .max else { throw .refused }
            body.sequence = latest + 1
        }
        let value = await work { [body] in try? Value.signed(body, id: id, by: KeySealer(key: identity.key)) }
        guard let value else { throw .refused }
        return value
    }

    /// Signs a body as this node's identity and encrypts it for one reader, whose certificate is looked for.
    public func seal(
        _ body: ValueBody, id: Value.ID, for recipient: Recipient
    ) async throws(SecureError) -> Value {
        guard let identity = configuration.identity else { throw .noIdentity }
        guard let reader = await certificate(of: recipient)?.device.publicKey else { throw .unknownRecipient }
        let value = await work {
            try? SealedValue.seal(
                body, id: id, signer: KeySealer(key: identity.key), encryptor: KeyEncryptor(key: reader))
        }
        guard let value else { throw .refused }
        return value
    }

    /// What an encrypted value says, if it is for this node's identity and signed by whom it names.
    public func open(_ value: Value) async -> ValueBody? {
        guard let identity = configuration.identity, case .encrypted = value.content else { return nil }
        return await work {
            try? SealedValue.open(value, by: KeySealer(key: identity.key), verifier: KeyVerifier())
        }
    }

    /// The certificates somebody published, the first of which proves its key; they are not judged otherwise.
    public func certificate(of recipient: Recipient) async -> CertificateChain? {
        if let known = knownChain(of: recipient) { return known }
        let query = ValueQuery(where: [.type(.certificate)])
        for await case .value(let value) in get(recipient.key, matching: query) {
            guard let data = value.body?.data, let chain = await work({ try? CertificateChain(decoding: data) }),
                recipient.isID(of: chain.device)
            else { continue }
            knownChains.insert(chain, at: group.loop.now)
            return chain
        }
        return nil
    }

    private func knownChain(of recipient: Recipient) -> CertificateChain? {
        switch recipient {
        case .short(let id): knownChains.chain(of: id, at: group.loop.now)
        case .long(let id): knownChains.chain(of: id, at: group.loop.now)
        }
    }

    private func work<Result: Sendable>(_ work: @escaping @Sendable () -> Result?) async -> Result? {
        await withCheckedContinuation { continuation in
            group.run(work) { continuation.resume(returning: $0 ?? nil) }
        }
    }
}
