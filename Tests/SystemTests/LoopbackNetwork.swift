import Foundation

/// A network of one DHT node on the loopback interface, which everybody of a test enters through.
struct LoopbackNetwork: Sendable {
    let sandbox: Sandbox
    let node: SwiftletProcess
    let port: Int

    static func start() async throws -> LoopbackNetwork {
        let node = try SwiftletProcess(["dht", "node", "--json", "--bind", "127.0.0.1", "--bootstrap", "none"])
        let port = Int(try await node.event("listening").number("port"))
        return LoopbackNetwork(sandbox: try Sandbox(), node: node, port: port)
    }

    /// The options that make a command use this network, and be read by a test.
    var options: [String] { ["--json", "--bind", "127.0.0.1", "--bootstrap", "127.0.0.1:\(port)"] }

    /// Makes a person reachable; no sound device of the machine is used unless it is named.
    func listen(as person: Person, state: String? = nil, _ arguments: String...) async throws -> SwiftletProcess {
        let folder = if let state { state } else { try await sandbox.state(of: person) }
        let process = try SwiftletProcess(["listen", "--state", folder, "--silent"] + options + arguments)
        try await process.event("announced")
        return process
    }

    /// Begins a call; no sound device of the machine is used unless it is named.
    func call(
        from person: Person, to peer: Person, state: String? = nil, _ arguments: [String]
    ) async throws -> SwiftletProcess {
        let folder = if let state { state } else { try await sandbox.state(of: person) }
        return try SwiftletProcess(["call", "--state", folder, try await peer.id, "--silent"] + options + arguments)
    }
}
