internal import CSodium
internal import Crypto
internal import FoundationEssentials

/// Bytes sealed with a password, in the form OpenDHT and Jami share.
///
/// The blob is salt (16 bytes), nonce (12), AES-256-GCM ciphertext and tag (16); the key is SHA-256 of 32 bytes that
/// Argon2i 1.3 makes of password and salt in 16 passes over 64 MiB. Both operations take a good part of a second.
public enum PasswordSeal {
    /// Random bytes at the start of a blob: salt and nonce.
    public static let randomBytes = saltLength + Sealed.nonceLength
    /// How much longer a blob is than what it seals, in bytes.
    public static let overheadBytes = randomBytes + Sealed.tagLength

    private static let saltLength = 16
    private static let passes: UInt64 = 16
    private static let memoryBytes = 64 << 20

    /// Seals `plaintext`; an empty password is allowed, and as good as none.
    public static func seal(_ plaintext: [UInt8], password: String) throws(SecureChannelError) -> [UInt8] {
        let salt = SymmetricKey(size: .bits128)
        // The bytes are copied within their scope.
        let saltBytes = unsafe salt.withUnsafeBytes { unsafe [UInt8]($0) }
        let key = try key(password, salt: saltBytes)
        return try replacingErrors(by: SecureChannelError.sealing) {
            let box = try AES.GCM.seal(plaintext, using: key, nonce: AES.GCM.Nonce())
            return saltBytes + box.nonce + box.ciphertext + box.tag
        }
    }

    /// Opens a sealed blob; a wrong password and a damaged blob end in the same error.
    public static func open(_ sealed: [UInt8], password: String) throws(SecureChannelError) -> [UInt8] {
        let nonceEnd = randomBytes
        let tagStart = sealed.count - Sealed.tagLength
        guard tagStart >= nonceEnd else { throw .unopenable }
        let key = try key(password, salt: Array(sealed[..<saltLength]))
        return try replacingErrors(by: SecureChannelError.unopenable) {
            let box = try AES.GCM.SealedBox(
                nonce: AES.GCM.Nonce(data: sealed[saltLength..<nonceEnd]),
                ciphertext: sealed[nonceEnd..<tagStart], tag: sealed[tagStart...])
            return [UInt8](try AES.GCM.open(box, using: key))
        }
    }

    private static func key(_ password: String, salt: [UInt8]) throws(SecureChannelError) -> SymmetricKey {
        // Safe to call again and from several threads.
        guard sodium_init() >= 0 else { throw .stretching }
        var stretched = [UInt8](repeating: 0, count: 32)
        let characters = password.utf8.map { CChar(bitPattern: $0) }
        // The three buffers live across the call, `salt` has the 16 bytes Argon2 reads, `stretched` is written.
        let status = unsafe crypto_pwhash(
            &stretched, UInt64(stretched.count), characters, UInt64(characters.count), salt, passes, memoryBytes,
            crypto_pwhash_ALG_ARGON2I13)
        guard status == 0 else { throw .stretching }
        return SymmetricKey(data: SHA256.hash(data: stretched))
    }
}
