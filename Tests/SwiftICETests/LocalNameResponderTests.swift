import SansIO
import SwiftICE
import Testing

/// Names of ours in multicast DNS.
@Suite struct LocalNameResponderTests {
    private static let four = IPAddress.v4(0xC0A8_0102)
    private static let six = IPAddress.v6(high: 0x2001_0DB8_0000_0000, low: 7)
    private static let hearer = Endpoint(.v4(0xC0A8_0109), port: 5353)
    private static let stranger = Endpoint(.v4(0xC0A8_0109), port: 40_000)

    /// A responder that told its only name so long ago that it may be told again.
    private static func responder(
        _ address: IPAddress = four
    ) throws -> (responder: LocalNameResponder, name: DNSName, now: Instant) {
        var responder = LocalNameResponder(random: .seeded(1))
        let text = responder.publish(address, at: .zero).name
        let now = Instant.zero.advanced(by: .seconds(10))
        _ = responder.advance(to: now)
        return (responder, try #require(text.flatMap { DNSName($0) }), now.advanced(by: .seconds(10)))
    }

    private static func question(_ name: DNSName, type: UInt16 = 1, wantsUnicast: Bool = false) -> DNSMessage {
        DNSMessage(id: 77, questions: [DNSMessage.Question(name, type: type, wantsUnicast: wantsUnicast)])
    }

    @Test func namesAreRandomUUIDs() throws {
        var responder = LocalNameResponder(random: .system)
        let first = try #require(responder.publish(Self.four, at: .zero).name)
        let second = try #require(responder.publish(Self.six, at: .zero).name)
        let pattern = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.local/
        #expect(first.wholeMatch(of: pattern) != nil && second.wholeMatch(of: pattern) != nil && first != second)
        #expect(responder.publish(Self.four, at: .zero) == (first, []))
    }

    @Test func aNewNameIsAnnouncedTwice() throws {
        var responder = LocalNameResponder(random: .seeded(1))
        let (text, effects) = responder.publish(Self.six, at: .zero)
        let name = try #require(text.flatMap { DNSName($0) })
        guard case .tell(let bytes, Self.six)? = effects.first, effects.count == 1 else {
            return #expect(Bool(false), "\(effects)")
        }
        let told = try DNSMessage(decoding: bytes)
        #expect(told.isResponse && told.id == 0 && told.questions.isEmpty)
        #expect(told.answers == [DNSMessage.Answer(name, Self.six, lifetimeSeconds: 120, isUnique: true)])
        #expect(responder.deadline == .zero.advanced(by: .seconds(1)))
        #expect(responder.advance(to: .zero.advanced(by: .seconds(1))) == effects)
        #expect(responder.deadline == nil)
    }

    @Test(arguments: [1, 255] as [UInt16]) func aQuestionIsAnsweredToEverybodyOnceASecond(type: UInt16) throws {
        var (responder, name, now) = try Self.responder()
        let question = Self.question(name, type: type)
        let effects = responder.receive(question.bytes.span, from: Self.hearer, at: now)
        guard case .tell(let bytes, Self.four)? = effects.first else { return #expect(Bool(false), "\(effects)") }
        #expect(try DNSMessage(decoding: bytes).answers.map(\.name) == [name])
        #expect(responder.receive(question.bytes.span, from: Self.hearer, at: now).isEmpty)
        now = now.advanced(by: .seconds(1))
        #expect(responder.deadline == now)
        #expect(responder.advance(to: now) == effects)
        #expect(responder.deadline == nil)
    }

    @Test func whoAsksFromAnotherPortIsAnsweredThere() throws {
        var (responder, name, now) = try Self.responder()
        let question = Self.question(name)
        let effects = responder.receive(question.bytes.span, from: Self.stranger, at: now)
        guard case .answer(let bytes, Self.stranger)? = effects.first else { return #expect(Bool(false), "\(effects)") }
        let answer = try DNSMessage(decoding: bytes)
        #expect(answer.isResponse && answer.id == 77 && answer.questions == question.questions)
        #expect(answer.answers == [DNSMessage.Answer(name, Self.four, lifetimeSeconds: 10)])
        // Our own resolver takes it for the answer.
        var resolver = LocalNameResolver(random: .seeded(3))
        let host = responder.publish(Self.four, at: now).name ?? ""
        guard case .send(let asked)? = resolver.resolve(host, at: now).first,
            case .answer(let told, _)? = responder.receive(asked.span, from: Self.stranger, at: now).first
        else { return #expect(Bool(false)) }
        #expect(resolver.receive(told.span, toGroup: false, at: now) == [.resolved(host, [Self.four])])
    }

    @Test func anAnswerIsGivenToOneHostThatWantsIt() throws {
        var (responder, name, now) = try Self.responder()
        let question = Self.question(name, wantsUnicast: true)
        let effects = responder.receive(question.bytes.span, from: Self.hearer, at: now)
        guard case .answer(let bytes, Self.hearer)? = effects.first else { return #expect(Bool(false), "\(effects)") }
        let answers = try DNSMessage(decoding: bytes).answers
        #expect(answers == [DNSMessage.Answer(name, Self.four, lifetimeSeconds: 120, isUnique: true)])
    }

    @Test func answersToSingleHostsAreLimited() throws {
        var (responder, name, now) = try Self.responder()
        let question = Self.question(name).bytes
        let count = (0..<100).count { _ in
            responder.receive(question.span, from: Self.stranger, at: now) != [.ignored]
        }
        #expect(count == responder.configuration.answerLimit)
        now = now.advanced(by: .seconds(1))
        #expect(responder.receive(question.span, from: Self.stranger, at: now) != [.ignored])
    }

    @Test func whatIsNotOursOrKnownIsNotAnswered() throws {
        var (responder, name, now) = try Self.responder()
        let other = try #require(DNSName("other.local"))
        let known = DNSMessage.Answer(name, Self.four, lifetimeSeconds: 60)
        var response = Self.question(name)
        response.isResponse = true
        var suppressed = Self.question(name)
        suppressed.answers = [known]
        for message in [Self.question(other), Self.question(name, type: 28), response, suppressed] {
            #expect(responder.receive(message.bytes.span, from: Self.hearer, at: now) == [.ignored])
        }
        suppressed.answers[0].lifetimeSeconds = 59
        #expect(responder.receive(suppressed.bytes.span, from: Self.hearer, at: now) != [.ignored])
        #expect(responder.receive([1, 2, 3].span, from: Self.hearer, at: now) == [.ignored])
    }

    @Test func namesAreTakenBackInTheEnd() throws {
        var (responder, name, now) = try Self.responder()
        guard case .tell(let bytes, Self.four)? = responder.close().first else { return #expect(Bool(false)) }
        let answers = try DNSMessage(decoding: bytes).answers
        #expect(answers == [DNSMessage.Answer(name, Self.four, lifetimeSeconds: 0, isUnique: true)])
        #expect(responder.receive(Self.question(name).bytes.span, from: Self.hearer, at: now) == [.ignored])
        #expect(responder.withdraw(Self.four) == [.ignored] && responder.deadline == nil)
    }

    @Test func thereAreOnlySoManyNames() {
        var responder = LocalNameResponder(random: .seeded(1))
        let names = (0..<100).compactMap { responder.publish(.v4(0x0A00_0000 + $0), at: .zero).name }
        #expect(names.count == responder.configuration.nameLimit && Set(names).count == names.count)
    }
}
