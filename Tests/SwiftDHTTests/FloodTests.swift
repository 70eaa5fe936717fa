import SansIO
import Testing

@testable import SwiftDHT

/// However much comes, a node stays as large as its limits say, and answers those it knows.
@Suite struct FloodTests {
    private let friend = KnownNode(id: InfoHash(hashing: "friend"), endpoint: Endpoint(.v4(0x0808_0404), port: 4222))

    private func node(_ configuration: Configuration = Configuration()) -> DHT {
        DHT(
            configuration: configuration, id: InfoHash(hashing: "node"), verifier: FakeKey(name: "any"),
            clock: World.clock, random: .seeded(1))
    }

    private func ask(
        _ dht: inout DHT, _ method: Request.Method, as id: NodeID, from source: Endpoint, transaction: UInt32 = 1,
        at now: Instant
    ) -> [Packet] {
        let request = Packet(.request(Request(sender: id, method: method)), transaction: transaction)
        return packets(dht.receive(request.encoded.span, from: source, at: now), to: source)
    }

    private func packets(_ effects: [DHT.Effect], to endpoint: Endpoint) -> [Packet] {
        effects.compactMap { if case .send(let bytes, endpoint) = $0 { try? Packet(decoding: bytes) } else { nil } }
    }

    private func isReply(_ packet: Packet) -> Bool { if case .reply = packet.message { true } else { false } }

    private func id(_ number: Int) -> NodeID { InfoHash(hashing: "id \(number)") }

    /// The instant of the `number`-th packet of a flood of `rate` a second.
    private func time(_ number: Int, _ rate: Int) -> Instant {
        Instant.zero.advanced(by: .nanoseconds(Int64(number) * 1_000_000_000 / Int64(rate)))
    }

    @Test func manyIdentifiersOfOneAddressFillNothing() {
        var configuration = Configuration()
        configuration.nodeLimit = 256
        var dht = node(configuration)
        for number in 0..<20_000 {
            let now = time(number, 1000)
            _ = dht.advance(to: now)
            _ = ask(&dht, .ping, as: id(number), from: Endpoint(.v4(0x0A00_0009), port: 4222), at: now)
        }
        #expect(dht.networks[.v4].nodes.count <= 256)
        #expect(dht.pending.count <= 256)
        // A newcomer that answers finds a place all the same.
        let now = Instant.zero.advanced(by: .seconds(30))
        for effect in dht.insert([friend], at: now) {
            guard case .send(let bytes, friend.endpoint) = effect, let packet = try? Packet(decoding: bytes) else {
                continue
            }
            let reply = Packet(.reply(Reply(sender: friend.id)), transaction: packet.transaction)
            _ = dht.receive(reply.encoded.span, from: friend.endpoint, at: now)
        }
        #expect(dht.goodNodes(.v4, limit: 8, at: now) == [friend])
    }

    @Test func forgedSourcesOfTheInternetLeaveNoNodes() {
        var configuration = Configuration()
        configuration.withheldRequestLimit = 100
        var dht = node(configuration)
        var refused = 0
        for number in 0..<5_000 {
            let now = time(number, 5000)
            let source = Endpoint(.v4(0x2000_0000 + UInt32(number) * 7919), port: 4222)
            let request = Packet(
                .request(Request(sender: id(number), method: .find(target: id(0), want: nil))), transaction: 5)
            let effects = dht.receive(request.encoded.span, from: source, at: now)
            if effects.contains(.ignored(.unproven)) { refused += 1 }
        }
        #expect(refused == 4_900)
        #expect(dht.networks[.v4].nodes.count == 0)
        #expect(dht.withheld.count == 100)
        #expect(dht.pending.count == 100)
        let later = Instant.zero.advanced(by: .seconds(10))
        while let next = dht.deadline, next <= later { _ = dht.advance(to: next) }
        #expect(dht.withheld.count == 0)
        #expect(dht.pending.count == 0)
    }

