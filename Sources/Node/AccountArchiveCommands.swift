import ArgumentParser
import SecureChannel
import Swiftlet

extension AccountCommand {
    /// `swiftlet account import`.
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make this machine a device of the account in an archive that Jami exported.",
            discussion: "An account that is there already is never touched. Other devices of the account stay in use.")

        @OptionGroup var global: GlobalOptions
        @OptionGroup var passwords: PasswordOptions
        @Option(help: "The name shown to peers, if the archive has none.") var name: String = ""
        @Argument(help: "The archive, such as export.gz.") var file: String

        func run() async throws {
            try await global.run {
                let archive = try read()
                if !global.json { global.printer.note("making a key of 4096 bits for this device…") }
                let account: Account
                let contacts: Int
                do throws(AccountError) {
                    account = try Account.create(in: global.folder, importing: archive, displayName: name)
                    contacts = try account.contacts().contacts.count
                } catch { throw Failure(error) }
                show(account, global.printer, event: "account-imported", and: [("contacts", .integer(contacts))])
            }
        }

        private func read() throws -> AccountArchive {
            let bytes: [UInt8]
            do {
                bytes = try PrivateFile.read(file, isSecret: false, limit: AccountArchive.maximumFileBytes)
            } catch { throw Failure(file: file, error) }
            var password = try passwords.password()
            if password == nil, AccountArchive.isSealed(bytes), Terminal.isThere {
                password = try Terminal.secret("password of \(file)")
            }
            do throws(AccountArchiveError) { return try AccountArchive(decoding: bytes, password: password) } catch {
                throw Failure(archive: file, error)
            }
        }
    }

    /// `swiftlet account export`.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the account to an archive that Jami imports.",
            discussion: """
                Who has the archive is the account: give it a password. One is asked for on a terminal; an empty one \
                stands for none.
                """)

        @OptionGroup var global: GlobalOptions
        @OptionGroup var passwords: PasswordOptions
        @Argument(help: "The archive to write; a file that is there already is never touched.") var file: String

        func run() async throws {
            try await global.run {
                let account = try global.loadAccount()
                guard !PrivateFile.exists(file) else { throw Failure(exporting: file, .exists(path: file)) }
                let password = try passwords.password() ?? asked()
                let archive: AccountArchive
                do throws(AccountError) { archive = try account.archive() } catch { throw Failure(error) }
                try write(archive, password: password)
                tell(account, archive, isSealed: password != nil)
            }
        }

        private func write(_ archive: AccountArchive, password: String?) throws {
            let bytes: [UInt8]
            do { bytes = try archive.encoded(password: password) } catch { throw Failure(archive: file, error) }
            do { try PrivateFile.create(bytes, at: file) } catch { throw Failure(exporting: file, error) }
        }

        private func tell(_ account: Account, _ archive: AccountArchive, isSealed: Bool) {
            global.printer.event(
                "account-exported",
                [
                    ("account", .text(account.id.hex)), ("file", .text(file)), ("sealed", .flag(isSealed)),
                    ("contacts", .integer(archive.contacts.contacts.count)),
                ],
                line: file)
            guard !isSealed else { return }
            global.printer.note("\(file) has no password: whoever can read it has the account")
        }

        private func asked() throws -> String? {
            guard Terminal.isThere else { return nil }
            let password = try Terminal.secret("password for \(file), empty for none")
            guard !password.isEmpty else { return nil }
            guard try Terminal.secret("the same again") == password else {
                throw Failure(.usage, "the two passwords differ; nothing was written")
            }
            return password
        }
    }
}
