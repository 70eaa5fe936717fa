import SansIO
import SecureChannel
import Simulator
import Swiftlet
import TestIdentities
import Testing

/// Calls that end otherwise than by hanging up after a talk.
@Suite struct EndingTests {
    static let lossy = Link(
        delay: .milliseconds(5)...(.milliseconds(60)), jitter: .milliseconds(5), lossPercent: 3, duplicatePercent: 1)

    static func setting(_ seed: UInt64) -> Scenario.Setting { Scenario.Setting(seed: seed, link: lossy) }

    @Test(arguments: [UInt64(101), 102, 103, 104]) func aDeclinedCallEndsOnBothSides(seed: UInt64) throws {
        let parties = try Parties(Self.setting(seed), over: WholeCallTests.transports(seed: seed))
        let calls = try parties.ring()
        parties.bob.decline(calls.bobs)
        try parties.waitForEnd(of: calls)
        #expect(parties.alice.end(of: calls.alices) == .remoteDeclined)
        #expect(parties.bob.end(of: calls.bobs) == .declined)
        try parties.scenario.waitUntilIdle()
    }

    @Test(arguments: [UInt64(111), 112, 113, 114]) func aCancelledCallStopsRinging(seed: UInt64) throws {
        let parties = try Parties(Self.setting(seed), over: WholeCallTests.transports(seed: seed))
        let calls = try parties.ring()
        parties.alice.hangUp(calls.alices)
        try parties.waitForEnd(of: calls)
        #expect(parties.alice.end(of: calls.alices) == .cancelled)
        #expect(parties.bob.end(of: calls.bobs) == .remoteCancelled)
        try parties.scenario.waitUntilIdle()
    }

    /// Hanging up at any moment of the call's beginning leaves nothing behind on either side.
    @Test(arguments: 0..<20) func aCallMayBeGivenUpAtAnyMoment(step: Int) throws {
        let parties = try Parties(Self.setting(200 + UInt64(step)))
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.run(for: .milliseconds(Int64(step) * 60))
        for incoming in parties.bob.incomingCalls where step % 2 == 0 { parties.bob.answer(incoming) }
        parties.alice.hangUp(call)
        try parties.scenario.wait(for: "end", within: .seconds(40)) { parties.alice.end(of: call) != nil }
        try parties.scenario.wait(for: "end of what rings", within: .seconds(40)) {
            parties.bob.incomingCalls.allSatisfy { parties.bob.end(of: $0) != nil }
        }
        // A link Bob was asked for, and nobody uses, stays for its time.
        try parties.scenario.waitUntilIdle(within: .seconds(150))
    }

    @Test func anUnansweredCallEnds() throws {
        let parties = try Parties(Self.setting(121))
        let calls = try parties.ring()
        try parties.waitForEnd(of: calls, within: .seconds(70))
        // What rings too long is declined with 486, as Jami does.
        #expect(parties.alice.end(of: calls.alices) == .remoteDeclined)
        #expect(parties.bob.end(of: calls.bobs) == .unanswered)
        try parties.scenario.waitUntilIdle()
    }

    @Test func anUnknownAccountIsNotFound() throws {
        let parties = try Parties(Self.setting(131))
        let call = parties.alice.call(Identities.mallory.accountID)
        try parties.scenario.wait(for: "end", within: .seconds(31)) { parties.alice.end(of: call) != nil }
        #expect(parties.alice.end(of: call) == .notFound)
        try parties.scenario.waitUntilIdle()
    }

    @Test func withoutTheNetworkACallIsOffline() throws {
        let scenario = Scenario(Self.setting(132))
        let alice = try scenario.addNode("alice", Identities.alice, isOnline: false)
        let call = alice.call(Identities.bob.accountID)
        try scenario.wait(for: "end", within: .seconds(31)) { alice.end(of: call) != nil }
        #expect(alice.end(of: call) == .offline)
        try scenario.waitUntilIdle()
    }

    @Test func aDeadEntryToTheNetworkIsOffline() throws {
        let scenario = Scenario(Self.setting(133))
        let alice = try scenario.addNode("alice", Identities.alice)
        scenario.world.setReachable(false, alice.hostID)
        let call = alice.call(Identities.bob.accountID)
        try scenario.wait(for: "end", within: .seconds(31)) { alice.end(of: call) != nil }
        #expect(alice.end(of: call) == .offline)
    }

