internal import SansIO

extension CertifiedKey {
    /// Why an identity could not be read from its two files.
    public enum FileError: Error, Hashable, Sendable {
        /// A file cannot be read.
        case file(IdentityError)
        /// The key's file is encrypted, and no passphrase was given.
        case passphraseNeeded(path: String)
        /// The passphrase does not open the key's file, or the file is damaged.
        case wrongPassphrase(path: String)
        /// The certificates are another key's.
        case mismatched(path: String)
    }

    /// The file of the private key: OpenDHT's name for it.
    public static func keyPath(_ base: String) -> String { base + ".pem" }

    /// The file of the certificates: OpenDHT's name for it.
    public static func chainPath(_ base: String) -> String { base + ".crt" }

    /// Reads `base.pem` and `base.crt`.
    public static func load(from base: String, passphrase: String? = nil) throws(FileError) -> CertifiedKey {
        try load(keyFrom: keyPath(base), chainFrom: chainPath(base), passphrase: passphrase)
    }

    /// Reads a key and its certificates from files of any name. A plain key that others can read is accepted here, as
    /// other programs write it so.
    public static func load(
        keyFrom keyPath: String, chainFrom chainPath: String, passphrase: String? = nil
    ) throws(FileError) -> CertifiedKey {
        let (keyBytes, chainBytes): ([UInt8], [UInt8])
        do throws(IdentityError) {
            keyBytes = try PrivateFile.read(keyPath, isSecret: false)
            chainBytes = try PrivateFile.read(chainPath, isSecret: false)
        } catch { throw .file(error) }
        let key: PrivateKey
        do throws(PrivateKey.PassphraseFailure) {
            key = try PrivateKey(pem: String(decoding: keyBytes, as: UTF8.self), passphrase: passphrase)
        } catch {
            switch error {
            case .passphraseNeeded: throw .passphraseNeeded(path: keyPath)
            case .wrongPassphrase: throw .wrongPassphrase(path: keyPath)
            case .malformed(let error): throw .file(.malformed(path: keyPath, error))
            }
        }
        let chain: CertificateChain
        do { chain = try CertificateChain(decoding: chainBytes) } catch {
            throw .file(.malformed(path: chainPath, error))
        }
        do { return try CertifiedKey(key: key, chain: chain) } catch { throw .mismatched(path: chainPath) }
    }

    /// Writes `base.pem` and `base.crt`, readable by their owner only. Files that are there already are kept and
    /// reported, and then neither is written.
    public func store(at base: String, passphrase: String?) throws(IdentityError) {
        let (keyPath, chainPath) = (Self.keyPath(base), Self.chainPath(base))
        for path in [keyPath, chainPath] where PrivateFile.exists(path) { throw .exists(path: path) }
        let text: String
        if let passphrase {
            do throws(SecureChannelError) { text = try key.pem(passphrase: passphrase) } catch {
                throw .malformed(path: keyPath, .malformed(.privateKey, at: 0))
            }
        } else {
            text = key.pem
        }
        try PrivateFile.create(Array(text.utf8), at: keyPath)
        do throws(IdentityError) { try PrivateFile.create(Array(chain.pem.utf8), at: chainPath) } catch {
            try PrivateFile.remove(keyPath)
            throw error
        }
    }
}
