import ArgumentParser
import SansIO
import SecureChannel
import SwiftDHT
import Swiftlet

/// The options every command of `swiftlet dht` takes.
struct DHTOptions: ParsableArguments {
    @OptionGroup var place: NetworkOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "The number of the network; nodes of others are ignored.")
    var network: UInt32 = 0

    @Flag(help: "Only ask: others are told not to list this node.")
    var client = false

    @Option(
        help: ArgumentHelp(
            "A file of what a node remembers, OpenDHT's too: 'node' goes on with it and keeps it up to date, other "
                + "commands only enter the network by it.", valueName: "file"))
    var state: String?

    var printer: Printer { output.printer }

    var stateFile: DHTStateFile? { state.map(DHTStateFile.init) }

    func configuration(identity: CertifiedKey? = nil) -> DHTNode.Configuration {
        var configuration = DHTNode.Configuration()
        configuration.bootstrap = place.hosts
        configuration.addresses = place.addresses
        configuration.port = place.port
        configuration.findsNeighbours = place.discovery
        configuration.dht.network = network
        configuration.dht.isClient = client
        configuration.identity = identity
        configuration.logger = output.logger
        return configuration
    }

    /// Starts a node that is to be used once, and waits until the network answers.
    func startShortly(identity: CertifiedKey? = nil) async throws -> DHTNode {
        var configuration = configuration(identity: identity)
        // A node of this identity may run beside, and two of one identifier do not hear each other.
        configuration.nodeID = .random()
        let remembered = try stateFile?.read()
        // What others stored with the node that wrote the file, and who it is, stays with it.
        configuration.state = remembered.map { DHT.State(id: .random(), nodes: $0.nodes) }
        place.noteJoining(printer)
        let node = try await start(configuration)
        guard await node.waitUntilOnline() else {
            let unresolved = await node.unresolvedHosts
            await node.close()
            throw Failure(offline: configuration.bootstrap, unresolved: unresolved)
        }
        return node
    }

    func start(_ configuration: DHTNode.Configuration, line isShown: Bool = false) async throws -> DHTNode {
        let node: DHTNode
        do throws(NodeError) { node = try await DHTNode(configuration: configuration) } catch { throw Failure(error) }
        let endpoints = node.localEndpoints.map(\.description).joined(separator: " ")
        let port = node.localEndpoints.first.map { Int($0.port) } ?? 0
        printer.event(
            "listening",
            [("id", .text(node.nodeID.description)), ("port", .integer(port)), ("endpoints", .text(endpoints))],
            line: isShown ? "DHT node \(node.nodeID) on \(endpoints)" : nil)
        return node
    }
}
