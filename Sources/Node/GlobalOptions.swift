import ArgumentParser
import Foundation
import SecureChannel
import Swiftlet

/// The options every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The folder of the account and of what is remembered.", valueName: "dir"))
    var state: String = GlobalOptions.defaultState

    @OptionGroup var network: NetworkOptions
    @OptionGroup var reachability: ReachabilityOptions
    @OptionGroup var output: OutputOptions

    private static var defaultState: String {
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_DATA_HOME"] ?? ((environment["HOME"] ?? ".") + "/.local/share")
        return base + "/swiftlet"
    }

    var folder: URL { URL(filePath: state, directoryHint: .isDirectory) }

    var json: Bool { output.json }

    var printer: Printer { output.printer }

    var configuration: Node.Configuration {
        var configuration = Node.Configuration()
        configuration.bootstrap = network.hosts
        configuration.addresses = network.addresses
        configuration.port = network.port
        configuration.findsNeighbours = network.discovery
        configuration.logger = output.logger
        return configuration
    }

    /// Runs a command's work and turns its failure into one line and a code.
    func run(_ body: () async throws -> Void) async throws { try await output.run(body) }

    func loadAccount() throws -> Account {
        do throws(AccountError) { return try Account.load(from: folder) } catch { throw Failure(error) }
    }

    /// Starts a node of the state folder's account, and waits until the network answers.
    func startNode(usesTCP: Bool = true, usesUDP: Bool = true, acceptsStrangers: Bool = true) async throws -> Node {
        let account = try loadAccount()
        var configuration = configuration
        try reachability.apply(to: &configuration)
        configuration.usesTCP = usesTCP
        configuration.usesUDP = usesUDP
        configuration.acceptsStrangers = acceptsStrangers
        network.noteJoining(printer)
        let node: Node
        do throws(NodeError) { node = try await Node(account: account, configuration: configuration) } catch {
            throw Failure(error)
        }
        printer.event(
            "started", [("account", .text(account.id.hex)), ("dht", .text(node.localEndpoints.joined(separator: " ")))])
        if !configuration.bootstrap.isEmpty {
            guard await node.waitUntilOnline() else {
                let unresolved = await node.unresolvedHosts
                await node.close()
                throw Failure(offline: configuration.bootstrap, unresolved: unresolved)
            }
            printer.event("online")
        }
        return node
    }
}

/// An account's id on the command line.
struct AccountArgument: ExpressibleByArgument {
    let id: AccountID

    init?(argument: String) {
        guard let id = AccountID(argument) else { return nil }
        self.id = id
    }

    /// Reads an id, and says what is wrong with what is none.
    static func parse(_ argument: String) throws -> AccountArgument {
        guard let id = AccountArgument(argument: argument) else {
            throw ValidationError("an account's id has 40 hexadecimal digits; ask the peer for it")
        }
        return id
    }
}
