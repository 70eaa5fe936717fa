import ArgumentParser
import Foundation
import SansIO
import SwiftDHT
import Swiftlet

/// `swiftlet dht`: use the DHT without an account.
struct DHTCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dht", abstract: "Be a node of the DHT, or use it without an account.",
        discussion: "A key is 40 hexadecimal digits, or any other text, which is hashed.",
        subcommands: [NodeCommand.self, Get.self, Put.self, Listen.self])

    /// A key of the DHT: digits as they are, any other text hashed.
    struct Key: ExpressibleByArgument {
        let hash: InfoHash

        init?(argument: String) {
            guard !argument.isEmpty else { return nil }
            hash = InfoHash(argument) ?? InfoHash(hashing: argument)
        }
    }

    struct NodeCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "node", abstract: "Be a node of the DHT until Ctrl-C.")

        @OptionGroup var global: GlobalOptions

        func run() async throws {
            try await global.run {
                let interruptions = Interruption.stream()
                let node = try await DHTCommand.start(global, waits: false)
                let watch = Task {
                    for await (family, isConnected) in node.connections {
                        let name = family == .v4 ? "IPv4" : "IPv6"
                        global.printer.event(
                            "network", [("family", .text(name)), ("connected", .flag(isConnected))],
                            line: "\(name) \(isConnected ? "connected" : "disconnected")")
                    }
                }
                for await _ in interruptions { break }
                watch.cancel()
                await node.close()
            }
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the values of a key.")

        @OptionGroup var global: GlobalOptions
        @Argument var key: Key

        func run() async throws {
            try await global.run {
                let node = try await DHTCommand.start(global, waits: true)
                let updates = await node.get(key.hash)
                try await DHTCommand.follow(updates, global.printer)
                await node.close()
            }
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Store a text under a key.")

        @OptionGroup var global: GlobalOptions
        @Argument var key: Key
        @Argument(help: "The text to store.") var text: String
        @Flag(help: "Keep storing it until Ctrl-C.") var permanent = false

        func validate() throws {
            guard text.utf8.count <= ValueType.sizeLimit else {
                throw ValidationError("the text is longer than the \(ValueType.sizeLimit) bytes a value may have")
            }
        }

        func run() async throws {
            try await global.run {
                let interruptions = Interruption.stream()
                let node = try await DHTCommand.start(global, waits: true)
                var random = RandomSource.system
                let id = Value.ID.random(using: &random)
                // Stock nodes print values of this type as text.
                let value = Value(id: id, data: Array(text.utf8), userType: "text/plain")
                let updates = await node.put(value, at: key.hash, permanently: permanent)
                try await DHTCommand.follow(updates, global.printer)
                if permanent { for await _ in interruptions { break } }
                await node.close()
            }
        }
    }

    struct Listen: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the values of a key as they come and go, until Ctrl-C.")

        @OptionGroup var global: GlobalOptions
        @Argument var key: Key

        func run() async throws {
            try await global.run {
                let interruptions = Interruption.stream()
                let node = try await DHTCommand.start(global, waits: true)
                let updates = await node.listen(key.hash)
                let watch = Task { try await DHTCommand.follow(updates, global.printer) }
                for await _ in interruptions { break }
                watch.cancel()
                await node.close()
            }
        }
    }

    /// Starts a node; waits until the network answers where the command needs it.
    fileprivate static func start(_ global: GlobalOptions, waits: Bool) async throws -> DHTNode {
        let configuration = global.dhtConfiguration
        if waits { global.noteJoining() }
        let node: DHTNode
        do throws(NodeError) { node = try await DHTNode(configuration: configuration) } catch { throw Failure(error) }
        let endpoints = node.localEndpoints.map(\.description).joined(separator: " ")
        let port = node.localEndpoints.first.map { Int($0.port) } ?? 0
        global.printer.event(
            "listening",
            [("id", .text(node.nodeID.description)), ("port", .integer(port)), ("endpoints", .text(endpoints))],
            line: waits ? nil : "DHT node \(node.nodeID) on \(endpoints)")
        guard waits else { return node }
        guard await node.waitUntilOnline() else {
            let unresolved = await node.unresolvedHosts
            await node.close()
            throw Failure(offline: configuration.bootstrap, unresolved: unresolved)
        }
        return node
    }

    fileprivate static func follow(_ updates: AsyncStream<DHTNode.Update>, _ printer: Printer) async throws {
        for await update in updates {
            switch update {
            case .value(let value): print(value, printer)
            case .expired(let id):
                printer.event("expired", [("id", .text(hex(id)))], line: "expired \(hex(id))")
            case .finished(.completed(let nodes)):
                printer.event("finished", [("nodes", .integer(nodes))])
            case .finished: throw Failure(.unavailable, "no node of the network answered; try again")
            }
        }
    }

    private static func print(_ value: Value, _ printer: Printer) {
        let data: [UInt8]
        let kind: String
        switch value.content {
        case .encrypted(let cypher): (data, kind) = (cypher, "encrypted")
        case .plain(let body, let signature): (data, kind) = (body.data, signature == nil ? "plain" : "signed")
        }
        let text = String(validating: data, as: UTF8.self)
        var facts: [(String, Printer.Fact)] = [
            ("id", .text(hex(value.id))), ("type", .integer(Int(value.type.rawValue))), ("kind", .text(kind)),
            ("size", .integer(data.count)), ("data", .text(Hexadecimal.encode(data))),
        ]
        if let owner = value.ownerID { facts.append(("owner", .text(owner.description))) }
        if let text { facts.append(("text", .text(text))) }
        let shown = text.map(Printer.printable) ?? Hexadecimal.encode(data)
        printer.event("value", facts, line: "\(hex(value.id)) \(kind) \(value.type.rawValue) \(shown)")
    }

    private static func hex(_ id: Value.ID) -> String { String(id.rawValue, radix: 16) }
}
