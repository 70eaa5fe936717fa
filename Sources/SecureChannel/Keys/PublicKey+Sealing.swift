internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials

/// Bytes sealed for one RSA key, the form OpenDHT gives encrypted values.
///
/// Either one RSAES-PKCS1-v1_5 block that holds the plaintext itself, or such a block holding a fresh AES key, then
/// the 12-byte nonce, the AES-GCM ciphertext and the 16-byte tag.
enum Sealed {
    static let nonceLength = 12
    static let tagLength = 16
    /// Bytes RSAES-PKCS1-v1_5 needs around its message.
    static let paddingLength = 11
    static let keyLength = 32
}

extension PublicKey {
    /// Encrypts `plaintext` so that only the owner of this key can read it.
    public func seal(_ plaintext: [UInt8]) throws(SecureChannelError) -> [UInt8] {
        try replacingErrors(by: SecureChannelError.sealing) {
            let key = try _RSA.Encryption.PublicKey(derRepresentation: der)
            let padding = _RSA.Encryption.Padding._WEAK_AND_INSECURE_PKCS_V1_5
            if plaintext.count <= bits / 8 - Sealed.paddingLength {
                return [UInt8](try key.encrypt(plaintext, padding: padding))
            }
            let secret = SymmetricKey(size: .bits256)
            // The key's bytes are copied within their scope.
            let sealedKey = unsafe try secret.withUnsafeBytes { unsafe try key.encrypt([UInt8]($0), padding: padding) }
            let box = try AES.GCM.seal(plaintext, using: secret, nonce: AES.GCM.Nonce())
            return [UInt8](sealedKey) + box.nonce + box.ciphertext + box.tag
        }
    }
}

extension PrivateKey {
    /// Decrypts what was sealed for this key.
    ///
    /// Wrong padding, a wrong key and a damaged ciphertext end in the same error after the same work: a block whose
    /// padding is wrong yields a random key, which then fails to authenticate (so there is no padding oracle).
    public func open(_ sealed: [UInt8]) throws(SecureChannelError) -> [UInt8] {
        let blockLength = publicKey.bits / 8
        guard sealed.count >= blockLength else { throw .unopenable }
        let content = decryptBlock(Array(sealed[..<blockLength]))
        if sealed.count == blockLength {
            guard let content else { throw .unopenable }
            return content
        }
        let nonceEnd = blockLength + Sealed.nonceLength
        let tagStart = sealed.count - Sealed.tagLength
        guard tagStart >= nonceEnd else { throw .unopenable }
        let usable = content.map { [16, 24, 32].contains($0.count) } ?? false
        let decoy = SymmetricKey(size: .bits256)
        return try replacingErrors(by: SecureChannelError.unopenable) {
            let box = try AES.GCM.SealedBox(
                nonce: AES.GCM.Nonce(data: sealed[blockLength..<nonceEnd]),
                ciphertext: sealed[nonceEnd..<tagStart], tag: sealed[tagStart...])
            let secret = usable ? content.map { SymmetricKey(data: $0) } ?? decoy : decoy
            return [UInt8](try AES.GCM.open(box, using: secret))
        }
    }

    private func decryptBlock(_ block: [UInt8]) -> [UInt8]? {
        guard let key = try? _RSA.Encryption.PrivateKey(derRepresentation: key.derRepresentation),
            let content = try? key.decrypt(block, padding: ._WEAK_AND_INSECURE_PKCS_V1_5)
        else { return nil }
        return [UInt8](content)
    }
}
