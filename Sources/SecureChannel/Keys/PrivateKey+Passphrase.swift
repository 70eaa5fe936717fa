internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
public import SansIO

extension PrivateKey {
    /// Why a PEM text did not give a key.
    public enum PassphraseFailure: Error, Hashable, Sendable {
        /// The key is encrypted, and no passphrase was given.
        case passphraseNeeded
        /// The passphrase does not open the key, or the text is damaged.
        case wrongPassphrase
        /// There is no key in the text, or none that can be used.
        case malformed(WireError)
    }

    /// Reads the first key of a PEM text, in PKCS#8, plain or encrypted, or PKCS#1.
    ///
    /// An encrypted one takes a good part of a second, by intent: call it on a worker. A passphrase that is not needed
    /// is not looked at.
    public init(pem: String, passphrase: String?) throws(PassphraseFailure) {
        let block: PEM.Block?
        do throws(WireError) { block = try Self.encryptedBlock(in: Array(pem.utf8)) } catch { throw .malformed(error) }
        if let block {
            try self.init(sealed: block.content, passphrase: passphrase)
        } else {
            do throws(WireError) { try self.init(pem: pem) } catch { throw .malformed(error) }
        }
    }

    private static func encryptedBlock(in text: [UInt8]) throws(WireError) -> PEM.Block? {
        var cursor = 0
        while let block = try PEM.next(in: text, from: &cursor) {
            if block.label == PEM.encryptedLabel { return block }
        }
        return nil
    }

    private init(sealed: [UInt8], passphrase: String?) throws(PassphraseFailure) {
        let malformed = PassphraseFailure.malformed(.malformed(.privateKey, at: 0))
        let encrypted = try replacingErrors(by: malformed) { try EncryptedKey(der: sealed) }
        guard let passphrase else { throw .passphraseNeeded }
        let opened = try replacingErrors(by: PassphraseFailure.wrongPassphrase) { try encrypted.open(passphrase) }
        do throws(WireError) { try self.init(der: opened) } catch { throw .wrongPassphrase }
    }

    /// The key as encrypted PKCS#8 PEM, as OpenDHT writes it; takes a good part of a second, by intent.
    public func pem(passphrase: String) throws(SecureChannelError) -> String {
        let sealed = try replacingErrors(by: SecureChannelError.sealing) {
            try EncryptedKey.seal([UInt8](key.pkcs8DERRepresentation), passphrase: passphrase)
        }
        return PEM.encode(sealed, label: PEM.encryptedLabel)
    }
}
