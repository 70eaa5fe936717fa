import SansIO
import SwiftICE
import Testing

struct STUNClientTests {
    private func client(
        _ credentials: STUNClient.Credentials = .longTerm(username: "user", password: "pass"),
        leg: STUNClient.Leg = .datagram, memory: STUNServerMemory = STUNServerMemory()
    ) -> STUNClient {
        STUNClient(leg: leg, credentials: credentials, memory: memory, random: .seeded(3))
    }

    private func sent(_ effects: [STUNClient.Effect]) throws -> [UInt8] {
        try #require(effects.compactMap { if case .send(let bytes) = $0 { bytes } else { nil } }.first)
    }

    /// Lets a client and a server talk without delay until neither says anything; returns how the request ended.
    private func talk(
        _ client: inout STUNClient, _ server: inout SimulatedTURNServer, _ first: [STUNClient.Effect],
        at now: Instant = .zero
    ) -> [STUNClient.Effect] {
        var (pending, told) = (first, [STUNClient.Effect]())
        for _ in 0..<32 {
            guard !pending.isEmpty else { break }
            guard case .send(let bytes) = pending.removeFirst() else { continue }
            for answer in server.receive(bytes, at: now) {
                let effects = client.receive(answer, at: now)
                told += effects.filter { if case .send = $0 { false } else { true } }
                pending += effects
            }
        }
        return told
    }

    @Test func credentialsAreGivenOnceTheServerAsks() throws {
        var (client, server) = (client(), SimulatedTURNServer())
        let (id, effects) = client.request(.refresh, [.lifetime(seconds: 600)], at: .zero)
        #expect(talk(&client, &server, effects).contains(.failed(id, .rejected(.allocationMismatch))))
        #expect(server.asked.map(\.isAuthentic) == [false, true])
        #expect(client.openRequests == 0 && client.deadline == nil)
        // What was learnt spares the next client a round trip.
        var next = self.client(memory: client.memory)
        let (again, more) = next.request(.refresh, [.lifetime(seconds: 600)], at: .zero)
        #expect(talk(&next, &server, more).contains(.failed(again, .rejected(.allocationMismatch))))
        #expect(server.asked.map(\.isAuthentic) == [false, true, true])
    }

    @Test func sha256IsChosenWhereItIsOffered() throws {
        var (client, server) = (client(), SimulatedTURNServer())
        server.algorithms = [.md5, .sha256]
        let (id, effects) = client.request(.refresh, [.lifetime(seconds: 600)], at: .zero)
        #expect(talk(&client, &server, effects).contains(.failed(id, .rejected(.allocationMismatch))))
        let (_, second) = client.request(.refresh, at: .zero)
        let bytes = try sent(second)
        let message = try Message(decoding: bytes)
        #expect(message.first(.passwordAlgorithm) == .passwordAlgorithm(.sha256))
        #expect(message.first(.passwordAlgorithms) == .passwordAlgorithms([.md5, .sha256]))
        #expect(message.has(.messageIntegritySHA256) && !message.has(.messageIntegrity))
    }

    @Test func aNonceThatPromisesAlgorithmsWithoutAListIsAnAttack() throws {
        var client = client()
        let (id, effects) = client.request(.refresh, at: .zero)
        let bytes = try sent(effects)
        func challenge(_ list: [Attribute.PasswordAlgorithm]?) throws -> [UInt8] {
            var builder = MessageBuilder(.error, .refresh, try Message(decoding: bytes).transaction)
            builder.add(.errorCode(.unauthorized, reason: "Unauthorized"))
            builder.add(.nonce(Array("obMatJos2gAAAxyz".utf8)))
            builder.add(.realm("lab"))
            if let list { builder.add(.passwordAlgorithms(list)) }
            return builder.finishedWithFingerprint()
        }
        #expect(client.receive(try challenge(nil), at: .zero) == [.ignored(.bidDown)])
        #expect(client.openRequests == 1)
        let unknown = Attribute.PasswordAlgorithm(number: 77)
        #expect(client.receive(try challenge([unknown]), at: .zero) == [.failed(id, .unsupportedAlgorithms)])
    }

    @Test func usernamesAreHiddenWhereTheServerTakesHashes() throws {
        var client = client()
        let (_, effects) = client.request(.refresh, at: .zero)
        let bytes = try sent(effects)
        var builder = MessageBuilder(.error, .refresh, try Message(decoding: bytes).transaction)
        builder.add(.errorCode(.unauthorized, reason: ""))
        builder.add(.nonce(Array("obMatJos2QAAAxyz".utf8)))
        builder.add(.realm("lab"))
        let answer = client.receive(builder.finishedWithFingerprint(), at: .zero)
        let second = try sent(answer)
        let message = try Message(decoding: second)
        #expect(message.first(.userHash) == .userHash(IntegrityKey.userHash(username: "user", realm: "lab")))
        #expect(!message.has(.username))
        #expect(message.isAuthentic(under: IntegrityKey(longTerm: "user", realm: "lab", password: "pass")))
    }

