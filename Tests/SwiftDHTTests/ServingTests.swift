import Foundation
import SansIO
import SwiftDHT
import TestVectors
import Testing

/// One node, asked by hand.
@Suite struct ServingTests {
    private let peer = Endpoint(.v4(0x7F00_0001), port: 5000)
    private let peerID = InfoHash(hashing: "peer")
    private let key = InfoHash(hashing: "key")

    private func node(_ configuration: Configuration = Configuration()) -> DHT {
        DHT(
            configuration: configuration, id: InfoHash(hashing: "node"), verifier: FakeKey(name: "any"),
            clock: World.clock, random: .seeded(1))
    }

    /// Sends a request and returns the packets that come back to `source`.
    private func ask(
        _ dht: inout DHT, _ method: Request.Method, from source: Endpoint? = nil, transaction: UInt32 = 7,
        at now: Instant = .zero
    ) -> [Packet] {
        let request = Packet(
            .request(Request(sender: peerID, method: method)), transaction: transaction, isClient: true)
        return packets(dht.receive(request.encoded.span, from: source ?? peer, at: now))
    }

    private func packets(_ effects: [DHT.Effect]) -> [Packet] {
        effects.compactMap { if case .send(let bytes, _) = $0 { try? Packet(decoding: bytes) } else { nil } }
    }

    private func reply(_ packets: [Packet]) -> Reply? {
        packets.lazy.compactMap { if case .reply(let reply) = $0.message { reply } else { nil } }.first
    }

    private func errorCode(_ packets: [Packet]) -> UInt64? {
        packets.lazy.compactMap { if case .failure(let code, _, _) = $0.message { code } else { nil } }.first
    }

    private func token(_ dht: inout DHT, from source: Endpoint? = nil, at now: Instant = .zero) -> [UInt8] {
        reply(ask(&dht, .find(target: key, want: nil), from: source, at: now))?.token ?? []
    }

    @Test func requestsOfTheCapturesGetAnswersOfTheSameShape() throws {
        let releases = try #require(try TestVectors.object("opendht/packets_server.json") as? [String: Any])
        for release in ["24", "44"] {
            let entry = try #require(releases[release] as? [String: Any])
            var dht = node()
            let ownToken = token(&dht)
            for exchange in try #require(entry["exchanges"] as? [[String: Any]]) {
                let name = try #require(exchange["name"] as? String)
                guard !name.hasPrefix("listen") else { continue }
                var (expected, answers): ([Packet], [Packet]) = ([], [])
                for capture in try #require(exchange["exchange"] as? [[String: Any]]) {
                    var packet = try Packet(decoding: hex(try #require(capture["hex"] as? String)))
                    guard capture["direction"] as? String == "to_peer" else { expected.append(packet); continue }
                    packet.replaceToken(by: ownToken, unless: name.contains("wrong token"))
                    answers += packets(dht.receive(packet.encoded.span, from: peer, at: .zero))
                }
                // The node also asks back whether its new acquaintance lives.
                answers.removeAll { if case .request = $0.message { true } else { false } }
                #expect(answers.map(\.shape) == expected.map(\.shape), "\(release) \(name)")
            }
        }
    }

    @Test func tokensOfTheLastTwoSecretsAreAccepted() {
        var dht = node()
        let first = token(&dht)
        func isAccepted(_ token: [UInt8], at now: Instant, from source: Endpoint? = nil) -> Bool {
            errorCode(
                ask(&dht, .listen(key: key, token: token, socket: 1, version: 1, query: nil), from: source, at: now))
                == nil
        }
        #expect(isAccepted(first, at: .zero))
        #expect(!isAccepted(first, at: .zero, from: peer.with(port: 5001)))
        let later = Instant.zero.advanced(by: .seconds(45 * 60 + 1))
        _ = dht.advance(to: later)
        let second = token(&dht, at: later)
        #expect(second != first)
        #expect(isAccepted(first, at: later))
        let end = later.advanced(by: .seconds(45 * 60 + 1))
        _ = dht.advance(to: end)
        #expect(!isAccepted(first, at: end))
    }

    @Test func aSourceIsServedUpToItsRateOnly() {
        var dht = node()
        func served(_ count: Int, at now: Instant) -> Int {
            (0..<count).reduce(0) { total, _ in total + (ask(&dht, .ping, at: now).isEmpty ? 0 : 1) }
        }
        #expect(served(3000, at: .zero) == 1024)
        #expect(served(10, at: Instant.zero.advanced(by: .seconds(1))) == 10)
        var configuration = Configuration()
        configuration.limitsRequestRate = false
        dht = node(configuration)
        #expect(served(3000, at: .zero) == 3000)
    }