    @Test func aDeviceThatIsGoneDoesNotReply() throws {
        let parties = try Parties(Self.setting(134))
        parties.world.setReachable(false, parties.bob.hostID)
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "end", within: .seconds(65)) { parties.alice.end(of: call) != nil }
        #expect(parties.alice.end(of: call) == .noReply)
        try parties.scenario.wait(for: "peace", within: .seconds(20)) { parties.alice.isIdle }
    }

    @Test func devicesThatCannotReachEachOtherSaySo() throws {
        let parties = try Parties(Self.setting(135))
        parties.world.setCut(true, between: parties.alice.hostID, and: parties.bob.hostID)
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "end", within: .seconds(90)) { parties.alice.end(of: call) != nil }
        #expect(parties.alice.end(of: call) == .unreachable)
        #expect(parties.bob.incomingCalls.isEmpty)
        try parties.scenario.waitUntilIdle(within: .seconds(90))
    }

    @Test(arguments: [SessionTransport.tcp, .udp])
    func aLinkKeptForLaterHoldsUpNobodyWhoLeaves(over transport: SessionTransport) throws {
        let parties = try Parties(Self.setting(137), over: [transport])
        #expect(!parties.alice.isBusy)
        let calls = try parties.talk()
        #expect(parties.alice.isBusy && parties.bob.isBusy)
        parties.alice.hangUp(calls.alices)
        #expect(parties.alice.isBusy)
        try parties.waitForEnd(of: calls)
        try parties.scenario.run(for: .seconds(5))
        for node in [parties.alice, parties.bob] {
            #expect(!node.isIdle)
            // The answer to the last request may be lost, and is sent again when that is repeated.
            #expect(node.isBusy == (transport == .udp))
        }
    }

    @Test func whoLeavesFinishesHandshakes() throws {
        let parties = try Parties(Self.setting(138), over: [.tcp])
        _ = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "handshake", within: .seconds(30)) { parties.bob.isBusy }
        // Nothing else than the link that is being secured holds him up.
        #expect(parties.bob.incomingCalls.isEmpty)
    }

    @Test func aLinkTheCallerLeavesOpenIsClosed() throws {
        let scenario = Scenario(Self.setting(136))
        let alice = try scenario.addNode("alice", Identities.alice, over: [.tcp]) {
            $0.dialects = [.direct]
            $0.lingerTime = .seconds(3600)
        }
        let bob = try scenario.addNode("bob", Identities.bob, over: [.tcp])
        try scenario.waitUntilAnnounced(bob)
        let call = alice.call(bob.identity.accountID)
        try scenario.wait(for: "ringing", within: .seconds(30)) { !bob.incomingCalls.isEmpty }
        // A call keeps the link for longer than one without use may stay.
        bob.answer(bob.incomingCalls[0])
        try scenario.run(for: .seconds(70))
        #expect(bob.end(of: bob.incomingCalls[0]) == nil)
        alice.hangUp(call)
        try scenario.run(for: .seconds(50))
        #expect(!bob.isIdle)
        try scenario.wait(for: "peace", within: .seconds(15)) { bob.isIdle && alice.isIdle }
    }

    /// Consent of RFC 7675 runs out 30 s after the last answer, of which there may be one a second before the loss; then
    /// another path is looked for, for ten seconds.
    @Test(arguments: [UInt64(141), 142, 144]) func aVanishedPeerIsNoticedInTime(seed: UInt64) throws {
        let parties = try Parties(Self.setting(seed), over: WholeCallTests.transports(seed: seed))
        let calls = try parties.talk()
        try parties.scenario.run(for: .seconds(1))
        let vanished = parties.world.now
        parties.world.setReachable(false, parties.bob.hostID)
        try parties.scenario.wait(for: "loss", within: .seconds(41)) { parties.alice.end(of: calls.alices) != nil }
        #expect(parties.alice.end(of: calls.alices) == .connectionLost)
        #expect(vanished.duration(to: parties.world.now) <= .seconds(41))
        try parties.waitForEnd(of: calls)
        #expect(parties.bob.end(of: calls.bobs) == .connectionLost)
        try parties.scenario.waitUntilIdle(within: .seconds(60))
    }
}
