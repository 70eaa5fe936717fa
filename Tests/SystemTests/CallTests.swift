import Foundation
import MediaRTP
import Testing

extension ProcessTests {
    @Suite struct CallTests {
        @Test(
            "Each side's recording holds the other's speech, over TLS and over DTLS",
            arguments: [("udp", "tcp", "TLS1.3"), ("tcp", "udp", "DTLS1.2")])
        func wholeCall(without transport: String, leaves other: String, securedWith version: String) async throws {
            let network = try await LoopbackNetwork.start()
            let sandbox = network.sandbox
            let alices = try Speech.write(seed: 1, to: sandbox.path("alice.wav"))
            let bobs = try Speech.write(seed: 2, to: sandbox.path("bob.wav"))
            let bob = try await network.listen(
                as: .bob, "--answer", "auto", "--play", sandbox.path("bob.wav"), "--record",
                sandbox.path("heard-by-bob.wav"), "--text", "hello from Bob \u{1F44B}")
            let alice = try await network.call(
                from: .alice, to: .bob,
                [
                    "--without", transport, "--play", sandbox.path("alice.wav"), "--record",
                    sandbox.path("heard-by-alice.wav"), "--text", "hello from Alice", "--duration",
                    "\(Speech.seconds + 1)",
                ])
            #expect(try await alice.exitCode() == 0)
            #expect(try await bob.event("ended")["reason"] == "remote-hung-up")
            #expect(try await alice.event("ended")["reason"] == "hung-up")
            #expect(try await alice.event("secured")["version"] == version)
            #expect(try await alice.event("path-found")["transport"].lowercased().contains(other))
            #expect(try await alice.event("call-message")["text"] == "hello from Bob \u{1F44B}")
            #expect(try await bob.event("call-message")["text"] == "hello from Alice")
            #expect(try await alice.event("profile")["vcard"].contains("FN:Bob"))
            #expect(try await bob.event("profile")["vcard"].contains("FN:Alice"))
            bob.interrupt()
            #expect(try await bob.exitCode() == 0)
            let toBob = try Speech.compare(alices, with: sandbox.path("heard-by-bob.wav"))
            let toAlice = try Speech.compare(bobs, with: sandbox.path("heard-by-alice.wav"))
            #expect(toBob.isSame, "\(toBob)")
            #expect(toAlice.isSame, "\(toAlice)")
        }

        @Test("Named devices are opened when the call is answered, and closed with it; levels are told meanwhile")
        func devices() async throws {
            let network = try await LoopbackNetwork.start()
            let voice = network.sandbox.path("voice.wav")
            _ = try Speech.write(seed: 3, to: voice)
            let bob = try await network.listen(as: .bob, "--answer", "auto", "--play", voice)
            let alice = try await network.call(
                from: .alice, to: .bob, ["--play", "device:null", "--record", "device:null"])
            let levels = try await alice.event("levels")
            #expect(levels.number("sent") == -100)
            #expect((-60...0).contains(levels.number("heard")))
            alice.interrupt()
            #expect(try await alice.exitCode() == 0)
            for name in ["sound-opened", "sound-statistics"] {
                let directions = alice.events.filter { $0.name == name }.map { $0["direction"] }
                #expect(directions.sorted() == ["capture", "playback"])
            }
            #expect(alice.errorLines == [])
            #expect(!bob.events.contains { $0.name.hasPrefix("sound") })
        }

        @Test("Devices are listed, and those of no use by themselves are not")
        func listing() async throws {
            let process = try SwiftletProcess(["devices", "--json"])
            #expect(try await process.exitCode() == 0)
            let names = process.events.filter { $0.name == "device" }.map { $0["name"] }
            #expect(names.contains("null") && !names.contains("samplerate"))
            #expect(process.errorLines == [])
        }

        @Test("The callee hangs up by ending")
        func calleeHangsUp() async throws {
            let network = try await LoopbackNetwork.start()
            let bob = try await network.listen(as: .bob, "--answer", "auto")
            let alice = try await network.call(from: .alice, to: .bob, [])
            try await alice.event("first-audio")
            try await bob.event("first-audio")
            bob.interrupt()
            #expect(try await alice.exitCode() == 0)
            #expect(try await alice.event("ended")["reason"] == "remote-hung-up")
            #expect(try await bob.exitCode() == 0)
            #expect(try await bob.event("ended")["reason"] == "hung-up")
        }

        @Test("Ctrl-C in a call hangs up")
        func callerHangsUp() async throws {
            let network = try await LoopbackNetwork.start()
            let bob = try await network.listen(as: .bob, "--answer", "auto")
            let alice = try await network.call(from: .alice, to: .bob, [])
            try await alice.event("first-audio")
            alice.interrupt()
            #expect(try await alice.exitCode() == 0)
            #expect(try await bob.event("ended")["reason"] == "remote-hung-up")
        }

        @Test("A call that is declined ends with its own code")
        func decline() async throws {
            let network = try await LoopbackNetwork.start()
            let bob = try await network.listen(as: .bob, "--answer", "decline")
            let alice = try await network.call(from: .alice, to: .bob, [])
            #expect(try await alice.exitCode() == 10)
            #expect(try await alice.event("ended")["reason"] == "remote-declined")
            #expect(try await bob.event("ended")["reason"] == "declined")
        }

        @Test("Ctrl-C while it rings cancels the call, and the callee stays reachable")
        func cancel() async throws {
            let network = try await LoopbackNetwork.start()
            let bob = try await network.listen(as: .bob)
            let alice = try await network.call(from: .alice, to: .bob, [])
            try await bob.event("incoming-call")
            try await alice.event("ringing")
            alice.interrupt()
            #expect(try await alice.exitCode() == 17)
            #expect(try await alice.event("ended")["reason"] == "cancelled")
            #expect(try await bob.event("ended")["reason"] == "remote-cancelled")
            #expect(bob.isRunning)
            bob.interrupt()
            #expect(try await bob.exitCode() == 0)
        }
    }
}