    @Test func aPrefixOfTheInternetHasFewPlacesInTableAndBuckets() {
        var dht = node()
        for number in 0..<400 {
            let endpoint = Endpoint(.v4(0x2000_0000 + UInt32(number % 250)), port: 4222)
            let peer = KnownNode(id: id(number), endpoint: endpoint)
            for effect in dht.insert([peer], at: .zero) {
                guard case .send(let bytes, peer.endpoint) = effect, let packet = try? Packet(decoding: bytes) else {
                    continue
                }
                let reply = Packet(.reply(Reply(sender: peer.id)), transaction: packet.transaction)
                _ = dht.receive(reply.encoded.span, from: peer.endpoint, at: .zero)
            }
        }
        #expect(dht.networks[.v4].nodes.count == Configuration().nodesPerPrefix)
        for bucket in dht.networks[.v4].table.buckets { #expect(bucket.members.count <= 2) }
    }

    @Test func repliesNobodyAskedForTeachNothing() {
        var dht = node()
        for number in 0..<5_000 {
            let reply = Packet(.reply(Reply(sender: id(number))), transaction: UInt32(number))
            let effects = dht.receive(reply.encoded.span, from: friend.endpoint, at: .zero)
            #expect(effects == [.ignored(.unsolicited)])
        }
        #expect(dht.networks[.v4].nodes.count == 0)
    }

    @Test func guessedTokensStoreNothing() {
        var dht = node()
        let source = Endpoint(.v4(0x0A00_0009), port: 4222)
        var random = RandomSource.seeded(3)
        for number in 0..<3_000 {
            let value = Value(id: Value.ID(UInt64(number + 1)), data: [1])
            let put = Request.Method.put(
                key: id(1), values: [.whole(value)], token: random.bytes(number % 40), created: nil)
            for answer in ask(&dht, put, as: id(2), from: source, at: time(number, 900)) {
                #expect(!isReply(answer))
            }
        }
        #expect(dht.counters.valuesStored == 0)
        #expect(dht.storage.count == 0)
    }

    /// Sources without number use up what is meant for strangers, and those who proved their address are still served.
    @Test func aFloodOfStrangersLeavesRoomForOthers() {
        var configuration = Configuration()
        (configuration.requestsPerSecond, configuration.requestsFromStrangers) = (100, 60)
        var dht = node(configuration)
        dht.prove(friend.endpoint.address, at: .zero)
        for number in 0..<5_000 {
            _ = ask(&dht, .ping, as: id(number), from: Endpoint(.v4(0x2000_0000 + UInt32(number)), port: 1), at: .zero)
        }
        let answers = ask(&dht, .ping, as: friend.id, from: friend.endpoint, at: .zero)
        #expect(answers.contains(where: isReply))
    }

    @Test func sourcesAreCountedUpToALimit() {
        var configuration = Configuration()
        configuration.rateSourceLimit = 50
        var rate = RateLimit()
        let admitted = (0..<5_000).filter {
            rate.admit(.v4(0x2000_0000 + UInt32($0)), configuration: configuration, at: .zero)
        }
        #expect(admitted.count == 50)
        #expect(rate.count == 50)
        let isAdmittedLater = rate.admit(
            .v4(9), configuration: configuration, at: Instant.zero.advanced(by: .seconds(1)))
        #expect(isAdmittedLater)
        #expect(rate.count == 1)
    }

    @Test func bansAreLimitedAndEnd() {
        var bans = BanList()
        for port in 1...UInt16(500) {
            bans.insert(friend.endpoint.with(port: port), until: time(10, 1), limit: 100)
        }
        #expect(!bans.contains(friend.endpoint.with(port: 400), at: .zero))
        #expect(bans.contains(friend.endpoint.with(port: 401), at: .zero))
        #expect(!bans.contains(friend.endpoint.with(port: 500), at: time(10, 1)))
        bans.expire(at: time(10, 1))
        #expect(bans.isEmpty)
    }

    @Test func provenAddressesAreLimitedAndEnd() {
        var proofs = ProvenAddresses()
        for number in 0..<500 { proofs.insert(.v4(UInt32(number)), until: time(10, 1), limit: 100, at: .zero) }
        #expect(proofs.count == 100)
        #expect(!proofs.contains(.v4(0), at: time(10, 1)))
        proofs.insert(.v4(999), until: time(30, 1), limit: 100, at: time(20, 1))
        #expect(proofs.count == 1)
        #expect(proofs.contains(.v4(999), at: time(20, 1)))
    }
}

/// A forged source address gets less than half as much again as was sent in its name.
@Suite struct AmplificationTests {
    private static let headers = 28
    private let victim = Endpoint(.v4(0xC633_6405), port: 4222)

    /// A node with a full routing table and many values at one key.
    private func rich(_ key: InfoHash) -> DHT {
        var dht = DHT(
            configuration: Configuration(), id: InfoHash(hashing: "node"), verifier: FakeKey(name: "any"),
            clock: World.clock, random: .seeded(1))
        for number in 0..<40 {
            let endpoint = Endpoint(.v4(0x2000_0000 + UInt32(number) << 8), port: 9)
            let peer = KnownNode(id: InfoHash(hashing: "peer \(number)"), endpoint: endpoint)
            for case .send(let bytes, peer.endpoint) in dht.insert([peer], at: .zero) {
                guard let packet = try? Packet(decoding: bytes) else { continue }
                let reply = Packet(.reply(Reply(sender: peer.id)), transaction: packet.transaction)
                _ = dht.receive(reply.encoded.span, from: peer.endpoint, at: .zero)
            }
        }
        for number in 1...UInt64(20) {
            let value = Value(id: Value.ID(number), data: Array(repeating: 7, count: 2000))
            _ = dht.put(value, at: key, as: OperationID(number), at: .zero)
        }
        return dht
    }

