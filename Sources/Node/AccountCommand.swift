import ArgumentParser
import SecureChannel
import Swiftlet

/// `swiftlet account`: make or show the account of a state folder, or move it between programs.
struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Make, show, import or export the account of this state folder.",
        subcommands: [Create.self, Show.self, Import.self, Export.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an account; one that is there already is never touched.")

        @OptionGroup var global: GlobalOptions
        @Option(help: "The name shown to peers.") var name: String = ""

        func run() async throws {
            try await global.run {
                if !global.json { global.printer.note("making three keys of 4096 bits…") }
                let account: Account
                do throws(AccountError) { account = try Account.create(in: global.folder, displayName: name) } catch {
                    throw Failure(error)
                }
                show(account, global.printer, event: "account-created")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the account's id, which others call.")

        @OptionGroup var global: GlobalOptions

        func run() async throws {
            try await global.run { show(try global.loadAccount(), global.printer, event: "account") }
        }
    }

    static func show(
        _ account: Account, _ printer: Printer, event: String, and more: [(String, Printer.Fact)] = []
    ) {
        let device = account.identity.deviceID.hex
        printer.event(
            event,
            [
                ("account", .text(account.id.hex)), ("device", .text(device)),
                ("longDevice", .text(account.identity.longDeviceID.hex)), ("name", .text(account.displayName)),
            ] + more,
            line: account.id.hex)
    }
}
