/// Signing and encrypting of values: pure functions for a worker thread, as private keys are slow.
public enum SealedValue {
    /// Why an encrypted value is not for us, or not genuine.
    public enum Refusal: Error, Hashable, Sendable {
        /// The value carries no cypher text.
        case notEncrypted
        /// The cypher text does not open with our key.
        case undecryptable
        /// What was inside is not a signed body.
        case malformed
        /// The body names another recipient; somebody forwarded what was meant for others.
        case wrongRecipient
        /// The signature inside does not verify.
        case wrongSignature
    }

    /// Signs `body` and encrypts it for one recipient. Owner and recipient of `body` are replaced.
    public static func seal(
        _ body: ValueBody, id: Value.ID, signer: some ValueSealer, encryptor: some ValueEncryptor
    ) throws -> Value {
        var addressed = body
        addressed.recipient = encryptor.recipient
        let inner = try Value.signed(addressed, id: id, by: signer)
        return Value(id: id, content: .encrypted(try encryptor.encrypt(inner.content.packed)))
    }

    /// Decrypts `value` and checks that it was signed, and meant for us.
    public static func open(
        _ value: Value, by opener: some ValueSealer, verifier: some ValueVerifier
    ) throws(Refusal) -> ValueBody {
        guard case .encrypted(let cypher) = value.content else { throw .notEncrypted }
        guard let plainText = try? opener.decrypt(cypher) else { throw .undecryptable }
        guard case .plain(let body, let signature?) = try? Value.Content(plainText: plainText) else {
            throw .malformed
        }
        guard body.recipient == InfoHash(hashing: opener.publicKey) else { throw .wrongRecipient }
        guard body.isSigned(by: signature, verifier: verifier) else { throw .wrongSignature }
        return body
    }
}

extension Value {
    /// Signs `body`; its owner is replaced by the signer.
    public static func signed(_ body: ValueBody, id: ID, by signer: some ValueSealer) throws -> Value {
        var owned = body
        owned.owner = signer.publicKey
        return Value(id: id, content: .plain(owned, signature: try signer.sign(owned.signedBytes)))
    }

    /// Whether the value may be delivered: unsigned, encrypted, or signed by its owner.
    public func isGenuine(verifier: any ValueVerifier) -> Bool {
        guard case .plain(let body, let signature?) = content else { return true }
        return body.isSigned(by: signature, verifier: verifier)
    }
}
