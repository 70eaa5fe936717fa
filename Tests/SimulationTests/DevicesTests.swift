import SansIO
import SecureChannel
import Simulator
import Swiftlet
import TestIdentities
import Testing

/// An account with two devices: both ring, one is answered.
@Suite struct DevicesTests {
    @Test(arguments: UInt64(501)...506) func theFirstDeviceThatAnswersGetsTheCall(seed: UInt64) throws {
        let parties = try Parties(EndingTests.setting(seed), over: WholeCallTests.transports(seed: seed))
        let (scenario, alice, phone) = (parties.scenario, parties.alice, parties.bob)
        let tablet = try scenario.addNode(
            "tablet", Identities.bobsTablet, over: WholeCallTests.transports(seed: seed))
        try scenario.waitUntilAnnounced(tablet)
        let call = alice.call(phone.identity.accountID)
        try scenario.wait(for: "two rings", within: .seconds(60)) {
            phone.incomingCalls.count == 1 && tablet.incomingCalls.count == 1
        }
        let winner = seed % 2 == 0 ? phone : tablet
        let loser = seed % 2 == 0 ? tablet : phone
        winner.answer(winner.incomingCalls[0])
        try scenario.wait(for: "sound", within: .seconds(30)) {
            alice.events(of: call).contains(.firstAudio)
                && winner.events(of: winner.incomingCalls[0]).contains(.firstAudio)
        }
        try scenario.wait(for: "silence", within: .seconds(30)) { loser.end(of: loser.incomingCalls[0]) != nil }
        #expect(loser.end(of: loser.incomingCalls[0]) == .remoteCancelled)
        #expect(alice.end(of: call) == nil)
        alice.hangUp(call)
        try scenario.wait(for: "end", within: .seconds(30)) { winner.end(of: winner.incomingCalls[0]) != nil }
        #expect(winner.end(of: winner.incomingCalls[0]) == .remoteHungUp)
        #expect(alice.end(of: call) == .hungUp)
        try scenario.waitUntilIdle()
    }

    @Test(arguments: UInt64(511)...514) func whoDeclinesDeclinesForAll(seed: UInt64) throws {
        let parties = try Parties(EndingTests.setting(seed))
        let tablet = try parties.scenario.addNode("tablet", Identities.bobsTablet)
        try parties.scenario.waitUntilAnnounced(tablet)
        let call = parties.alice.call(parties.bob.identity.accountID)
        try parties.scenario.wait(for: "two rings", within: .seconds(60)) {
            parties.bob.incomingCalls.count == 1 && tablet.incomingCalls.count == 1
        }
        tablet.decline(tablet.incomingCalls[0])
        try parties.scenario.wait(for: "end", within: .seconds(30)) {
            parties.alice.end(of: call) != nil && parties.bob.end(of: parties.bob.incomingCalls[0]) != nil
        }
        #expect(parties.alice.end(of: call) == .remoteDeclined)
        #expect(parties.bob.end(of: parties.bob.incomingCalls[0]) == .remoteCancelled)
        try parties.scenario.waitUntilIdle()
    }
}
