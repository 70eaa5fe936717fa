import ArgumentParser
import SecureChannel
import Swiftlet

/// Who signs, and for whom encrypted values are opened.
struct IdentityOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The identity in BASE.pem and BASE.crt, as 'dht identity create' or dhtnode make it.", valueName: "base"))
    var identity: String?

    @OptionGroup var passwords: PasswordOptions

    /// The identity the options name, or `nil` where they name none. Asks for a password on a terminal.
    func load() throws -> CertifiedKey? {
        guard let identity else { return nil }
        return try Self.load(
            keyFrom: CertifiedKey.keyPath(identity), chainFrom: CertifiedKey.chainPath(identity), passwords)
    }

    static func load(
        keyFrom key: String, chainFrom chain: String, _ passwords: PasswordOptions
    ) throws -> CertifiedKey {
        func attempt(_ password: String?) throws(CertifiedKey.FileError) -> CertifiedKey {
            try CertifiedKey.load(keyFrom: key, chainFrom: chain, passphrase: password)
        }
        let password = try passwords.password()
        do throws(CertifiedKey.FileError) { return try attempt(password) } catch {
            guard case .passphraseNeeded = error, Terminal.isThere else { throw Failure(error) }
        }
        let answer = try Terminal.secret("password of \(key)")
        do throws(CertifiedKey.FileError) { return try attempt(answer) } catch { throw Failure(error) }
    }
}

extension Failure {
    init(_ error: CertifiedKey.FileError) {
        switch error {
        case .file(.malformed(let path, let error)):
            self.init(.badFile, "\(path) is not what its name says (\(error))")
        case .file(.missing(let path)):
            self.init(.noInput, "\(path) does not exist; name the files without .pem or .crt")
        case .file(.overLimit(let path, let limit)): self.init(.badFile, "\(path) holds more than \(limit) bytes")
        case .file(let error): self.init(.noInput, "the identity cannot be read: \(error)")
        case .passphraseNeeded(let path):
            self.init(.wrongPassword, "\(path) has a password; use --password-file or --password-stdin")
        case .wrongPassphrase(let path):
            self.init(.wrongPassword, "the password does not open \(path), or the file is damaged")
        case .mismatched(let path): self.init(.badFile, "\(path) holds certificates of another key")
        }
    }

    /// A value that could not be signed or encrypted.
    init(_ error: DHTNode.SecureError, for recipient: String = "") {
        switch error {
        case .noIdentity:
            self.init(
                .usage, "signing and encrypting need --identity; make one with: swiftlet dht identity create BASE")
        case .unknownRecipient:
            self.init(
                .notFound,
                "nobody has published a certificate of \(recipient); check the id, and whether its "
                    + (recipient.count == 40 ? "long form of 64 digits" : "short form of 40 digits") + " is known")
        case .refused: self.init(.fault, "the key would not sign or encrypt the value")
        case .closed: self.init(.fault, "the node was closed")
        }
    }
}
