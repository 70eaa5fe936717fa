import SansIO
import SecureChannel
import Simulator
import Swiftlet
import TestIdentities
import Testing

/// A kind of peer, as far as the way to it goes.
enum PeerKind: CaseIterable, Sendable {
    /// Jami of 2019: call requests, SIP directly on TLS or DTLS.
    case first
    /// Debian 12's daemon: connection requests under short ids.
    case debian
    /// Jami of 2026: connection requests under long ids, and its certificate there alone.
    case today
    case swiftlet

    var transports: [SessionTransport] {
        switch self {
        case .first, .swiftlet: [.tcp, .udp]
        case .debian, .today: [.tcp]
        }
    }

    func adjust(_ configuration: inout NodeCore.Configuration) {
        guard self != .swiftlet else { return }
        configuration.offersExtension = false
        configuration.dialects = self == .first ? [.direct] : [.multiplexed]
        configuration.idForms = self == .today ? [.long] : [.short]
    }

    /// Whether links outlive their calls.
    var keepsLinks: Bool { self != .first }
}

/// Calls between Swiftlets and peers of other kinds.
@Suite struct PeerKindTests {
    private func parties(_ alice: PeerKind, _ bob: PeerKind, seed: UInt64) throws -> Parties {
        try Parties(
            Scenario.Setting(seed: seed, link: EndingTests.lossy),
            alice: alice.transports, alice.adjust, bob: bob.transports, bob.adjust)
    }

    /// A call, a text each way, and the end.
    private func converse(_ parties: Parties) throws {
        let calls = try parties.talk()
        parties.alice.send("hello bob", in: calls.alices)
        parties.bob.send("hello alice", in: calls.bobs)
        try parties.scenario.wait(for: "texts", within: .seconds(30)) {
            !parties.bob.texts(in: calls.bobs).isEmpty && !parties.alice.texts(in: calls.alices).isEmpty
        }
        parties.alice.hangUp(calls.alices)
        try parties.waitForEnd(of: calls)
        #expect(parties.bob.end(of: calls.bobs) == .remoteHungUp)
    }

    @Test(arguments: PeerKind.allCases, [true, false]) func everyKindIsReachedAndReachesUs(
        kind: PeerKind, swiftletCalls: Bool
    ) throws {
        let parties =
            try swiftletCalls
            ? parties(.swiftlet, kind, seed: 701) : parties(kind, .swiftlet, seed: 702)
        try converse(parties)
        try parties.scenario.waitUntilIdle(within: .seconds(130))
    }

