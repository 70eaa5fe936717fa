import SansIO
import SwiftDHT
import Testing

/// Puts that look first: permanent ones, and those of values a node keeps for others.
@Suite struct LastingPutTests {
    private let key = InfoHash(hashing: "key")
    private let storer = KnownNode(id: InfoHash(hashing: "storer"), endpoint: AskedNode.peer)

    /// A connected node with one acquaintance, whose requests the test answers.
    private func connectedNode() -> AskedNode {
        var node = AskedNode()
        node.take(node.dht.insert([storer], at: .zero))
        answer(&node, at: .zero)
        answer(&node, at: .zero)
        node.sent = []
        return node
    }

    /// Answers everything the node asked the storer; `change` sees each request and the answer to it.
    private func answer(
        _ node: inout AskedNode, at now: Instant, _ change: (Request.Method, inout Packet.Message) -> Void = { _, _ in }
    ) {
        let asked = node.sent
        node.sent = []
        for (packet, target) in asked {
            guard case .request(let request) = packet.message, target == storer.endpoint else { continue }
            var reply = Reply(sender: storer.id)
            reply.token = [1, 2]
            if case .refresh(_, let id, _) = request.method { reply.valueID = id }
            if case .put(_, let values, _, _) = request.method, case .whole(let value)? = values.first {
                reply.valueID = value.id
            }
            var message = Packet.Message.reply(reply)
            change(request.method, &message)
            let bytes = Packet(message, transaction: packet.transaction).encoded
            node.take(node.dht.receive(bytes.span, from: target, at: now))
        }
    }

    private func methods(_ node: AskedNode) -> [Request.Method] {
        node.sent.compactMap { if case .request(let request) = $0.packet.message { request.method } else { nil } }
    }

    private func row(_ id: UInt64, _ sequence: UInt64) throws -> FieldTable {
        var reply = Reply(sender: storer.id)
        reply.token = [1]
        // Written as a release answers: field table with ascending columns.
        var writer = MessagePackWriter()
        writer.writeMapHeader(2)
        writer.write("r")
        writer.writeMapHeader(2)
        writer.write("id")
        writer.write(storer.id.bytes)
        writer.write("fileds")
        writer.writeMapHeader(2)
        writer.write("f")
        writer.writeArrayHeader(2)
        for field in [1, 4] { writer.write(field) }
        writer.write("v")
        writer.writeArrayHeader(2)
        for cell in [id, sequence] { writer.write(cell) }
        writer.write("t")
        writer.write(1)
        guard case .reply(let read) = try Packet(decoding: writer.bytes).message, let fields = read.fields else {
            throw WireError.malformed("test", at: 0)
        }
        return fields
    }

    private func advance(_ node: inout AskedNode, to end: Instant) {
        while let next = node.dht.deadline, next <= end,
            methods(node).allSatisfy({ if case .get = $0 { false } else { true } })
        {
            node.sent = []
            node.take(node.dht.advance(to: next))
            if methods(node).contains(where: { if case .get = $0 { true } else { false } }) { return }
            answer(&node, at: next)
        }
    }

    @Test func aPermanentPutLooksFirstThenPutsThenRefreshesAndPutsAgainWhatWasForgotten() throws {
        var node = connectedNode()
        let value = Value(id: Value.ID(5), data: [1])
        node.take(node.dht.put(value, at: key, permanently: true, as: OperationID(1), at: .zero))
        let probe = ValueQuery(select: [.id, .sequence], where: [.id(Value.ID(5))])
        #expect(methods(node) == [.get(key: key, query: probe, want: nil)])
        answer(&node, at: .zero)
        #expect(methods(node) == [.put(key: key, values: [.whole(value)], token: [1, 2], created: nil)])
        answer(&node, at: .zero)
        #expect(node.effects.contains(.finished(OperationID(1), .completed(nodes: 1))))

        // Ten minutes less the margin later it looks again, and finds the value there.
        advance(&node, to: Instant.zero.advanced(by: .seconds(620)))
        #expect(methods(node).contains(.get(key: key, query: probe, want: nil)))
        let later = Instant.zero.advanced(by: .seconds(590))
        let table = try row(5, 0)
        answer(&node, at: later) { method, message in
            guard case .get = method, case .reply(var reply) = message else { return }
            reply.fields = table
            message = .reply(reply)
        }
        #expect(methods(node).contains(.refresh(key: key, id: Value.ID(5), token: [1, 2])))
        answer(&node, at: later) { method, message in
            guard case .refresh = method else { return }
            message = .failure(code: 404, text: "", sender: storer.id)
        }
        #expect(methods(node).contains(.put(key: key, values: [.whole(value)], token: [1, 2], created: nil)))
    }

