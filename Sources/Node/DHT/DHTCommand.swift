import ArgumentParser
import SwiftDHT
import Swiftlet

/// `swiftlet dht`: use the DHT without an account.
struct DHTCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dht", abstract: "Be a node of the DHT, or use it without an account.",
        discussion: "A key is 40 hexadecimal digits, or any other text, which is hashed with SHA-1.",
        subcommands: [
            DHTNodeCommand.self, Get.self, DHTPutCommand.self, Listen.self, DHTScanCommand.self,
            DHTIdentityCommand.self,
        ])

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the values of a key.")

        @OptionGroup var options: DHTOptions
        @OptionGroup var identity: IdentityOptions
        @OptionGroup var query: DHTQueryOptions
        @Argument var key: DHTKey

        func run() async throws {
            try await options.output.run {
                let identity = try identity.load()
                let node = try await options.startShortly(identity: identity)
                key.tell(options.printer)
                let updates = await query.question.ask(node, about: key.hash)
                let report = DHTReport(printer: options.printer, fields: query.select)
                let outcome = await report.follow(updates, of: node)
                await node.close()
                try DHTCommand.judge(outcome)
            }
        }
    }

    struct Listen: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the values of a key as they come and go, until Ctrl-C.")

        @OptionGroup var options: DHTOptions
        @OptionGroup var identity: IdentityOptions
        @OptionGroup var query: DHTQueryOptions
        @Argument var key: DHTKey

        func run() async throws {
            try await options.output.run {
                let identity = try identity.load()
                let node = try await options.startShortly(identity: identity)
                let interruptions = Interruption.stream()
                key.tell(options.printer)
                let updates = await node.listen(key.hash, matching: query.question.query)
                let report = DHTReport(printer: options.printer, fields: query.select)
                let watch = Task { _ = await report.follow(updates, of: node) }
                for await _ in interruptions { break }
                watch.cancel()
                await node.close()
            }
        }
    }

    /// Fails where an operation did not come to its end.
    static func judge(_ outcome: DHT.Outcome?) throws {
        guard case .completed? = outcome else {
            throw Failure(.unavailable, "no node of the network answered; try again")
        }
    }
}

extension DHTReport {
    /// Prints what an operation yields until it is finished; returns how it ended, `nil` when it was given up.
    func follow(
        _ updates: AsyncStream<DHTNode.Update>, of node: DHTNode, operation: Int? = nil,
        finished line: ((Int) -> String)? = nil
    ) async -> DHT.Outcome? {
        for await update in updates {
            switch update {
            case .value(let value): self.value(value, opened: await node.open(value), operation: operation)
            case .row(let row): self.row(row, operation: operation)
            case .expired(let id): expired(id, operation: operation)
            case .finished(let outcome):
                if case .completed(let nodes) = outcome {
                    finished(nodes: nodes, line: line?(nodes), operation: operation)
                }
                return outcome
            }
        }
        return nil
    }
}