    private var methods: [Request.Method] {
        let key = InfoHash(hashing: "key")
        let value = Value(id: Value.ID(1), data: [1])
        return [
            .ping, .find(target: key, want: [.v4, .v6]), .get(key: key, query: nil, want: nil),
            .get(key: nil, query: nil, want: nil),
            .put(key: key, values: [.whole(value)], token: [1, 2, 3], created: nil),
            .put(key: nil, values: [.whole(value)], token: [1, 2, 3], created: nil),
            .refresh(key: key, id: value.id, token: [1]),
            .listen(key: key, token: [9], socket: 1, version: 1, query: nil), .update(Update(socket: 5)),
        ]
    }

    @Test(arguments: [1, 50])
    func whatIsSentToAnUnprovenAddressIsLessThanHalfAsMuchAgain(times: Int) {
        let key = InfoHash(hashing: "key")
        for method in methods {
            var dht = rich(key)
            var (received, sent) = (0, 0)
            func count(_ effects: [DHT.Effect]) {
                for case .send(let bytes, victim) in effects { sent += bytes.count + Self.headers }
            }
            for round in 0..<times {
                let request = Packet(
                    .request(Request(sender: InfoHash(hashing: "\(round)"), method: method)),
                    transaction: 0x7000_0000 + UInt32(round), agent: "RNG1")
                received += request.encoded.count + Self.headers
                let now = Instant.zero.advanced(by: .milliseconds(round))
                count(dht.receive(request.encoded.span, from: victim, at: now))
            }
            let end = Instant.zero.advanced(by: .seconds(20))
            while let next = dht.deadline, next <= end { count(dht.advance(to: next)) }
            #expect(Double(sent) < 1.5 * Double(received), "\(method.name): \(sent) for \(received)")
        }
    }

    @Test func anAddressThatAnswersAPingHasItsAnswerAtOnce() throws {
        let key = InfoHash(hashing: "key")
        var dht = rich(key)
        let request = Packet(
            .request(Request(sender: InfoHash(hashing: "asker"), method: .get(key: key, query: nil, want: nil))),
            transaction: 77)
        func sent(_ effects: [DHT.Effect]) -> [Packet] {
            effects.compactMap { if case .send(let bytes, victim) = $0 { try? Packet(decoding: bytes) } else { nil } }
        }
        let question = try #require(sent(dht.receive(request.encoded.span, from: victim, at: .zero)).first)
        let pong = Packet(.reply(Reply(sender: InfoHash(hashing: "asker"))), transaction: question.transaction)
        let answers = sent(dht.receive(pong.encoded.span, from: victim, at: .zero))
        guard case .reply(let reply)? = answers.first?.message else {
            Issue.record("no answer")
            return
        }
        #expect(answers.first?.transaction == 77)
        #expect(!reply.token.isEmpty && reply.nodes4.count == 8 && reply.values.count == 20)
        // From now on, it is answered without delay.
        #expect(sent(dht.receive(request.encoded.span, from: victim, at: .zero)).first?.transaction == 77)
    }

    @Test func aGuessedTransactionProvesNothing() {
        var dht = rich(InfoHash(hashing: "key"))
        for transaction in 0..<UInt32(10_000) {
            let pong = Packet(.reply(Reply(sender: InfoHash(hashing: "asker"))), transaction: transaction)
            _ = dht.receive(pong.encoded.span, from: victim, at: .zero)
        }
        #expect(!dht.proofs.contains(victim.address, at: .zero))
    }

    /// All of this with nodes of the Internet: they find each other, and each other's values.
    @Test func aNetworkOfTheInternetWorks() {
        var world = World(seed: 71)
        world.grow(to: 30, at: { Endpoint(.v4(0x1400_0001 + UInt32($0) << 8), port: 4222) })
        let value = Value(id: Value.ID(1), data: [1])
        for round in 0..<10 {
            let target = InfoHash(hashing: "internet \(round)")
            _ = world.put(value, at: target, as: OperationID(UInt64(round)), from: round)
            let start = world.now
            #expect(world.get(target, as: OperationID(UInt64(50 + round)), from: 29 - round) == [value])
            #expect(start.duration(to: world.now) < .milliseconds(400))
        }
    }
}
