import ArgumentParser
import Foundation
import Logging
import SansIO
import SecureChannel
import Swiftlet

/// The options every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The folder of the account and of what is remembered.", valueName: "dir"))
    var state: String = GlobalOptions.defaultState

    @Option(
        help: ArgumentHelp(
            "Where to enter the network; repeatable. 'none' waits to be found. (default: bootstrap.jami.net:4222)",
            valueName: "host:port"))
    var bootstrap: [String] = []

    @Option(help: ArgumentHelp("A local address to use; repeatable. (default: all but loopback)", valueName: "addr"))
    var bind: [String] = []

    @Option(help: "The UDP port of the DHT; 0 for any free one.")
    var port: UInt16 = 0

    @Flag(help: "Print one JSON event a line on standard output, and nothing else there.")
    var json = false

    @Option(help: "How much to log on standard error: trace, debug, info, notice, warning, error or critical.")
    var logLevel: String = "warning"

    private static var defaultState: String {
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_DATA_HOME"] ?? ((environment["HOME"] ?? ".") + "/.local/share")
        return base + "/swiftlet"
    }

    var folder: URL { URL(filePath: state, directoryHint: .isDirectory) }

    var printer: Printer { Printer(isJSON: json) }

    func validate() throws {
        for text in bootstrap where text != "none" && Node.Configuration.Bootstrap(text) == nil {
            throw ValidationError("'\(text)' is no HOST:PORT for --bootstrap.")
        }
        for text in bind where IPAddress(text) == nil {
            throw ValidationError("'\(text)' is no IP address for --bind.")
        }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError(
                "'\(logLevel)' is no log level; use trace, debug, info, notice, warning, error or critical.")
        }
    }

    var configuration: Node.Configuration {
        var configuration = Node.Configuration()
        if !bootstrap.isEmpty { configuration.bootstrap = bootstrap.compactMap(Node.Configuration.Bootstrap.init) }
        if bootstrap.contains("none") { configuration.bootstrap = [] }
        configuration.addresses = bind.compactMap(IPAddress.init)
        configuration.port = port
        var logger = Logger(label: "swiftlet", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .warning
        configuration.logger = logger
        return configuration
    }

    var dhtConfiguration: DHTNode.Configuration {
        let node = configuration
        var configuration = DHTNode.Configuration()
        configuration.bootstrap = node.bootstrap
        configuration.addresses = node.addresses
        configuration.port = node.port
        configuration.logger = node.logger
        return configuration
    }

    /// Runs a command's work and turns its failure into one line and a code.
    func run(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as Failure {
            printer.event(
                "error", [("code", .integer(Int(failure.status.rawValue))), ("message", .text(failure.line))])
            printer.note(failure.line)
            throw failure.status.code
        }
    }

    func loadAccount() throws -> Account {
        do throws(AccountError) { return try Account.load(from: folder) } catch { throw Failure(error) }
    }

    /// Says what is being waited for, before names are looked up and hosts are asked.
    func noteJoining() {
        let hosts = configuration.bootstrap.map(\.description).joined(separator: ", ")
        if !json, !hosts.isEmpty { printer.note("joining the network through \(hosts)…") }
    }

    /// Starts a node of the state folder's account, and waits until the network answers.
    func startNode(usesTCP: Bool = true, usesUDP: Bool = true, acceptsStrangers: Bool = true) async throws -> Node {
        let account = try loadAccount()
        var configuration = configuration
        configuration.usesTCP = usesTCP
        configuration.usesUDP = usesUDP
        configuration.acceptsStrangers = acceptsStrangers
        noteJoining()
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
