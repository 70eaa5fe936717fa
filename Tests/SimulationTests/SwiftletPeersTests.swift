import MediaRTP
import SansIO
import SecureChannel
import Simulator
import Swiftlet
import TestIdentities
import Testing

/// What two Swiftlets do for each other beyond what stock Jami does.
@Suite struct SwiftletPeersTests {
    private func parties(_ seed: UInt64, isSwiftlet: Bool = true) throws -> Parties {
        try Parties(
            WholeCallTests.setting(seed: seed), over: WholeCallTests.transports(seed: seed),
            adjusting: { $0.offersExtension = isSwiftlet })
    }

    /// How long after the answer a node's media had their paths.
    private func joiningTime(_ node: NodeHost, _ call: CallID) throws -> Duration {
        let answered = try #require(node.time { $0 == .call(call, .answered) })
        let connected = try #require(
            node.time { if case .call(call, .mediaConnected) = $0 { true } else { false } })
        return answered.duration(to: connected)
    }

    @Test(arguments: UInt64(601)...607) func thePathIsReadyWhenTheCallIsAnswered(seed: UInt64) throws {
        let parties = try parties(seed)
        let calls = try parties.ring()
        try parties.scenario.run(for: .seconds(4))
        #expect(parties.alice.heard(in: calls.alices) == nil && parties.bob.heard(in: calls.bobs) == nil)
        #expect(!parties.bob.moments.contains { if case .call(_, .mediaConnected) = $0.event { true } else { false } })
        parties.bob.answer(calls.bobs)
        #expect(try joiningTime(parties.bob, calls.bobs) == .zero)
        try parties.scenario.wait(for: "sound", within: .seconds(30)) {
            parties.alice.events(of: calls.alices).contains(.firstAudio)
                && parties.bob.events(of: calls.bobs).contains(.firstAudio)
        }
        // On flows that lose, the 180 with the description may be lost and is not repeated.
        if WholeCallTests.transports(seed: seed) == [.tcp] {
            #expect(try joiningTime(parties.alice, calls.alices) == .zero)
        }
        try parties.scenario.run(for: .seconds(3))
        parties.bob.hangUp(calls.bobs)
        try parties.waitForEnd(of: calls)
        try parties.scenario.waitUntilIdle()
        for (node, call) in [(parties.alice, calls.alices), (parties.bob, calls.bobs)] {
            let statistics = try #require(node.sound[call]).statistics
            #expect(statistics.received > 100 && statistics.refused < 10)
            #expect(statistics.reportsReceived > 0, "protected reports are understood")
        }
    }

    @Test(arguments: [UInt64(607), 616]) func towardStockThePathIsFoundAfterTheAnswer(seed: UInt64) throws {
        let parties = try parties(seed, isSwiftlet: false)
        let calls = try parties.ring()
        try parties.scenario.run(for: .seconds(4))
        parties.bob.answer(calls.bobs)
        try parties.scenario.wait(for: "sound", within: .seconds(30)) {
            parties.alice.events(of: calls.alices).contains(.firstAudio)
        }
        #expect(try joiningTime(parties.alice, calls.alices) > .zero)
        #expect(try joiningTime(parties.bob, calls.bobs) > .zero)
    }

    @Test(arguments: UInt64(621)...624) func whicheverDeviceAnswersGetsTheCall(seed: UInt64) throws {
        let parties = try parties(seed)
        let (scenario, alice, phone) = (parties.scenario, parties.alice, parties.bob)
        let tablet = try scenario.addNode(
            "tablet", Identities.bobsTablet, over: WholeCallTests.transports(seed: seed),
            adjusting: { $0.offersExtension = true })
        try scenario.waitUntilAnnounced(tablet)
        let call = alice.call(phone.identity.accountID)
        try scenario.wait(for: "two rings", within: .seconds(60)) {
            phone.incomingCalls.count == 1 && tablet.incomingCalls.count == 1
        }
        try scenario.run(for: .seconds(3))
        // One of both was met while it rang; the other one is met now.
        let winner = seed % 2 == 0 ? phone : tablet
        winner.answer(winner.incomingCalls[0])
        try scenario.wait(for: "sound", within: .seconds(30)) {
            alice.events(of: call).contains(.firstAudio)
                && winner.events(of: winner.incomingCalls[0]).contains(.firstAudio)
        }
        try scenario.run(for: .seconds(2))
        #expect(try #require(alice.heard(in: call)).loudest > 100_000)
        alice.hangUp(call)
        try scenario.wait(for: "end", within: .seconds(30)) { winner.end(of: winner.incomingCalls[0]) != nil }
        try scenario.waitUntilIdle()
    }

    @Test(arguments: [UInt64(631), 634]) func whoDeclinesMaySayWhy(seed: UInt64) throws {
        let parties = try parties(seed)
        let calls = try parties.ring()
        parties.bob.decline(calls.bobs, because: "in a meeting until 3")
        try parties.waitForEnd(of: calls)
        #expect(parties.alice.events(of: calls.alices).contains(.declineReason("in a meeting until 3")))
        #expect(parties.alice.end(of: calls.alices) == .remoteDeclined)
        #expect(parties.bob.end(of: calls.bobs) == .declined)
        try parties.scenario.waitUntilIdle()
    }

    @Test(arguments: [UInt64(641), 642]) func towardStockNoReasonIsGiven(seed: UInt64) throws {
        let parties = try parties(seed, isSwiftlet: false)
        let calls = try parties.ring()
        parties.bob.decline(calls.bobs, because: "in a meeting until 3")
        try parties.waitForEnd(of: calls)
        #expect(
            !parties.alice.events(of: calls.alices).contains { if case .declineReason = $0 { true } else { false } })
        #expect(parties.alice.end(of: calls.alices) == .remoteDeclined)
    }

    /// The callee answers while the caller gives up: at every distance of the two, both sides end.
    @Test(arguments: 0..<12) func anAnswerThatCrossesACancellationEndsOnBothSides(step: Int) throws {
        let parties = try parties(650 + UInt64(step), isSwiftlet: step % 2 == 0)
        let calls = try parties.ring()
        try parties.scenario.run(for: .seconds(1))
        let (first, second) = step < 6 ? (parties.alice, parties.bob) : (parties.bob, parties.alice)
        func act(_ node: NodeHost) {
            if node === parties.alice { node.hangUp(calls.alices) } else { node.answer(calls.bobs) }
        }
        act(first)
        try parties.scenario.run(for: .milliseconds(Int64(step % 6) * 8))
        act(second)
        try parties.waitForEnd(of: calls)
        let ends = [parties.alice.end(of: calls.alices), parties.bob.end(of: calls.bobs)]
        #expect(ends[0] == .cancelled || ends[0] == .hungUp)
        #expect(ends[1] == .remoteCancelled || ends[1] == .remoteHungUp)
        try parties.scenario.waitUntilIdle(within: .seconds(90))
    }
}
