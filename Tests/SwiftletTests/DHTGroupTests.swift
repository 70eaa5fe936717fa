import SansIO
import SwiftDHT
import Swiftlet
import Testing

/// Nodes of one process that share a thread, on the loopback interface.
@Suite("DHT group")
struct DHTGroupTests {
    private static func configuration(through entry: DHTNode?) -> DHTNode.Configuration {
        var configuration = DHTNode.Configuration()
        configuration.addresses = [.loopback(.v4)]
        configuration.bootstrap =
            entry.map { node in
                node.localEndpoints.map { .init(host: $0.address.description, port: $0.port) }
            } ?? []
        return configuration
    }

    @Test("Nodes on one thread are a network of their own", .timeLimit(.minutes(20)))
    func sharedThread() async throws {
        let group = try DHTGroup()
        let first = try await DHTNode(configuration: Self.configuration(through: nil), in: group)
        var nodes = [first]
        for _ in 1..<12 {
            nodes.append(try await DHTNode(configuration: Self.configuration(through: first), in: group))
        }
        for node in nodes { #expect(await node.waitUntilOnline()) }
        #expect(Set(nodes.map(\.nodeID)).count == nodes.count)

        let key = InfoHash(hashing: "group")
        let value = Value(id: Value.ID(7), data: Array("shared".utf8))
        var outcome: DHT.Outcome?
        for await case .finished(let end) in await nodes[3].put(value, at: key) { outcome = end }
        guard case .completed(let count)? = outcome else { throw Missing(outcome: outcome) }
        #expect(count > 0)
        var found: [Value] = []
        for await case .value(let value) in await nodes[9].get(key) { found.append(value) }
        #expect(found == [value])

        // One of them ends; the thread and the others go on.
        await nodes[3].close()
        var again: [Value] = []
        for await case .value(let value) in await nodes[5].get(key) { again.append(value) }
        #expect(again == [value])
        for node in nodes { await node.close() }
        group.close()
    }

    private struct Missing: Error {
        let outcome: DHT.Outcome?
    }
}
