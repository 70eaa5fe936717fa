import ArgumentParser
import Foundation
import SecureChannel
import SwiftDHT
import Swiftlet

/// `swiftlet dht node`.
struct DHTNodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Be a node of the DHT until Ctrl-C, or until told to end at its prompt.",
        discussion: "With --state, what it knows and stores survives: saved every few minutes, and at the end.")

    @OptionGroup var options: DHTOptions
    @OptionGroup var identity: IdentityOptions
    @Flag(
        inversion: .prefixedNo,
        help: "Read commands from standard input; type help for a list. (default: where it is a terminal)")
    var interactive: Bool?

    private enum Input {
        case line(String)
        case end
    }

    func run() async throws {
        try await options.output.run {
            let identity = try identity.load()
            var configuration = options.configuration(identity: identity)
            try options.stateFile?.checkWritable()
            configuration.state = try options.stateFile?.read()
            let inputs = inputs()
            let node = try await options.start(configuration, line: true)
            if let identity { tell(identity) }
            for host in await node.unresolvedHosts {
                options.printer.note("no address is known of \(host); the node goes on without it")
            }
            let watch = Task { await follow(node) }
            let saving = Task { await save(node) }
            await obey(inputs, node)
            watch.cancel()
            saving.cancel()
            // With a file the values come back with the node; without, others take them over.
            if options.stateFile == nil { await node.handOver(within: Self.farewell) }
            // Saved before the end, as a closed node knows nothing.
            let state = await node.state
            await node.close()
            if let state, let file = options.stateFile { try file.write(state) }
        }
    }

    /// How long values are given to others at the end.
    private static let farewell: Duration = .seconds(2)

    private var isInteractive: Bool { interactive ?? (Terminal.isThere && !options.output.json) }

    /// Signals, and lines where they are read.
    private func inputs() -> AsyncStream<Input> {
        let (inputs, feed) = AsyncStream<Input>.makeStream()
        let interruptions = Interruption.stream()
        Task {
            for await _ in interruptions { feed.yield(.end) }
        }
        guard isInteractive else { return inputs }
        let lines = Keyboard.allLines()
        Task {
            for await line in lines { feed.yield(.line(line)) }
            feed.yield(.end)
        }
        return inputs
    }

    private func obey(_ inputs: AsyncStream<Input>, _ node: DHTNode) async {
        var console = DHTConsole(node, DHTReport(printer: options.printer))
        prompt()
        for await input in inputs {
            guard case .line(let line) = input, await console.obey(line) else { break }
            prompt()
        }
        console.end()
    }

    private func prompt() {
        guard isInteractive, Terminal.isThere, !options.output.json else { return }
        try? FileHandle.standardOutput.write(contentsOf: Data("> ".utf8))
    }

    private func tell(_ identity: CertifiedKey) {
        options.printer.event(
            "identity", DHTIdentityCommand.facts(of: identity), line: "identity \(identity.id), \(identity.longID)")
    }

    private func follow(_ node: DHTNode) async {
        for await (family, isConnected) in node.connections {
            options.printer.event(
                "network", [("family", .text(family.name)), ("connected", .flag(isConnected))],
                line: "\(family.name) \(isConnected ? "connected" : "disconnected")")
        }
    }

    /// How much a sudden end may cost.
    private static let savingInterval = Duration.seconds(300)

    private func save(_ node: DHTNode) async {
        guard let file = options.stateFile else { return }
        while (try? await Task.sleep(for: Self.savingInterval)) != nil {
            guard let state = await node.state else { return }
            do { try file.write(state) } catch let failure as Failure { options.printer.note(failure.line) } catch {}
        }
    }
}
