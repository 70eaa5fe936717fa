import SansIO
import SecureChannel
import Simulator
import Swiftlet
import TestIdentities

/// Alice and Bob in a world of their own, both known to others.
struct Parties {
    let scenario: Scenario
    let alice: NodeHost
    let bob: NodeHost

    init(
        _ setting: Scenario.Setting, over transports: [SessionTransport] = [.tcp, .udp],
        bobShows credentials: SecureChannel.Credentials? = nil,
        adjusting: (inout NodeCore.Configuration) -> Void = { _ in }
    ) throws {
        scenario = Scenario(setting)
        alice = try scenario.addNode("alice", Identities.alice, over: transports, adjusting: adjusting)
        bob = try scenario.addNode("bob", Identities.bob, over: transports, showing: credentials, adjusting: adjusting)
        try scenario.waitUntilAnnounced(alice)
        try scenario.waitUntilAnnounced(bob)
    }

    /// Alice and Bob, each of a kind of its own.
    init(
        _ setting: Scenario.Setting, alice aliceTransports: [SessionTransport],
        _ adjustAlice: (inout NodeCore.Configuration) -> Void, bob bobTransports: [SessionTransport],
        _ adjustBob: (inout NodeCore.Configuration) -> Void
    ) throws {
        scenario = Scenario(setting)
        alice = try scenario.addNode("alice", Identities.alice, over: aliceTransports, adjusting: adjustAlice)
        bob = try scenario.addNode("bob", Identities.bob, over: bobTransports, adjusting: adjustBob)
        try scenario.waitUntilAnnounced(alice)
        try scenario.waitUntilAnnounced(bob)
    }

    var world: World { scenario.world }

    /// Alice calls, and Bob's device rings. Over UDP nothing repeats the word that it does, so Alice may not hear it.
    func ring() throws -> (alices: CallID, bobs: CallID) {
        let call = alice.call(bob.identity.accountID)
        try scenario.wait(for: "ringing", within: .seconds(60)) {
            !bob.incomingCalls.isEmpty
        }
        return (call, bob.incomingCalls[bob.incomingCalls.count - 1])
    }

    /// Bob answers, and both hear each other.
    func talk() throws -> (alices: CallID, bobs: CallID) {
        let calls = try ring()
        bob.answer(calls.bobs)
        try scenario.wait(for: "sound", within: .seconds(60)) {
            alice.events(of: calls.alices).contains(.firstAudio) && bob.events(of: calls.bobs).contains(.firstAudio)
        }
        return calls
    }

    /// Both sides say that the call is over.
    func waitForEnd(of calls: (alices: CallID, bobs: CallID), within patience: Duration = .seconds(40)) throws {
        try scenario.wait(for: "end of the call", within: patience) {
            alice.end(of: calls.alices) != nil && bob.end(of: calls.bobs) != nil
        }
    }
}

extension NodeHost {
    /// The texts that arrived in a call.
    func texts(in call: CallID) -> [String] {
        events(of: call).compactMap { event in
            guard case .message(let message) = event else { return nil }
            return message.text
        }
    }
}
