import SansIO
import SecureChannel
import Simulator
import Swiftlet
import Testing

@Suite struct CallTests {
    @Test func aCallSucceeds() throws {
        let clock = ContinuousClock()
        var last = clock.now
        func lap(_ s: String) { let n = clock.now; print(s, n - last); last = n }
        _ = Identities.alice
        lap("identities")
        let scenario = Scenario(Scenario.Setting(seed: 1))
        lap("dht")
        let alice = try scenario.addNode("alice", Identities.alice)
        let bob = try scenario.addNode("bob", Identities.bob)
        try scenario.waitUntilAnnounced(alice)
        try scenario.waitUntilAnnounced(bob)
        lap("announced")
        let call = alice.call(bob.identity.accountID)
        try scenario.wait(for: "ringing", within: .seconds(30)) { bob.incomingCalls.count == 1 }
        let incoming = try #require(bob.incomingCalls.first)
        bob.answer(incoming)
        lap("ringing")
        try scenario.wait(for: "audio", within: .seconds(30)) {
            alice.events(of: call).contains(.firstAudio) && bob.events(of: incoming).contains(.firstAudio)
        }
        lap("audio")
        try scenario.run(for: .seconds(1))
        lap("1s")
        alice.hangUp(call)
        try scenario.wait(for: "end", within: .seconds(10)) {
            alice.end(of: call) != nil && bob.end(of: incoming) != nil
        }
        lap("end")
        try scenario.waitUntilIdle()
        lap("idle")
        print(scenario.failure("x", lines: 100).description)
    }
}
