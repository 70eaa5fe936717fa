import ArgumentParser
import Foundation
import SecureChannel

/// `swiftlet dht identity`: keys that sign and open values, in the files of OpenDHT's own tool.
struct DHTIdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity", abstract: "Make, show, import or export the identity of a DHT node.",
        discussion: """
            An identity is two files, BASE.pem with the private key and BASE.crt with its certificates, as dhtnode \
            --save-identity writes them. Files that are there already are never touched.
            """,
        subcommands: [Create.self, Show.self, Import.self, Export.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a key and certify it for ten years.")

        @OptionGroup var output: OutputOptions
        @OptionGroup var passwords: PasswordOptions
        @Option(help: "The name in the certificate.") var name = "dhtnode"
        @Option(help: "Bits of the key.") var bits = PrivateKey.standardBits
        @Argument(help: "Where to write BASE.pem and BASE.crt.") var base: String

        func validate() throws {
            guard (2048...8192).contains(bits), bits.isMultiple(of: 8) else {
                throw ValidationError("--bits takes 2048 to 8192, in eights")
            }
        }

        func run() async throws {
            try await output.run {
                try DHTIdentityCommand.checkFree(base)
                let password = try passwords.password() ?? DHTIdentityCommand.askedPassword(for: base)
                if !output.json { output.printer.note("making a key of \(bits) bits…") }
                let identity: CertifiedKey
                do throws(SecureChannelError) {
                    identity = try CertifiedKey.create(
                        commonName: name, bits: bits, at: Int64(Date().timeIntervalSince1970))
                } catch { throw Failure(.fault, "the key could not be made: \(error)") }
                try DHTIdentityCommand.write(identity, to: base, password: password)
                DHTIdentityCommand.show(identity, output.printer, event: "identity-created")
                if password == nil { DHTIdentityCommand.warn(base, output.printer) }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the ids by which others encrypt for it.")

        @OptionGroup var output: OutputOptions
        @OptionGroup var passwords: PasswordOptions
        @Argument(help: "The identity in BASE.pem and BASE.crt.") var base: String

        func run() async throws {
            try await output.run {
                let identity = try DHTIdentityCommand.load(base, passwords)
                DHTIdentityCommand.show(identity, output.printer, event: "identity")
            }
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take over a key and its certificates from PEM files of any name.",
            discussion: "The copy has no password unless one is asked for with --new-password-file.")

        @OptionGroup var output: OutputOptions
        @OptionGroup var passwords: PasswordOptions
        @Option(help: ArgumentHelp("A file whose first line is the copy's password.", valueName: "file"))
        var newPasswordFile: String?
        @Argument(help: "The private key, plain or with a password.") var key: String
        @Argument(help: "The certificates, the key's own first.") var certificates: String
        @Argument(help: "Where to write BASE.pem and BASE.crt.") var base: String

        func run() async throws {
            try await output.run {
                try DHTIdentityCommand.checkFree(base)
                let identity = try IdentityOptions.load(keyFrom: key, chainFrom: certificates, passwords)
                let password = try newPasswordFile.map(PasswordOptions.password(from:))
                try DHTIdentityCommand.write(identity, to: base, password: password)
                DHTIdentityCommand.show(identity, output.printer, event: "identity-imported")
                if password == nil { DHTIdentityCommand.warn(base, output.printer) }
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy an identity to other files, with another password or none.")

        @OptionGroup var output: OutputOptions
        @OptionGroup var passwords: PasswordOptions
        @Option(help: ArgumentHelp("A file whose first line is the copy's password.", valueName: "file"))
        var newPasswordFile: String?
        @Argument(help: "The identity in BASE.pem and BASE.crt.") var base: String
        @Argument(help: "Where to write COPY.pem and COPY.crt.") var copy: String

        func run() async throws {
            try await output.run {
                try DHTIdentityCommand.checkFree(copy)
                let identity = try DHTIdentityCommand.load(base, passwords)
                let password = try newPasswordFile.map(PasswordOptions.password(from:))
                try DHTIdentityCommand.write(identity, to: copy, password: password)
                DHTIdentityCommand.show(identity, output.printer, event: "identity-exported")
                if password == nil { DHTIdentityCommand.warn(copy, output.printer) }
            }
        }
    }

    static func facts(of identity: CertifiedKey) -> [(String, Printer.Fact)] {
        [
            ("id", .text(identity.id.hex)), ("longID", .text(identity.longID.hex)),
            ("name", .text(identity.chain.device.commonName)), ("bits", .integer(identity.key.publicKey.bits)),
        ]
    }

    private static func show(_ identity: CertifiedKey, _ printer: Printer, event: String) {
        printer.event(event, facts(of: identity), line: "\(identity.id.hex)\n\(identity.longID.hex)")
    }

    private static func load(_ base: String, _ passwords: PasswordOptions) throws -> CertifiedKey {
        try IdentityOptions.load(
            keyFrom: CertifiedKey.keyPath(base), chainFrom: CertifiedKey.chainPath(base), passwords)
    }

    /// Says that a file is there before anything is asked or made.
    private static func checkFree(_ base: String) throws {
        for path in [CertifiedKey.keyPath(base), CertifiedKey.chainPath(base)] where PrivateFile.exists(path) {
            throw Failure(exporting: path, .exists(path: path))
        }
    }

    private static func write(_ identity: CertifiedKey, to base: String, password: String?) throws {
        do throws(IdentityError) { try identity.store(at: base, passphrase: password) } catch {
            throw Failure(exporting: CertifiedKey.keyPath(base), error)
        }
    }

    private static func askedPassword(for base: String) throws -> String? {
        guard Terminal.isThere else { return nil }
        let password = try Terminal.secret("password for \(CertifiedKey.keyPath(base)), empty for none")
        guard !password.isEmpty else { return nil }
        guard try Terminal.secret("the same again") == password else {
            throw Failure(.usage, "the two passwords differ; nothing was written")
        }
        return password
    }

    private static func warn(_ base: String, _ printer: Printer) {
        printer.note("\(CertifiedKey.keyPath(base)) has no password: whoever can read it is this identity")
    }
}
