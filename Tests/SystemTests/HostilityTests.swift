import Foundation
import MediaRTP
import SansIO
import Testing

extension ProcessTests {
    @Suite struct HostilityTests {
        @Test("Nonsense on every open port disturbs neither the call nor the network")
        func garbage() async throws {
            let network = try await LoopbackNetwork.start()
            let sandbox = network.sandbox
            let alices = try Speech.write(seed: 3, to: sandbox.path("alice.wav"))
            let bob = try await network.listen(as: .bob, "--answer", "auto", "--record", sandbox.path("heard.wav"))
            let alice = try await network.call(
                from: .alice, to: .bob,
                ["--play", sandbox.path("alice.wav"), "--duration", "\(Speech.seconds + 2)"])
            try await alice.event("first-audio")
            try await bob.event("first-audio")
            var random = RandomSource.seeded(20)
            var attacked = 0
            for process in [alice, bob, network.node] {
                for kind in [OpenPorts.Kind.udp, .tcp] {
                    for port in try OpenPorts.find(of: process.pid, kind) {
                        OpenPorts.attack(port, kind, using: &random)
                        attacked += 1
                    }
                }
            }
            #expect(attacked >= 7, "the DHT's and the media's ports at least")
            #expect(try await alice.exitCode() == 0)
            #expect(try await alice.event("ended")["reason"] == "hung-up")
            #expect(try await bob.event("ended")["reason"] == "remote-hung-up")
            for process in [bob, network.node] {
                process.interrupt()
                #expect(try await process.exitCode() == 0)
            }
            let heard = try Speech.compare(alices, with: sandbox.path("heard.wav"))
            #expect(heard.isSame, "\(heard)")
        }

        @Test(
            "A peer that vanishes ends the call, at the latest when its consent runs out", .timeLimit(.minutes(20)),
            arguments: ["udp", "tcp"])
        func vanishingPeer(without transport: String) async throws {
            let network = try await LoopbackNetwork.start()
            let bob = try await network.listen(as: .bob, "--answer", "auto")
            let alice = try await network.call(from: .alice, to: .bob, ["--without", transport])
            try await alice.event("first-audio")
            try await bob.event("first-audio")
            bob.kill()
            // RFC 7675 §5.1: consent lasts 30 s; the rest is for a busy machine.
            #expect(try await alice.exitCode(within: 60) == 15)
            #expect(try await alice.event("ended")["reason"] == "connection-lost")
        }
    }
}
