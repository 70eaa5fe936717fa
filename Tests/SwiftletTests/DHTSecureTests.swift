import SansIO
import SecureChannel
import SwiftDHT
import Swiftlet
import Testing

/// Signed and encrypted values between two nodes with identities, on the loopback interface.
@Suite("Secure values of DHT nodes", .serialized)
struct DHTSecureTests {
    private static let alice = Result { try CertifiedKey.create(commonName: "alice", bits: 2048, at: 1_800_000_000) }
    private static let bob = Result { try CertifiedKey.create(commonName: "bob", bits: 2048, at: 1_800_000_000) }

    /// A network of three nodes, the last two with identities.
    private struct Trio {
        let group: DHTGroup
        let plain: DHTNode
        let alice: DHTNode
        let bob: DHTNode

        init() async throws {
            group = try DHTGroup()
            var configuration = DHTNode.Configuration()
            configuration.addresses = [.loopback(.v4)]
            configuration.bootstrap = []
            plain = try await DHTNode(configuration: configuration, in: group)
            configuration.bootstrap = plain.localEndpoints.map { .init(host: "127.0.0.1", port: $0.port) }
            configuration.identity = try DHTSecureTests.alice.get()
            alice = try await DHTNode(configuration: configuration, in: group)
            configuration.identity = try DHTSecureTests.bob.get()
            bob = try await DHTNode(configuration: configuration, in: group)
            for node in [plain, alice, bob] { #expect(await node.waitUntilOnline()) }
        }

        func close() async {
            for node in [plain, alice, bob] { await node.close() }
            group.close()
        }
    }

    private static func put(_ value: Value, at key: InfoHash, by node: DHTNode) async -> Bool {
        for await case .finished(.completed(let nodes)) in await node.put(value, at: key) { return nodes > 0 }
        return false
    }

    private static func values(at key: InfoHash, of node: DHTNode) async -> [Value] {
        var values: [Value] = []
        for await case .value(let value) in await node.get(key) { values.append(value) }
        return values
    }

    private static func body(_ text: String) -> ValueBody { ValueBody(type: .userData, data: Array(text.utf8)) }

    @Test("A node with an identity is known as releases would know it", .timeLimit(.minutes(20)))
    func nodeID() async throws {
        let trio = try await Trio()
        #expect(trio.alice.nodeID == NodeID(hashing: "node:\(try Self.alice.get().id)"))
        await trio.close()
    }

    @Test("An edit of a signed value takes its place", .timeLimit(.minutes(20)))
    func edits() async throws {
        let trio = try await Trio()
        let (key, id) = (InfoHash(hashing: "edited"), Value.ID(5))
        let first = try await trio.alice.sign(Self.body("first"), id: id, for: key)
        #expect(first.body?.sequence == 0)
        #expect(await Self.put(first, at: key, by: trio.alice))
        let second = try await trio.alice.sign(Self.body("second"), id: id, for: key)
        #expect(second.body?.sequence == 1)
        #expect(await Self.put(second, at: key, by: trio.alice))
        #expect(await Self.values(at: key, of: trio.bob) == [second])
        // Nobody else's key, and no older edit, takes it back.
        let other = try await trio.bob.sign(Self.body("third"), id: id, for: key)
        _ = await Self.put(other, at: key, by: trio.bob)
        let left = await Self.values(at: key, of: trio.plain).filter { $0.body?.data != Array("third".utf8) }
        #expect(left == [second])
        await trio.close()
    }

    @Test(
        "A value is encrypted for a reader known by any of its ids, and opens for nobody else",
        .timeLimit(.minutes(20)))
    func sealing() async throws {
        let trio = try await Trio()
        let bob = try Self.bob.get()
        // The certificates are stored soon after the node is online.
        while await trio.alice.certificate(of: .long(bob.longID)) == nil {}
        let place = try #require(ShortID(hex: InfoHash(hashing: bob.longID.bytes).description))
        let readers = [DHTNode.Recipient.short(bob.id), .long(bob.longID), .short(place)]
        for (index, reader) in readers.enumerated() {
            let key = InfoHash(hashing: "sealed \(index)")
            let value = try await trio.alice.seal(Self.body("for bob"), id: Value.ID(9), for: reader)
            #expect(await Self.put(value, at: key, by: trio.alice))
            let found = await Self.values(at: key, of: trio.bob)
            #expect(found == [value])
            let opened = await trio.bob.open(value)
            #expect(opened?.data == Array("for bob".utf8))
            #expect(opened?.owner == (try Self.alice.get().key.publicKey.der))
            #expect(await trio.alice.open(value) == nil)
            #expect(await trio.plain.open(value) == nil)
        }
        await trio.close()
    }

    @Test("Without an identity, or for nobody, nothing is made", .timeLimit(.minutes(20)))
    func refusals() async throws {
        let trio = try await Trio()
        await #expect(throws: DHTNode.SecureError.noIdentity) {
            try await trio.plain.sign(Self.body("x"), id: Value.ID(1), for: .zero)
        }
        let nobody = try #require(ShortID(hex: String(repeating: "0123", count: 10)))
        await #expect(throws: DHTNode.SecureError.unknownRecipient) {
            try await trio.alice.seal(Self.body("x"), id: Value.ID(1), for: .short(nobody))
        }
        await trio.close()
    }
}
