import SansIO
import SecureChannel
import Simulator
import Swiftlet
import TestIdentities
import Testing

/// Messages outside of calls.
@Suite struct MessageTests {
    @Test(arguments: [UInt64(401), 403, 406]) func aMessageReachesThePeer(seed: UInt64) throws {
        let parties = try Parties(EndingTests.setting(seed), over: WholeCallTests.transports(seed: seed))
        let number = parties.alice.send("are you there?", to: parties.bob.identity.accountID)
        try parties.scenario.wait(for: "outcome", within: .seconds(60)) { outcome(parties.alice, number) != nil }
        #expect(outcome(parties.alice, number) == .delivered)
        let expected = NodeEvent.message(Message(text: "are you there?"), from: parties.alice.identity.accountID)
        #expect(parties.bob.moments.count { $0.event == expected } == 1)
        try parties.scenario.waitUntilIdle(within: .seconds(90))
    }

    @Test func aMessageToNobodyFails() throws {
        let parties = try Parties(EndingTests.setting(411))
        let number = parties.alice.send("hello?", to: Identities.mallory.accountID)
        try parties.scenario.wait(for: "outcome", within: .seconds(60)) { outcome(parties.alice, number) != nil }
        #expect(outcome(parties.alice, number) == .failed(.notFound))
        try parties.scenario.waitUntilIdle()
    }

    private func outcome(_ node: NodeHost, _ number: MessageNumber) -> MessageOutcome? {
        for case .messageOutcome(number, let outcome) in node.moments.map(\.event) { return outcome }
        return nil
    }
}
