import SansIO
import Simulator
import Swiftlet
import Testing

/// Calls whose machines move from network to network.
@Suite struct CarryingTests {
    static let seeds = UInt64(701)...712

    private func talking(_ seed: UInt64, isSwiftlet: Bool = true) throws -> (Parties, alices: CallID, bobs: CallID) {
        let parties = try Parties(
            WholeCallTests.setting(seed: seed), over: WholeCallTests.transports(seed: seed),
            adjusting: { $0.offersExtension = isSwiftlet })
        let calls = try parties.talk()
        try parties.scenario.run(for: .seconds(1))
        return (parties, calls.alices, calls.bobs)
    }

    /// Takes a machine's addresses away, and gives it others after a while.
    private func move(_ node: NodeHost, in parties: Parties, after pause: Duration) throws {
        if pause > .zero {
            node.move(to: [])
            try parties.scenario.run(for: pause)
        }
        node.move(to: parties.scenario.nextAddresses())
    }

    private func hear(_ parties: Parties, _ alices: CallID, _ bobs: CallID) throws {
        for (node, call) in [(parties.alice, alices), (parties.bob, bobs)] { node.listenAnew(to: call) }
        try parties.scenario.run(for: .seconds(3))
        for (node, call) in [(parties.alice, alices), (parties.bob, bobs)] {
            #expect(try #require(node.heard(in: call)).loudest > 100_000, "\(node.name) hears")
        }
    }

    private func finish(_ parties: Parties, _ alices: CallID, _ bobs: CallID, by node: NodeHost) throws {
        node.hangUp(node === parties.alice ? alices : bobs)
        // Long before a side would take the other one for dead.
        try parties.waitForEnd(of: (alices, bobs), within: .seconds(10))
        #expect(parties.alice.end(of: alices) == (node === parties.alice ? .hungUp : .remoteHungUp))
        #expect(parties.bob.end(of: bobs) == (node === parties.bob ? .hungUp : .remoteHungUp))
        try parties.scenario.waitUntilIdle(within: .seconds(120))
    }

    @Test(arguments: seeds) func aCallFollowsItsMachine(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed)
        let moving = seed % 2 == 0 ? parties.alice : parties.bob
        let pause = Duration.milliseconds([0, 300, 3_000][Int(seed / 2 % 3)])
        let call = moving === parties.alice ? alices : bobs
        let before = try #require(moving.heard(in: call)).packets
        try move(moving, in: parties, after: pause)
        let moved = parties.world.now
        try parties.scenario.wait(for: "sound after the move", within: .seconds(10)) {
            (moving.heard(in: call)?.packets ?? 0) > before + 50
        }
        let silence = moved.duration(to: parties.world.now) - .seconds(1)
        #expect(silence < .seconds(4), "\(silence)")
        try hear(parties, alices, bobs)
        try finish(parties, alices, bobs, by: seed % 4 < 2 ? parties.alice : parties.bob)
    }

    @Test(arguments: UInt64(721)...724) func bothMachinesMayMoveAgainAndAgain(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed)
        var random = RandomSource.seeded(seed)
        for _ in 0..<4 {
            let node = Bool.random(using: &random) ? parties.alice : parties.bob
            try move(node, in: parties, after: .milliseconds(Int64.random(in: 0...2_000, using: &random)))
            // The next move may come before the call has found its way.
            try parties.scenario.run(for: .milliseconds(Int64.random(in: 100...6_000, using: &random)))
        }
        try parties.scenario.run(for: .seconds(10))
        try hear(parties, alices, bobs)
        try finish(parties, alices, bobs, by: parties.alice)
    }

    @Test(arguments: [UInt64(731), 734]) func aMachineThatStaysAwayEndsTheCall(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed)
        parties.alice.move(to: [])
        try parties.waitForEnd(of: (alices, bobs), within: .seconds(90))
        parties.alice.move(to: parties.scenario.nextAddresses())
        try parties.scenario.waitUntilIdle(within: .seconds(120))
    }

    /// Stock peers look for nobody: without its stream a call ends on both sides.
    @Test(arguments: [UInt64(735), 736]) func towardStockACallEndsWithItsStream(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed, isSwiftlet: false)
        parties.alice.move(to: parties.scenario.nextAddresses())
        try parties.waitForEnd(of: (alices, bobs), within: .seconds(90))
        #expect(parties.alice.end(of: alices) == .connectionLost)
        try parties.scenario.waitUntilIdle(within: .seconds(120))
    }

    /// Datagrams find their way where nothing filters them, and the call goes on.
    @Test(arguments: [UInt64(741), 742]) func towardStockACallOverDatagramsFollows(seed: UInt64) throws {
        let (parties, alices, bobs) = try talking(seed, isSwiftlet: false)
        parties.alice.move(to: parties.scenario.nextAddresses())
        try parties.scenario.run(for: .seconds(3))
        try hear(parties, alices, bobs)
        try finish(parties, alices, bobs, by: parties.alice)
    }
}
