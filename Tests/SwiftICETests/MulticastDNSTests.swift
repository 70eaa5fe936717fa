import SansIO
import SwiftICE
import Testing

/// Messages of multicast DNS, and the search for the addresses behind a name.
@Suite struct MulticastDNSTests {
    private static let name = DNSName("Host.local")!
    private static let four = IPAddress.v4(0xC0A8_0102)
    private static let six = IPAddress.v6(high: 0x2001_0DB8_0000_0000, low: 7)

    // MARK: Messages

    @Test func aQuestionIsWrittenAsRFC1035Says() throws {
        let question = DNSMessage(id: 0x1234, questions: [DNSMessage.Question(Self.name, type: 1)])
        var expected: [UInt8] = [0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4]
        expected += Array("host".utf8)
        expected.append(5)
        expected += Array("local".utf8)
        expected += [0, 0, 1, 0, 1]
        #expect(question.bytes == expected)
        #expect(try DNSMessage(decoding: expected) == question)
    }

    @Test func addressesOfBothFamiliesSurvive() throws {
        let message = DNSMessage(
            id: 7, isResponse: true, questions: [DNSMessage.Question(Self.name, type: 28, wantsUnicast: true)],
            answers: [
                DNSMessage.Answer(Self.name, Self.four, lifetimeSeconds: 120),
                DNSMessage.Answer(Self.name, Self.six, lifetimeSeconds: .max),
            ])
        #expect(try DNSMessage(decoding: message.bytes) == message)
    }

    @Test func compressedNamesAreRead() throws {
        // The name of the answer is a label before the question's last one.
        var bytes: [UInt8] = [0, 1, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0x61, 5]
        bytes += Array("local".utf8)
        bytes += [0, 0, 1, 0, 1, 1, 0x42, 0xC0, 14, 0, 1, 0x80, 1, 0, 0, 0, 10, 0, 4, 10, 0, 0, 1]
        let message = try DNSMessage(decoding: bytes)
        let answer = DNSMessage.Answer(DNSName("b.local")!, .v4(0x0A00_0001), lifetimeSeconds: 10, isUnique: true)
        #expect(message.answers == [answer])
    }

    /// To itself; to a label before itself that leads here again; forwards; lengths that mean nothing; cut short.
    private static let wrongNames: [[UInt8]] = [
        [0xC0, 12], [1, 0x61, 0xC0, 12], [0xC0, 14, 0xC0, 12], [0x80, 1], [0x40, 1], [63, 0x61, 0x61, 0x61],
    ]

    @Test(arguments: wrongNames) func namesThatLeadNowhereAreRefused(name: [UInt8]) {
        let bytes: [UInt8] = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name
        #expect(throws: WireError.self) { try DNSMessage(decoding: bytes) }
    }

    @Test func namesHaveALength() {
        let label = String(repeating: "a", count: 63)
        #expect(DNSName("\(label).\(label).\(label).\(String(repeating: "a", count: 61))") != nil)
        #expect(DNSName("\(label).\(label).\(label).\(String(repeating: "a", count: 62))") == nil)
        #expect(DNSName("\(label)a") == nil)
        #expect(DNSName("a..local") == nil)
        #expect(DNSName("") == nil)
    }

    @Test func changedAndCutMessagesNeverTrap() {
        let message = DNSMessage(
            id: 7, isResponse: true, questions: [DNSMessage.Question(Self.name, type: 28)],
            answers: [DNSMessage.Answer(Self.name, Self.six, lifetimeSeconds: 1)])
        var random = RandomSource.seeded(3)
        for length in 0..<message.bytes.count {
            #expect(throws: WireError.self) { try DNSMessage(decoding: Array(message.bytes.prefix(length))) }
        }
        for _ in 0..<5000 {
            var bytes = message.bytes
            for _ in 0..<3 {
                bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
            }
            guard let read = try? DNSMessage(decoding: bytes) else { continue }
            #expect((try? DNSMessage(decoding: read.bytes)) == read)
        }
    }

