import MediaRTP
import SansIO
import SecureChannel
import Simulator
import Swiftlet
import Testing

/// Calls whose media change while they last: held, resumed, muted, moved to another path.
@Suite struct ChangeTests {
    static let seeds = UInt64(301)...306

    /// Alice and Bob talk for a second; odd seeds are calls of two Swiftlets, even ones look like stock.
    private func talking(_ seed: UInt64) throws -> (Parties, alices: CallID, bobs: CallID) {
        let parties = try Parties(
            WholeCallTests.setting(seed: seed), over: WholeCallTests.transports(seed: seed),
            adjusting: { $0.offersExtension = seed % 2 == 1 })
        let calls = try parties.talk()
        try parties.scenario.run(for: .seconds(1))
        return (parties, calls.alices, calls.bobs)
    }

    private func finish(_ parties: Parties, _ alices: CallID, _ bobs: CallID) throws {
        parties.alice.hangUp(alices)
        try parties.waitForEnd(of: (alices, bobs))
        #expect(parties.alice.end(of: alices) == .hungUp)
        #expect(parties.bob.end(of: bobs) == .remoteHungUp)
        try parties.scenario.waitUntilIdle()
    }

    /// Waits until an event was told as often as given.
    private func wait(
        _ parties: Parties, for event: CallEvent, _ count: Int = 1, in call: CallID, of node: NodeHost
    ) throws {
        try parties.scenario.wait(for: "\(event) of \(node.name)", within: .seconds(50)) {
            node.events(of: call).count { $0 == event } >= count
        }
    }

    private func connections(_ node: NodeHost, _ call: CallID) -> Int {
        node.events(of: call).count { if case .mediaConnected = $0 { true } else { false } }
    }