    @Test func wrongPasswordsEndAfterOneProof() {
        var (client, server) = (client(.longTerm(username: "user", password: "wrong")), SimulatedTURNServer())
        let (id, effects) = client.request(.refresh, at: .zero)
        #expect(talk(&client, &server, effects) == [.failed(id, .unauthorized)])
        #expect(server.asked.count == 2)
    }

    @Test func staleNoncesAreRenewedAndBounded() throws {
        var (client, server) = (client(), SimulatedTURNServer())
        let (_, first) = client.request(.refresh, at: .zero)
        _ = talk(&client, &server, first)
        server.nonce = Array("second".utf8)
        let (id, effects) = client.request(.refresh, at: .zero)
        #expect(talk(&client, &server, effects).contains(.failed(id, .rejected(.allocationMismatch))))
        #expect(server.asked.count == 4)
        // A server whose nonces are always stale is not asked for ever.
        let (stubborn, more) = client.request(.refresh, at: .zero)
        var (pending, count, told) = (more, 0, [STUNClient.Effect]())
        while let effect = pending.popLast() {
            guard case .send(let bytes) = effect else {
                told.append(effect)
                continue
            }
            count += 1
            var builder = MessageBuilder(.error, .refresh, try Message(decoding: bytes).transaction)
            builder.add(.errorCode(.staleNonce, reason: ""))
            builder.add(.nonce([UInt8(count)]))
            builder.add(.realm("lab"))
            pending += client.receive(builder.finished(), at: .zero)
        }
        #expect(told == [.failed(stubborn, .unauthorized)])
        #expect(count == 2)
    }

    @Test func forgedAnswersDoNotEndARequestOverUDP() {
        var (client, server) = (client(), SimulatedTURNServer())
        server.isForged = true
        let (id, effects) = client.request(.allocate, [.requestedTransport(17)], at: .zero)
        #expect(talk(&client, &server, effects) == [.ignored(.notAuthentic)])
        #expect(client.openRequests == 1)
        var (now, sends, told) = (Instant.zero, 0, [STUNClient.Effect]())
        while let next = client.deadline {
            now = next
            for effect in client.advance(to: now) {
                if case .send = effect { sends += 1 } else { told.append(effect) }
            }
        }
        #expect(told == [.failed(id, .tampered)])
        #expect(sends == 6)
    }

    @Test func forgedAnswersEndARequestOverAStream() {
        var (client, server) = (client(leg: .stream), SimulatedTURNServer())
        server.isForged = true
        let (id, effects) = client.request(.allocate, [.requestedTransport(17)], at: .zero)
        #expect(talk(&client, &server, effects) == [.ignored(.notAuthentic), .failed(id, .tampered)])
    }

    @Test func streamsAreNotRepeatedOn() {
        var client = client(.none, leg: .stream)
        let (id, effects) = client.request(.binding, at: .zero)
        #expect(effects.count == 1)
        #expect(client.deadline == .zero.advanced(by: .milliseconds(39_500)))
        #expect(client.advance(to: .zero.advanced(by: .seconds(40))) == [.failed(id, .noAnswer)])
    }

    @Test func shortTermCredentialsTakeEitherIntegrity() throws {
        for usesSHA256 in [false, true] {
            var client = client(.shortTerm(username: "a:b", password: "secret"))
            let (id, effects) = client.request(.binding, at: .zero)
            let bytes = try sent(effects)
            let request = try Message(decoding: bytes)
            let key = IntegrityKey(shortTerm: "secret")
            #expect(request.isAuthentic(under: key) && request.has(.messageIntegrity))
            var builder = MessageBuilder(.success, .binding, request.transaction)
            if usesSHA256 { builder.addIntegritySHA256(key) } else { builder.addIntegrity(key) }
            let answer = try Message(decoding: builder.finished())
            let bare = MessageBuilder(.success, .binding, request.transaction).finished()
            #expect(client.receive(bare, at: .zero) == [.ignored(.notAuthentic)])
            #expect(client.receive(answer, at: .zero) == [.succeeded(id, answer)])
        }
    }

    @Test func roundTripsShortenTheNextFirstWait() throws {
        var (client, server) = (client(.none), SimulatedTURNServer())
        var now = Instant.zero
        for _ in 0..<8 {
            let (id, effects) = client.request(.binding, at: now)
            let bytes = try sent(effects)
            now = now.advanced(by: .milliseconds(40))
            let answer = try #require(server.receive(bytes, at: now).first)
            #expect(client.receive(answer, at: now) == [.succeeded(id, try Message(decoding: answer))])
        }
        #expect(client.memory.roundTrip == .milliseconds(40))
        _ = client.request(.binding, at: now)
        #expect(client.deadline == now.advanced(by: STUNServerMemory.shortestWait))
        // Ten minutes later the line may be another.
        var later = self.client(.none, memory: client.memory)
        let end = now.advanced(by: .seconds(601))
        _ = later.request(.binding, at: end)
        #expect(later.deadline == end.advanced(by: .milliseconds(500)))
    }

