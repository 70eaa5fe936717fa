import SansIO
import SwiftDHT
import Testing

/// What must be examined is, off the node's thread, and nothing happens before.
@Suite struct ExaminationTests {
    private let key = InfoHash(hashing: "key")
    private let alice = FakeKey(name: "alice")

    private func signed(_ id: UInt64, _ data: [UInt8] = [1], sequence: UInt16 = 0) throws -> Value {
        try Value.signed(ValueBody(type: .userData, data: data, sequence: sequence), id: Value.ID(id), by: alice)
    }

    private func forged(_ id: UInt64) throws -> Value {
        guard case .plain(var body, let signature) = try signed(id).content else { return try signed(id) }
        body.data = [9]
        return Value(id: Value.ID(id), content: .plain(body, signature: signature))
    }

    @Test func aSignedValueIsStoredAndAcknowledgedOnceItIsExamined() throws {
        var node = AskedNode()
        node.put([try signed(1)], at: key)
        #expect(node.open.map(\.value.id) == [Value.ID(1)])
        #expect(node.acknowledged.isEmpty)
        node.examine()
        #expect(node.acknowledged == [Value.ID(1)])
        #expect(node.stored(at: key) == [1])
    }

    @Test func aForgedValueIsAcknowledgedAndNotStored() throws {
        var node = AskedNode()
        node.put([try forged(1)], at: key)
        node.examine()
        #expect(node.acknowledged == [Value.ID(1)])
        #expect(node.stored(at: key) == [])
    }

    @Test func withoutAResultNothingIsAcknowledged() throws {
        var node = AskedNode()
        node.put([try signed(1)], at: key)
        node.examine(succeeds: false)
        #expect(node.acknowledged.isEmpty)
        #expect(node.stored(at: key) == [])
        #expect(node.dht.examined(ExaminationID(rawValue: 1), nil, at: .zero) == [.ignored(.examinationIdentifier)])
    }

    @Test func plainValuesAreNotExaminedAndCertificatesAre() {
        var node = AskedNode()
        node.put([Value(id: Value.ID(1), data: [1])], at: key)
        #expect(node.open.isEmpty)
        #expect(node.acknowledged == [Value.ID(1)])
        let place = InfoHash(hashing: "the key")
        node.put([Value(id: Value.ID(1), data: Array("CERTthe key".utf8), type: .certificate)], at: place)
        #expect(node.acknowledged.isEmpty)
        node.examine()
        #expect(node.stored(at: place) == [1])
    }

    @Test func anEditIsJudgedByWhatIsStoredWhenTheResultComes() throws {
        var node = AskedNode()
        node.put([try signed(1, [5], sequence: 5)], at: key)
        node.put([try signed(1, [4], sequence: 4)], at: key)
        node.examine()
        node.examine()
        node.ask(.get(key: key, query: nil, want: nil))
        #expect(node.replies.first?.values == [.whole(try signed(1, [5], sequence: 5))])
        // An unsigned value cannot take the place of a signed one, and needs no examination to be refused.
        node.put([Value(id: Value.ID(1), data: [7])], at: key)
        #expect(node.acknowledged == [Value.ID(1)])
        node.ask(.get(key: key, query: nil, want: nil))
        #expect(node.replies.first?.values == [.whole(try signed(1, [5], sequence: 5))])
    }

    @Test func equalValuesAreExaminedOnceForAllWhoSentThem() throws {
        var node = AskedNode()
        for port in 1...3 { node.put([try signed(1)], at: key, from: AskedNode.peer.with(port: UInt16(port))) }
        #expect(node.open.count == 1)
        (node.sent, node.effects) = ([], [])
        node.examine()
        #expect(node.sent.map(\.to.port) == [1, 2, 3])
    }

    @Test func whatIsOutAndWhatWaitsIsLimited() throws {
        var configuration = Configuration()
        (configuration.examinationConcurrency, configuration.examinationsPerSource) = (2, 5)
        var node = AskedNode(configuration)
        for id in 1...9 { node.put([try signed(UInt64(id))], at: key) }
        #expect(node.open.map(\.value.id) == [Value.ID(1), Value.ID(2)])
        #expect(node.effects == [.ignored(.overLimit)])
        let other = Endpoint(.v4(0x0A00_0009), port: 1)
        node.put([try signed(20)], at: key, from: other)
        #expect(node.effects.isEmpty)
        while !node.open.isEmpty {
            node.examine()
            #expect(node.open.count <= 2)
        }
        #expect(node.stored(at: key) == [1, 2, 3, 4, 5, 20])
    }

    @Test func aGetEndsWhenWhatItFoundIsExamined() throws {
        var node = AskedNode()
        let storer = AskedNode.peer
        node.take(node.dht.insert([KnownNode(id: InfoHash(hashing: "storer"), endpoint: storer)], at: .zero))
        let answer = { (node: inout AskedNode, values: [Value]) in
            let asked = node.sent
            node.sent = []
            for (packet, target) in asked {
                guard case .request = packet.message else { continue }
                var reply = Reply(sender: InfoHash(hashing: "storer"))
                reply.token = [1]
                reply.values = values.map(ValueItem.whole)
                let bytes = Packet(.reply(reply), transaction: packet.transaction).encoded
                node.take(node.dht.receive(bytes.span, from: target, at: .zero))
            }
        }
        answer(&node, [])
        node.take(node.dht.get(key, as: OperationID(7), at: .zero))
        answer(&node, [try signed(1), try forged(2)])
        #expect(node.open.count == 2)
        let ends = { (node: AskedNode) in
            node.effects.filter { if case .finished(OperationID(7), _) = $0 { true } else { false } }.count
        }
        node.examine()
        #expect(node.effects.contains(.value(try signed(1), for: OperationID(7))))
        #expect(ends(node) == 0)
        node.examine()
        #expect(!node.effects.contains(.value(try forged(2), for: OperationID(7))))
        #expect(ends(node) == 1)
    }

    @Test func aListenHearsOfSignedValuesOnceTheyAreExamined() throws {
        var node = AskedNode()
        node.take(node.dht.listen(key, as: OperationID(3), at: .zero))
        node.put([try signed(1)], at: key)
        #expect(node.effects.isEmpty)
        node.examine()
        #expect(node.effects == [.value(try signed(1), for: OperationID(3))])
    }
}