    @Test(arguments: seeds) func aHeldCallIsSilentAndGoesOn(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed)
        let (alice, bob) = (parties.alice, parties.bob)
        alice.hold(alices)
        try wait(parties, for: .held(true), in: alices, of: alice)
        try wait(parties, for: .peerHeld(true), in: bobs, of: bob)
        // What is on its way, and what waits to be played, is still heard.
        try parties.scenario.run(for: .seconds(2))
        alice.listenAnew(to: alices)
        bob.listenAnew(to: bobs)
        let before = [alice.heard(in: alices)?.packets, bob.heard(in: bobs)?.packets]
        try parties.scenario.run(for: .seconds(3))
        #expect(alice.heard(in: alices)?.loudest == 0)
        #expect(try #require(bob.heard(in: bobs)).loudest < 1_000, "comfort noise at most")
        #expect([alice.heard(in: alices)?.packets, bob.heard(in: bobs)?.packets] == before, "nobody sends")
        #expect(connections(alice, alices) == 1, "a hold keeps the path")
        alice.resume(alices)
        try wait(parties, for: .held(false), in: alices, of: alice)
        try wait(parties, for: .peerHeld(false), in: bobs, of: bob)
        try parties.scenario.wait(for: "new paths", within: .seconds(40)) {
            connections(alice, alices) == 2 && connections(bob, bobs) == 2
        }
        try parties.scenario.run(for: .seconds(3))
        #expect(try #require(alice.heard(in: alices)).loudest > 100_000)
        #expect(try #require(bob.heard(in: bobs)).loudest > 100_000)
        #expect(alice.mediaSessions(of: alices) == 1 && bob.mediaSessions(of: bobs) == 1, "old sockets are closed")
        try finish(parties, alices, bobs)
    }

    @Test(arguments: seeds) func mediaMoveToAnotherPathWithoutAGap(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed)
        let (alice, bob) = (parties.alice, parties.bob)
        alice.listenAnew(to: alices)
        bob.listenAnew(to: bobs)
        let mover = seed % 4 < 2 ? (alice, alices) : (bob, bobs)
        mover.0.restartMedia(mover.1)
        try parties.scenario.wait(for: "new paths", within: .seconds(40)) {
            connections(alice, alices) == 2 && connections(bob, bobs) == 2
        }
        #expect(alice.mediaSessions(of: alices) == 2, "the old session waits for what is on its way")
        try parties.scenario.run(for: .seconds(3))
        // At most five packets in a row are lost, and jitter and the other path's delay are below 200 ms.
        let gaps = [try #require(alice.heard(in: alices)).longestGap, try #require(bob.heard(in: bobs)).longestGap]
        #expect(gaps.allSatisfy { $0 < .milliseconds(300) }, "\(gaps)")
        #expect(alice.mediaSessions(of: alices) == 1 && bob.mediaSessions(of: bobs) == 1, "old sockets are closed")
        try finish(parties, alices, bobs)
        for (node, call) in [(alice, alices), (bob, bobs)] {
            let sound = try #require(node.sound[call])
            #expect(sound.statistics.refused < 10, "packets of the old path are no attack")
            #expect(sound.statistics.reportsReceived > 0)
        }
    }

    /// Without loss and jitter every packet comes in its time, whichever path it takes.
    @Test(arguments: [UInt64(321), 322]) func onAPerfectNetworkNothingIsMissing(seed: UInt64) throws {
        let link = Link(delay: .milliseconds(10)...(.milliseconds(10)), jitter: .zero)
        let parties = try Parties(
            Scenario.Setting(seed: seed, link: link), adjusting: { $0.offersExtension = seed % 2 == 1 })
        let calls = try parties.talk()
        try parties.scenario.run(for: .seconds(1))
        for (node, call) in [(parties.alice, calls.alices), (parties.bob, calls.bobs)] { node.listenAnew(to: call) }
        parties.alice.restartMedia(calls.alices)
        try parties.scenario.run(for: .seconds(4))
        for (node, call) in [(parties.alice, calls.alices), (parties.bob, calls.bobs)] {
            #expect(connections(node, call) == 2)
            let gap = try #require(node.heard(in: call)).longestGap
            #expect(gap <= .milliseconds(21), "\(gap)")
        }
        try finish(parties, calls.alices, calls.bobs)
        for (node, call) in [(parties.alice, calls.alices), (parties.bob, calls.bobs)] {
            let statistics = try #require(node.sound[call]).statistics
            #expect(statistics.lost == 0 && statistics.refused == 0, "\(statistics)")
        }
    }

    @Test(arguments: [UInt64(331), 332]) func aMutedMicrophoneIsSilent(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed)
        let (alice, bob) = (parties.alice, parties.bob)
        alice.mute(true, in: alices)
        try wait(parties, for: .peerMuted(true), in: bobs, of: bob)
        try parties.scenario.run(for: .seconds(2))
        bob.listenAnew(to: bobs)
        let before = try #require(bob.heard(in: bobs)).packets
        try parties.scenario.run(for: .seconds(2))
        #expect(try #require(bob.heard(in: bobs)).loudest < 1_000, "silence is sent")
        #expect(try #require(bob.heard(in: bobs)).packets > before + 60, "and it is sent")
        #expect(try #require(alice.heard(in: alices)).loudest > 100_000, "the other way goes on")
        alice.mute(false, in: alices)
        try wait(parties, for: .peerMuted(false), 2, in: bobs, of: bob)
        try parties.scenario.run(for: .seconds(2))
        #expect(try #require(bob.heard(in: bobs)).loudest > 100_000)
        try finish(parties, alices, bobs)
    }

    /// Both sides want something at once: the offers collide, and both come about.
    @Test(arguments: seeds) func crossingWishesBothComeAbout(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed)
        let (alice, bob) = (parties.alice, parties.bob)
        alice.hold(alices)
        try parties.scenario.run(for: .milliseconds(Int64(seed % 3) * 7))
        if seed % 4 < 2 { bob.hold(bobs) } else { bob.restartMedia(bobs) }
        try wait(parties, for: .held(true), in: alices, of: alice)
        try wait(parties, for: .peerHeld(true), in: bobs, of: bob)
        if seed % 4 < 2 {
            try wait(parties, for: .held(true), in: bobs, of: bob)
            try wait(parties, for: .peerHeld(true), in: alices, of: alice)
            bob.resume(bobs)
            try wait(parties, for: .held(false), in: bobs, of: bob)
        }
        try parties.scenario.wait(for: "new paths", within: .seconds(60)) {
            connections(alice, alices) == 2 && connections(bob, bobs) == 2
        }
        alice.resume(alices)
        try wait(parties, for: .held(false), in: alices, of: alice)
        try parties.scenario.wait(for: "newer paths", within: .seconds(60)) {
            connections(alice, alices) == 3 && connections(bob, bobs) == 3
        }
        alice.listenAnew(to: alices)
        bob.listenAnew(to: bobs)
        try parties.scenario.run(for: .seconds(3))
        #expect(try #require(alice.heard(in: alices)).loudest > 100_000)
        #expect(try #require(bob.heard(in: bobs)).loudest > 100_000)
        try finish(parties, alices, bobs)
    }

    /// Any sequence of wishes of both sides, at any pace, ends in a call that is heard once nobody holds it.
    @Test(arguments: UInt64(341)...346) func noSequenceOfWishesBreaksACall(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed)
        var random = RandomSource.seeded(seed)
        for _ in 0..<30 {
            let (node, call) = Bool.random(using: &random) ? (parties.alice, alices) : (parties.bob, bobs)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: node.hold(call)
            case 1: node.resume(call)
            case 2: node.restartMedia(call)
            case 3: node.mute(Bool.random(using: &random), in: call)
            case 4: node.send("still there", in: call)
            default: break
            }
            try parties.scenario.run(for: .milliseconds(Int64.random(in: 0...400, using: &random)))
        }
        for (node, call) in [(parties.alice, alices), (parties.bob, bobs)] {
            node.resume(call)
            node.mute(false, in: call)
        }
        try parties.scenario.run(for: .seconds(30))
        for (node, call) in [(parties.alice, alices), (parties.bob, bobs)] { node.listenAnew(to: call) }
        try parties.scenario.run(for: .seconds(3))
        for (node, call) in [(parties.alice, alices), (parties.bob, bobs)] {
            #expect(try #require(node.heard(in: call)).loudest > 100_000)
            #expect(node.mediaSessions(of: call) == 1)
        }
        try finish(parties, alices, bobs)
    }
}