    @Test func errorsAreToldApart() throws {
        let codes: [(ErrorCode, [Attribute], STUNClient.Failure)] = [
            (.forbidden, [], .rejected(.forbidden)),
            (.unknownAttribute, [.unknownAttributes([.evenPort])], .notUnderstood([.evenPort])),
            (
                .tryAlternate, [.address(.alternateServer, Endpoint(.v4(0x1400_000B), port: 3478))],
                .redirected(to: Endpoint(.v4(0x1400_000B), port: 3478))
            ),
            (.tryAlternate, [], .rejected(.tryAlternate)),
        ]
        for (code, attributes, failure) in codes {
            var (client, server) = (client(), SimulatedTURNServer())
            server.refusals[.refresh] = [code]
            server.extras[.refresh] = attributes
            let (id, effects) = client.request(.refresh, at: .zero)
            #expect(talk(&client, &server, effects) == [.failed(id, failure)])
        }
    }

    @Test func failuresOfTheServerAreTriedOnceMore() {
        var (client, server) = (client(), SimulatedTURNServer())
        server.refusals[.allocate] = [.serverError]
        let (_, effects) = client.request(.allocate, at: .zero)
        let told = talk(&client, &server, effects)
        #expect(told.contains { if case .succeeded = $0 { true } else { false } })
        server.refusals[.refresh] = [.serverError, .serverError]
        let (id, more) = client.request(.refresh, at: .zero)
        #expect(talk(&client, &server, more) == [.failed(id, .rejected(.serverError))])
    }

    @Test func responsesThatMustBeUnderstoodAndAreNotFail() {
        var (client, server) = (client(), SimulatedTURNServer())
        server.extras[.allocate] = [.unknown(AttributeType(rawValue: 0x7FFF), [1])]
        let (id, effects) = client.request(.allocate, at: .zero)
        #expect(talk(&client, &server, effects) == [.failed(id, .incomprehensible([AttributeType(rawValue: 0x7FFF)]))])
    }

    @Test func anotherRequestsAnswerAndStrayBytesChangeNothing() throws {
        var client = client(.none)
        let (_, effects) = client.request(.binding, at: .zero)
        let bytes = try sent(effects)
        let transaction = try Message(decoding: bytes).transaction
        let other = MessageBuilder(.success, .allocate, transaction).finished()
        let foreign = MessageBuilder(.success, .binding, TransactionID(high: 1, low: 1)).finished()
        for stray in [other, foreign, bytes] {
            #expect(client.receive(stray, at: .zero) == [.ignored(.unknownTransaction)])
        }
        let short = client.receive([UInt8](repeating: 0, count: 5), at: .zero)
        #expect(short.allSatisfy { if case .ignored(.malformed) = $0 { true } else { false } } && short.count == 1)
        #expect(client.openRequests == 1)
    }

    @Test func openRequestsAreBounded() {
        var configuration = STUNClient.Configuration()
        configuration.requestLimit = 3
        var client = STUNClient(leg: .datagram, configuration: configuration, random: .seeded(1))
        for _ in 0..<3 { _ = client.request(.binding, at: .zero) }
        let (id, effects) = client.request(.binding, at: .zero)
        #expect(effects == [.failed(id, .overloaded)])
        client.cancel(id)
        #expect(client.openRequests == 3)
    }

    @Test func everyRequestHasATransactionOfItsOwn() throws {
        var (client, server) = (client(), SimulatedTURNServer())
        var seen: Set<TransactionID> = []
        var pending: [STUNClient.Effect] = []
        for _ in 0..<20 { pending += client.request(.refresh, at: .zero).effects }
        while let effect = pending.popLast() {
            guard case .send(let bytes) = effect else { continue }
            #expect(seen.insert(try Message(decoding: bytes).transaction).inserted)
            for answer in server.receive(bytes, at: .zero) { pending += client.receive(answer, at: .zero) }
        }
        #expect(seen.count == 40)
    }

    @Test(arguments: 0..<64 as Range<UInt64>) func mutatedAnswersNeverTrapAndRequestsEnd(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var (client, server) = (client(), SimulatedTURNServer())
        if seed.isMultiple(of: 2) { server.algorithms = [.sha256] }
        var now = Instant.zero
        let (id, effects) = client.request(.allocate, [.requestedTransport(17)], at: now)
        var (pending, ends) = (effects, 0)
        for _ in 0..<200 {
            if pending.isEmpty, let next = client.deadline {
                now = next
                pending += client.advance(to: now)
            }
            guard !pending.isEmpty else { break }
            switch pending.removeFirst() {
            case .send(let bytes):
                for answer in server.receive(bytes, at: now) {
                    pending += client.receive(mutated(answer, &random), at: now)
                }
            case .succeeded(id, _), .failed(id, _): ends += 1
            default: break
            }
        }
        #expect(ends == 1)
        #expect(client.openRequests == 0 && client.deadline == nil)
    }
}