    // MARK: The search

    private func question(_ effects: [LocalNameResolver.Effect]) throws -> DNSMessage {
        guard case .send(let bytes)? = effects.first, effects.count == 1 else {
            throw WireError.malformed("effects", at: effects.count)
        }
        return try DNSMessage(decoding: bytes)
    }

    @Test func theFirstAnswerCounts() throws {
        var resolver = LocalNameResolver(random: .seeded(1))
        let asked = try question(resolver.resolve("host.local", at: .zero))
        #expect(asked.questions.map(\.type) == [1, 28] && asked.questions.allSatisfy { $0.name == Self.name })
        let linkLocal = IPAddress.v6(high: 0xFE80_0000_0000_0000, low: 1)
        let answer = DNSMessage(
            id: asked.id, isResponse: true, questions: asked.questions,
            answers: [linkLocal, Self.four, Self.six, Self.four].map {
                DNSMessage.Answer(Self.name, $0, lifetimeSeconds: 10)
            })
        let told = resolver.receive(answer.bytes.span, toGroup: false, at: .zero)
        #expect(told == [.resolved("host.local", [Self.four, Self.six])])
        #expect(resolver.deadline == nil)
        #expect(resolver.receive(answer.bytes.span, toGroup: false, at: .zero) == [.ignored])
    }

    @Test func answersToOthersAreIgnored() throws {
        var resolver = LocalNameResolver(random: .seeded(1))
        let asked = try question(resolver.resolve("host.local", at: .zero))
        let answer = DNSMessage.Answer(Self.name, Self.four, lifetimeSeconds: 10)
        let other = DNSMessage.Answer(DNSName("other.local")!, Self.four, lifetimeSeconds: 10)
        let loopback = DNSMessage.Answer(Self.name, .loopback(.v4), lifetimeSeconds: 10)
        for message in [
            DNSMessage(id: asked.id &+ 1, isResponse: true, answers: [answer]),
            DNSMessage(id: asked.id, isResponse: false, answers: [answer]),
            DNSMessage(id: asked.id, isResponse: true, answers: [other]),
            DNSMessage(id: asked.id, isResponse: true, answers: [loopback]),
        ] { #expect(resolver.receive(message.bytes.span, toGroup: false, at: .zero) == [.ignored]) }
    }

    @Test func answersToEverybodyNeedNoNumber() throws {
        var resolver = LocalNameResolver(random: .seeded(1))
        _ = resolver.resolve("host.local", at: .zero)
        _ = resolver.resolve("other.local", at: .zero)
        let names = [Self.name, DNSName("third.local")!, DNSName("other.local")!]
        let answers = names.map { DNSMessage.Answer($0, Self.four, lifetimeSeconds: 120) }
        let message = DNSMessage(isResponse: true, answers: answers)
        #expect(
            resolver.receive(message.bytes.span, toGroup: true, at: .zero)
                == [.resolved("host.local", [Self.four]), .resolved("other.local", [Self.four])])
    }

    @Test func aNameNobodyHasIsAskedForThreeTimes() throws {
        var resolver = LocalNameResolver(random: .seeded(1))
        var asked: [Instant] = [.zero]
        let first = try question(resolver.resolve("host.local", at: .zero))
        while let deadline = resolver.deadline {
            let effects = resolver.advance(to: deadline)
            if effects == [.resolved("host.local", [])] { continue }
            #expect(try question(effects) == first)
            asked.append(deadline)
        }
        #expect(asked == [.zero, Instant.zero.advanced(by: .seconds(1)), Instant.zero.advanced(by: .seconds(3))])
    }

    @Test(arguments: ["host", "local", "host.example", "host.local.example", ""])
    func otherNamesAreNotAskedFor(name: String) {
        var resolver = LocalNameResolver(random: .seeded(1))
        #expect(resolver.resolve(name, at: .zero) == [.resolved(name, [])])
    }
}