    /// A node that comes back under the same identifier and another port keeps its listens, whatever its old port owes; and
    /// hears there what that port may have missed.
    @Test func aListenerThatMovedIsNotForgottenForTheSilenceOfItsOldAddress() {
        var dht = node()
        let (old, new, author) = (peer, peer.with(port: 6000), Endpoint(.v4(0x0A00_0001), port: 1))
        /// Returns the pushes that come at once, which are acknowledged.
        func listen(from source: Endpoint, at now: Instant) -> [Update] {
            let granted = token(&dht, from: source, at: now)
            let sent = ask(
                &dht, .listen(key: key, token: granted, socket: 1, version: 1, query: nil), from: source, at: now)
            return sent.compactMap { packet in
                guard case .request(let pushed) = packet.message, case .update(let update) = pushed.method else {
                    return nil
                }
                let answer = Packet(.reply(Reply(sender: peerID)), transaction: packet.transaction, isClient: true)
                _ = dht.receive(answer.encoded.span, from: source, at: now)
                return update
            }
        }
        #expect(listen(from: old, at: .zero).isEmpty)
        put(&dht, Value(id: Value.ID(1), data: [1]), author)
        var now = Instant.zero.advanced(by: .seconds(1))
        #expect(listen(from: new, at: now).count == 1)
        #expect(listen(from: new, at: now).isEmpty, "what was told is not told again")
        let end = now.advanced(by: .seconds(25))
        while let next = dht.deadline, next <= end {
            now = next
            _ = dht.advance(to: now)
        }
        let granted = token(&dht, from: author, at: end)
        let request = Packet(
            .request(
                Request(
                    sender: InfoHash(hashing: "author"),
                    method: .put(
                        key: key, values: [.whole(Value(id: Value.ID(2), data: [2]))], token: granted, created: nil))),
            transaction: 9, isClient: true)
        let told = dht.receive(request.encoded.span, from: author, at: end).compactMap { effect -> Endpoint? in
            guard case .send(let bytes, let target) = effect, let packet = try? Packet(decoding: bytes),
                case .request(let pushed) = packet.message, case .update = pushed.method
            else { return nil }
            return target
        }
        #expect(told.contains(new))
    }

    private func put(
        _ dht: inout DHT, _ value: Value, _ source: Endpoint, created: Int64? = nil, at now: Instant = .zero
    ) {
        let token = token(&dht, from: source, at: now)
        _ = ask(
            &dht, .put(key: key, values: [.whole(value)], token: token, created: created), from: source, at: now)
    }

    private func stored(_ dht: inout DHT, at now: Instant = .zero) -> [UInt64] {
        let query = ValueQuery(select: [.id])
        let table = reply(ask(&dht, .get(key: key, query: query, want: nil), at: now))?.fields
        return table?.cells.compactMap { if case .number(let id) = $0 { id } else { nil } } ?? []
    }

    @Test func theGreediestSourceLosesItsValuesFirstWhenStorageIsFull() {
        var configuration = Configuration()
        configuration.storageLimit = 10 * 356
        var dht = node(configuration)
        let greedy = Endpoint(.v4(0x7F00_0002), port: 1)
        for id in 1...9 { put(&dht, Value(id: Value.ID(UInt64(id)), data: [UInt8](repeating: 1, count: 100)), greedy) }
        for id in 11...13 { put(&dht, Value(id: Value.ID(UInt64(id)), data: [UInt8](repeating: 1, count: 100)), peer) }
        #expect(Set(stored(&dht)) == [3, 4, 5, 6, 7, 8, 9, 11, 12, 13])
    }

    @Test func valuesExpireFromTheirCreationAndRefreshProlongsThem() {
        var dht = node()
        let unix = World.clock.unixSeconds(at: .zero)
        put(&dht, Value(id: Value.ID(1), data: [1]), peer, created: unix - 590)
        put(&dht, Value(id: Value.ID(2), data: [1]), peer, created: unix - 601)
        put(&dht, Value(id: Value.ID(3), data: [1]), peer)
        put(&dht, Value(id: Value.ID(4), data: [1]), peer, created: Int64.min)
        #expect(stored(&dht) == [1, 3])
        let later = Instant.zero.advanced(by: .seconds(11))
        _ = dht.advance(to: later)
        #expect(stored(&dht, at: later) == [3])
        let renewal = Instant.zero.advanced(by: .seconds(500))
        let token = token(&dht, at: renewal)
        _ = ask(&dht, .refresh(key: key, id: Value.ID(3), token: token), at: renewal)
        _ = dht.advance(to: Instant.zero.advanced(by: .seconds(700)))
        #expect(stored(&dht, at: Instant.zero.advanced(by: .seconds(700))) == [3])
    }

