import ArgumentParser
import SansIO
import SecureChannel
import Swiftlet

/// `swiftlet contact`: who is known, and who may not call.
struct ContactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contact", abstract: "List, add, remove or ban contacts.",
        discussion: "People whose Jami accepts calls of contacts alone are to be added before they are called.",
        subcommands: [List.self, Add.self, Remove.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show who is known, and how.")

        @OptionGroup var global: GlobalOptions

        func run() async throws {
            try await global.run {
                let account = try global.loadAccount()
                let contacts: ContactList
                do throws(AccountError) { contacts = try account.contacts() } catch { throw Failure(error) }
                for contact in contacts.contacts {
                    let state = contact.state
                    global.printer.event(
                        "contact", [("contact", .text(contact.id.hex)), ("state", .text(state))],
                        line: "\(contact.id) \(state)")
                }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask an account to be a contact, or agree to one that asked.",
            discussion: """
                An account none of whose devices is there is asked later, while 'swiftlet listen' runs.
                """)

        @OptionGroup var global: GlobalOptions
        @Argument(
            help: ArgumentHelp("The account's id, 40 hexadecimal digits.", valueName: "id"),
            transform: AccountArgument.parse)
        var peer: AccountArgument
        @Option(help: ArgumentHelp("Wait this long for a device of the account.", valueName: "seconds"))
        var wait: Double = 10

        func validate() throws {
            guard (1...600).contains(wait) else { throw ValidationError("--wait must be 1 to 600 seconds.") }
        }

        func run() async throws {
            try await global.run {
                guard peer.id != (try global.loadAccount()).id else {
                    throw Failure(.usage, "this is the id of your own account")
                }
                let node = try await global.startNode()
                do throws(NodeError) { try await node.addContact(peer.id) } catch { throw Failure(error) }
                let isAsked = await waitUntilAsked(node)
                await node.close()
                global.printer.event(
                    "contact-added", [("contact", .text(peer.id.hex)), ("asked", .flag(isAsked))],
                    line: isAsked ? "asked" : "added; it is asked when it is there while 'swiftlet listen' runs")
            }
        }

        private func waitUntilAsked(_ node: Node) async -> Bool {
            let patience = Task {
                try await Task.sleep(for: .seconds(wait))
                await node.close()
            }
            defer { patience.cancel() }
            for await event in node.events {
                if case .contactAsked(peer.id, _) = event { return true }
            }
            return false
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Forget a contact, or ban an account.")

        @OptionGroup var global: GlobalOptions
        @Argument(
            help: ArgumentHelp("The account's id, 40 hexadecimal digits.", valueName: "id"),
            transform: AccountArgument.parse)
        var peer: AccountArgument
        @Flag(help: "Let the account neither call nor write any more.")
        var ban = false

        func run() async throws {
            try await global.run {
                let account = try global.loadAccount()
                do throws(AccountError) {
                    try account.changeContacts { $0.remove(peer.id, banning: ban, at: $1) }
                } catch { throw Failure(error) }
                global.printer.event(
                    "contact-removed", [("contact", .text(peer.id.hex)), ("banned", .flag(ban))],
                    line: ban ? "banned" : "removed")
            }
        }
    }
}

extension Contact {
    /// How it stands with the contact, in one word.
    fileprivate var state: String {
        if isActive { return isConfirmed ? "confirmed" : "asked" }
        return isBanned ? "banned" : "removed"
    }
}