    @Test func kindsThatShareNothingDoNotMeet() throws {
        let parties = try parties(.debian, .today, seed: 703)
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "end", within: .seconds(60)) { parties.alice.end(of: call) != nil }
        #expect(parties.alice.end(of: call) == .noReply)
    }

    /// One node of ours is reached by kinds that cannot reach each other.
    @Test func oneSwiftletBridgesAllKinds() throws {
        let scenario = Scenario(Scenario.Setting(seed: 704, link: EndingTests.lossy))
        let us = try scenario.addNode("us", Identities.alice)
        let debian = try scenario.addNode(
            "debian", Identities.bob, over: PeerKind.debian.transports, adjusting: PeerKind.debian.adjust)
        let today = try scenario.addNode(
            "today", Identities.mallory, over: PeerKind.today.transports, adjusting: PeerKind.today.adjust)
        for node in [us, debian, today] { try scenario.waitUntilAnnounced(node) }
        let calls = [(debian, debian.call(us.identity.accountID)), (today, today.call(us.identity.accountID))]
        try scenario.wait(for: "two rings", within: .seconds(30)) { us.incomingCalls.count == 2 }
        for call in us.incomingCalls { us.answer(call) }
        try scenario.wait(for: "sound", within: .seconds(30)) {
            calls.allSatisfy { node, call in node.events(of: call).contains(.firstAudio) }
        }
        for (node, call) in calls { node.hangUp(call) }
        try scenario.waitUntilIdle(within: .seconds(130))
    }

    // MARK: - Links that are kept

    @Test(arguments: PeerKind.allCases.filter(\.keepsLinks), UInt64(711)...712)
    func theNextCallTakesTheSameLink(kind: PeerKind, seed: UInt64) throws {
        let parties = try parties(.swiftlet, kind, seed: seed)
        try converse(parties)
        let ordered = parties.world.now
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "ring", within: .seconds(10)) { parties.bob.incomingCalls.count == 2 }
        // The invitation takes one way of at most 65 ms; what is lost of a stream is repeated later.
        #expect(ordered.duration(to: parties.world.now) < .milliseconds(500))
        parties.bob.answer(parties.bob.incomingCalls[1])
        try parties.scenario.wait(for: "sound", within: .seconds(30)) {
            parties.alice.events(of: call).contains(.firstAudio)
        }
        #expect(!parties.alice.events(of: call).contains(.requested(parties.bob.identity.deviceID)))
        parties.alice.hangUp(call)
        try parties.scenario.waitUntilIdle(within: .seconds(130))
    }

    @Test(arguments: PeerKind.allCases.filter(\.keepsLinks))
    func theLinkServesCallsOfTheOtherSideToo(kind: PeerKind) throws {
        let parties = try parties(.swiftlet, kind, seed: 714)
        try converse(parties)
        let call = parties.bob.call(parties.alice.identity.accountID)
        try parties.scenario.wait(for: "ring", within: .seconds(10)) { parties.alice.incomingCalls.count == 1 }
        #expect(!parties.bob.events(of: call).contains(.requested(parties.alice.identity.deviceID)))
        parties.bob.hangUp(call)
        try parties.scenario.waitUntilIdle(within: .seconds(130))
    }

    /// A link whose peer vanished without a word is noticed when it is used again, and replaced.
    @Test(arguments: PeerKind.allCases.filter(\.keepsLinks)) func aDeadLinkIsReplaced(kind: PeerKind) throws {
        let parties = try parties(.swiftlet, kind, seed: 715)
        try converse(parties)
        parties.bob.restart(through: parties.scenario.contacts)
        try parties.scenario.run(for: .seconds(5))
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "ring", within: .seconds(20)) { parties.bob.incomingCalls.count == 1 }
        parties.bob.answer(parties.bob.incomingCalls[0])
        try parties.scenario.wait(for: "sound", within: .seconds(30)) {
            parties.alice.events(of: call).contains(.firstAudio)
        }
        #expect(parties.alice.events(of: call).contains(.requested(parties.bob.identity.deviceID)))
    }

    /// Both call each other at the same moment: two calls ring, whatever links they take.
    @Test(arguments: PeerKind.allCases, UInt64(721)...723) func callsMayCross(kind: PeerKind, seed: UInt64) throws {
        let parties = try parties(.swiftlet, kind, seed: seed)
        let alices = parties.alice.call(parties.bob.identity.accountID)
        let bobs = parties.bob.call(parties.alice.identity.accountID)
        try parties.scenario.wait(for: "two rings", within: .seconds(30)) {
            parties.alice.incomingCalls.count == 1 && parties.bob.incomingCalls.count == 1
        }
        parties.bob.answer(parties.bob.incomingCalls[0])
        try parties.scenario.wait(for: "sound", within: .seconds(30)) {
            parties.alice.events(of: alices).contains(.firstAudio)
        }
        parties.alice.decline(parties.alice.incomingCalls[0])
        parties.alice.hangUp(alices)
        try parties.scenario.wait(for: "end", within: .seconds(40)) { parties.bob.end(of: bobs) != nil }
        try parties.scenario.waitUntilIdle(within: .seconds(130))
    }

    @Test func messagesTakeTheLinkThatIsThere() throws {
        let parties = try parties(.swiftlet, .debian, seed: 731)
        _ = parties.alice.send("first", to: parties.bob.identity.accountID)
        try parties.scenario.wait(for: "message", within: .seconds(30)) { parties.bob.messages == ["first"] }
        let sent = parties.world.now
        _ = parties.bob.send("second", to: parties.alice.identity.accountID)
        try parties.scenario.wait(for: "message", within: .seconds(30)) { parties.alice.messages == ["second"] }
        #expect(sent.duration(to: parties.world.now) < .milliseconds(500))
        try parties.scenario.waitUntilIdle(within: .seconds(130))
    }
}

extension NodeHost {
    /// The texts that arrived outside of calls.
    var messages: [String] {
        moments.compactMap { moment in
            guard case .message(let message, _) = moment.event else { return nil }
            return message.text
        }
    }
}