    @Test func certificatesAreStoredUnderTheirKeysIdentifiersOnly() {
        var dht = node()
        let data = Array("CERTthe key".utf8)
        let token = token(&dht)
        let certificate = Value(id: Value.ID(1), data: data, type: .certificate)
        for name in ["the key", "another"] {
            let place = InfoHash(hashing: name)
            _ = ask(&dht, .put(key: place, values: [.whole(certificate)], token: token, created: nil))
            let found = reply(ask(&dht, .get(key: place, query: nil, want: nil)))?.values ?? []
            #expect(found.isEmpty == (name == "another"))
        }
    }

    @Test func aSealedValueOpensForItsRecipientOnly() throws {
        let (alice, bob, eve) = (FakeKey(name: "alice"), FakeKey(name: "bob"), FakeKey(name: "eve"))
        let body = ValueBody(type: .trustRequest, data: [1, 2, 3])
        let sealed = try SealedValue.seal(body, id: Value.ID(9), signer: alice, encryptor: bob)
        let received = try Value(decoding: sealed.packed)
        let opened = try SealedValue.open(received, by: bob, verifier: bob)
        #expect(opened.data == [1, 2, 3])
        #expect(opened.owner == alice.publicKey)
        #expect(throws: SealedValue.Refusal.undecryptable) {
            try SealedValue.open(received, by: eve, verifier: eve)
        }
        // Bob passes on to Eve what Alice signed for him.
        guard case .encrypted(let cypher) = received.content else { return }
        let forwarded = Value(id: Value.ID(9), content: .encrypted(try eve.encrypt(try bob.decrypt(cypher))))
        #expect(throws: SealedValue.Refusal.wrongRecipient) {
            try SealedValue.open(forwarded, by: eve, verifier: eve)
        }
    }

    @Test func anUnacknowledgedPushIsRepeatedAndThenTheListenerIsForgotten() {
        var dht = node()
        let listenerToken = token(&dht)
        _ = ask(&dht, .listen(key: key, token: listenerToken, socket: 42, version: 1, query: nil))
        var pushes: [UInt32] = []
        let other = Endpoint(.v4(0x7F00_0003), port: 9)
        let otherToken = token(&dht, from: other)
        let value = Value(id: Value.ID(1), data: [1])
        for packet in ask(&dht, .put(key: key, values: [.whole(value)], token: otherToken, created: nil), from: other) {
            if case .request(let request) = packet.message, case .update = request.method {
                pushes.append(packet.transaction)
            }
        }
        while let next = dht.deadline, next < Instant.zero.advanced(by: .seconds(12)) {
            pushes += packets(dht.advance(to: next)).map(\.transaction)
        }
        #expect(pushes.count == 4)
        #expect(Set(pushes).count == 1)
        let after = Instant.zero.advanced(by: .seconds(13))
        let second = Value(id: Value.ID(2), data: [1])
        let answers = ask(
            &dht, .put(key: key, values: [.whole(second)], token: otherToken, created: nil), from: other, at: after)
        #expect(answers.count == 1)
    }
}

extension Packet {
    /// Which keys a packet carries, and its codes; not what differs from run to run.
    fileprivate var shape: String {
        switch message {
        case .reply(let reply):
            let values = reply.values.map { item -> String in
                if case .whole(let value) = item { "\(value)" } else { "\(item)" }
            }
            return "reply \(transaction) \(reply.valueID?.rawValue ?? 0) \(reply.observed != nil) "
                + "\(!reply.token.isEmpty) \(values) \(String(describing: reply.fields))"
        case .failure(let code, _, _): return "failure \(transaction) \(code)"
        case .fragments(let fragments): return "fragments \(transaction) \(fragments)"
        case .request(let request): return "request \(request.method.name)"
        case .update: return "update"
        }
    }

    fileprivate mutating func replaceToken(by token: [UInt8], unless isKept: Bool) {
        guard !isKept, case .request(var request) = message else { return }
        switch request.method {
        case .put(let key, let values, _, let created):
            request.method = .put(key: key, values: values, token: token, created: created)
        case .refresh(let key, let id, _): request.method = .refresh(key: key, id: id, token: token)
        default: break
        }
        message = .request(request)
    }
}
