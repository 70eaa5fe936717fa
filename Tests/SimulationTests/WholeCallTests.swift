import MediaRTP
import SansIO
import SecureChannel
import Simulator
import Swiftlet
import Testing

/// Calls from the first lookup to the last socket, in networks of every quality.
@Suite struct WholeCallTests {
    /// What a seed stands for: every seed is a network of its own.
    static func setting(seed: UInt64) -> Scenario.Setting {
        var random = RandomSource.seeded(seed)
        let slowest = Duration.milliseconds(Int.random(in: 2...80, using: &random))
        var setting = Scenario.Setting(
            seed: seed,
            link: Link(
                delay: .milliseconds(1)...slowest,
                jitter: .milliseconds(Int.random(in: 0...10, using: &random)),
                lossPercent: Int.random(in: 0...5, using: &random),
                duplicatePercent: Int.random(in: 0...2, using: &random)))
        setting.families = [[.v4], [.v6], [.v4, .v6]][Int(seed % 3)]
        return setting
    }

    static func transports(seed: UInt64) -> [SessionTransport] { [[.tcp, .udp], [.udp], [.tcp]][Int(seed / 3 % 3)] }

    @Test(arguments: UInt64(1)...50) func aWholeCallSucceeds(seed: UInt64) throws {
        let parties = try Parties(Self.setting(seed: seed), over: Self.transports(seed: seed))
        let calls = try parties.talk()
        try exchangeTexts(parties, calls)
        // A lost 180 is not repeated on flows that lose (RFC 3261 §17.2.1).
        let isStream = Self.transports(seed: seed) == [.tcp]
        #expect(!isStream || parties.alice.events(of: calls.alices).contains(.ringing))
        try parties.scenario.run(for: .seconds(1))
        let aliceHangsUp = seed % 2 == 0
        if aliceHangsUp { parties.alice.hangUp(calls.alices) } else { parties.bob.hangUp(calls.bobs) }
        try parties.waitForEnd(of: calls)
        #expect(parties.alice.end(of: calls.alices) == (aliceHangsUp ? .hungUp : .remoteHungUp))
        #expect(parties.bob.end(of: calls.bobs) == (aliceHangsUp ? .remoteHungUp : .hungUp))
        try parties.scenario.waitUntilIdle()
        check(parties.alice, calls.alices)
        check(parties.bob, calls.bobs)
    }

    /// Each side says something, mutes, and has shown its profile.
    private func exchangeTexts(_ parties: Parties, _ calls: (alices: CallID, bobs: CallID)) throws {
        let (alice, bob) = (parties.alice, parties.bob)
        let long = String(repeating: "a long message ", count: 200)
        alice.send("hello bob", in: calls.alices)
        alice.send(long, in: calls.alices)
        bob.send("hello alice", in: calls.bobs)
        alice.mute(true, in: calls.alices)
        try parties.scenario.wait(for: "texts", within: .seconds(30)) {
            bob.texts(in: calls.bobs).count == 2 && alice.texts(in: calls.alices).count == 1
                && bob.events(of: calls.bobs).contains(.peerMuted(true))
        }
        alice.mute(false, in: calls.alices)
        #expect(bob.texts(in: calls.bobs) == ["hello bob", long])
        #expect(alice.texts(in: calls.alices) == ["hello alice"])
        try parties.scenario.wait(for: "profiles", within: .seconds(30)) {
            hasProfile(of: "bob", alice, calls.alices) && hasProfile(of: "alice", bob, calls.bobs)
        }
    }

    private func hasProfile(of peer: String, _ node: NodeHost, _ call: CallID) -> Bool {
        node.events(of: call).contains { event in
            if case .profile(let card) = event { card.contains("FN:\(peer)\n") } else { false }
        }
    }

    /// What must hold of a node after a whole call.
    private func check(_ node: NodeHost, _ call: CallID) {
        let events = node.events(of: call)
        #expect(events.count { $0 == .answered } == 1)
        #expect(events.count { $0 == .firstAudio } == 1)
        guard case .ended = events.last else { return #expect(Bool(false), "the end is the last event") }
        guard let sound = node.sound[call] else { return #expect(Bool(false), "there was sound") }
        #expect(sound.statistics.received >= 40)
        #expect(sound.statistics.refused < 10, "only what the network doubled")
        #expect(sound.loudest > 100_000, "the voice was heard")
    }

    @Test(arguments: [UInt64(3), 4, 7]) func aSeedTellsTheWholeStory(seed: UInt64) throws {
        func run() throws -> (digest: UInt64, count: Int, lines: [String]) {
            let parties = try Parties(Self.setting(seed: seed), over: Self.transports(seed: seed))
            let calls = try parties.talk()
            try parties.scenario.run(for: .milliseconds(500))
            parties.alice.hangUp(calls.alices)
            try parties.waitForEnd(of: calls)
            try parties.scenario.waitUntilIdle()
            let trace = parties.world.trace
            return (trace.digest, trace.count, trace.lines(last: 4000, withPackets: true))
        }
        let (first, second) = (try run(), try run())
        #expect(first.lines == second.lines)
        #expect(first.count == second.count)
        #expect(first.digest == second.digest)
    }

    @Test func differentSeedsAreDifferentStories() throws {
        let first = Scenario(Scenario.Setting(seed: 1)).world.trace.digest
        let second = Scenario(Scenario.Setting(seed: 2)).world.trace.digest
        #expect(first != second)
    }
}