    @Test func anOlderEditAtANodeIsReplacedAndANewerOneIsLeft() throws {
        for (theirs, isReplaced) in [(UInt64(3), true), (5, false), (6, false)] {
            var node = connectedNode()
            let body = ValueBody(type: .userData, data: [1], sequence: 5)
            let value = try Value.signed(body, id: Value.ID(5), by: FakeKey(name: "alice"))
            node.take(node.dht.put(value, at: key, permanently: true, as: OperationID(1), at: .zero))
            let table = try row(5, theirs)
            answer(&node, at: .zero) { method, message in
                guard case .get = method, case .reply(var reply) = message else { return }
                reply.fields = table
                message = .reply(reply)
            }
            let isPut = methods(node).contains { if case .put = $0 { true } else { false } }
            #expect(isPut == isReplaced, "sequence \(theirs)")
        }
    }

    /// Nodes come and go until none of the first is left: what lives for days must live on without its publisher.
    private func isFoundAfterAllHoldersLeft(maintaining: Bool) -> Bool {
        var configuration = Configuration()
        configuration.maintainsStorage = maintaining
        var world = World(seed: 11)
        world.grow(to: 12, configuration)
        let value = Value(id: Value.ID(1), data: [1], type: .trustRequest)
        _ = world.put(value, at: key, as: OperationID(1), from: 0)
        for generation in 1...3 {
            let newcomers = generation * 12..<(generation + 1) * 12
            for _ in newcomers {
                let index = world.addNode(configuration)
                let contacts = (newcomers.lowerBound - 12..<newcomers.lowerBound).map(World.endpoint)
                world.perform(index) { $0.bootstrap(contacts, at: $1) }
                world.run(for: .seconds(1))
            }
            world.run(for: .seconds(20 * 60))
            world.dead.formUnion(newcomers.lowerBound - 12..<newcomers.lowerBound)
            world.run(for: .seconds(60))
        }
        return world.get(key, as: OperationID(2), from: 40) == [value]
    }

    @Test func longLivedValuesOutliveAllWhoHeldThemAtFirst() {
        #expect(isFoundAfterAllHoldersLeft(maintaining: true))
        #expect(!isFoundAfterAllHoldersLeft(maintaining: false))
    }

    @Test func aNodeThatLeavesHandsOverWhatItHasAndProlongsNothing() {
        var configuration = Configuration()
        configuration.maintainsStorage = false
        var world = World(seed: 12)
        world.grow(to: 2, configuration)
        let value = Value(id: Value.ID(1), data: [1])
        _ = world.put(value, at: key, as: OperationID(1), from: 0)
        let stored = world.now
        world.run(for: .seconds(300))
        world.dead = [0]
        world.grow(to: 3, configuration, settle: .zero)
        world.perform(2) { $0.bootstrap([World.endpoint(1)], at: $1) }
        world.run(for: .seconds(30))
        world.perform(1) { $0.handOver(at: $1) }
        #expect(world.nodes[1].pendingHandovers == 1)
        world.run(until: world.now.advanced(by: .seconds(40))) { $0.nodes[1].pendingHandovers == 0 }
        #expect(world.nodes[1].pendingHandovers == 0)
        world.dead = [0, 1]
        #expect(world.nodes[2].state(at: world.now).values.map(\.value) == [value])
        world.run(until: stored.advanced(by: .seconds(605))) { _ in false }
        #expect(world.nodes[2].state(at: world.now).values.isEmpty)
    }
}
