import AudioFiles
import Foundation
import MediaRTP
import SecureChannel
import Swiftlet

/// The three processes of the demo, and the judgement of what they did.
actor Demo {
    /// How the call is meant to end.
    enum Ending {
        case talked
        case declined
        case cancelled
    }

    /// After this long the demo gives up on whatever it waits for.
    private static let patience = Duration.seconds(60)
    /// How much longer than the speech the call lasts: the last block has to arrive and be played.
    private static let tail = 1.0

    private let folder: URL
    private let ending: Ending
    private let without: String?
    private let timeline = DemoTimeline()
    private var speech: (alice: [Int16], bob: [Int16]) = ([], [])
    private var children: [ChildProcess] = []

    init(folder: URL, ending: Ending, without: String?) throws {
        self.folder = folder
        self.ending = ending
        self.without = without
    }

    /// What the processes wrote to standard error, for a demo that failed.
    func logs() -> String {
        let names = Set(children.map(\.name)).sorted()
        return names.compactMap { name in
            let text = try? String(contentsOf: folder.appending(path: "\(name).log"), encoding: .utf8)
            return text.flatMap { $0.isEmpty ? nil : "\(name) wrote:\n\($0)" }
        }.joined()
    }

    func run() async throws {
        defer { for child in children { child.kill() } }
        let watchdog = Task {
            try await Task.sleep(for: Self.patience)
            giveUp()
        }
        defer { watchdog.cancel() }
        try prepareSpeech()
        let bobID = try await makeAccounts()
        let port = try await startBootstrap()
        let bob = try await startBob(port: port)
        try await call(bobID, port: port, bob: bob)
    }

    /// Ends all children, which ends every wait for them.
    private func giveUp() {
        timeline.say("", "gave up after \(Self.patience.components.seconds) s")
        for child in children { child.kill() }
    }

    // MARK: - Preparation

    private func prepareSpeech() throws {
        speech.alice = try Self.voices(["Front_Center", "Side_Left", "Rear_Right"])
        speech.bob = try Self.voices(["Rear_Center", "Side_Right", "Front_Left"])
        try write(speech.alice, to: path("alice-says.wav"))
        try write(speech.bob, to: path("bob-says.wav"))
    }

    private static func voices(_ names: [String]) throws -> [Int16] {
        try names.flatMap { name in
            let path = "/usr/share/sounds/alsa/\(name).wav"
            do throws(AudioFileError) { return try AudioFileReader.samples(ofFileAt: path) } catch {
                throw Failure(.noInput, "\(path) is missing; install Debian's alsa-utils, or run scripts/setup")
            }
        }
    }

    private func write(_ samples: [Int16], to path: String) throws {
        do throws(AudioFileError) {
            let writer = try AudioFileWriter(path: path)
            try writer.append(samples)
            try writer.close()
        } catch { throw Failure(error, path: path) }
    }

    /// Makes both accounts at once; returns Bob's id, all that Alice will know.
    private func makeAccounts() async throws -> String {
        timeline.say("", "making two accounts (three RSA-4096 keys each)")
        let making = try ["alice", "bob"].map { name in
            try start(
                name,
                ["account", "create", "--state", path(name), "--name", name == "bob" ? "Bob" : "Alice"])
        }
        var ids: [String] = []
        for child in making {
            var id: String?
            for await event in child.events {
                switch event.name {
                case "account-created": id = event["account"]
                case "error": throw Failure(.fault, event["message"])
                default: break
                }
            }
            guard await child.wait() == 0, let id else { throw Failure(.fault, "no account for \(child.name)") }
            timeline.say(child.name, "account \(id)")
            ids.append(id)
        }
        return ids[1]
    }

    private func startBootstrap() async throws -> String {
        let child = try start("dht", ["dht", "node", "--bind", "127.0.0.1", "--bind", "::1", "--bootstrap", "none"])
        for await event in child.events where event.name == "listening" {
            timeline.say("dht", "bootstrap node \(event["id"].prefix(8))… on port \(event["port"])")
            return event["port"]
        }
        throw Failure(.fault, "the DHT node did not start")
    }

    private func startBob(port: String) async throws -> ChildProcess {
        var arguments = ["listen", "--text", "hello from Bob"] + common("bob", port: port)
        switch ending {
        case .talked: arguments += ["--answer", "auto"]
        case .declined: arguments += ["--answer", "decline"]
        case .cancelled: break
        }
        let child = try start("bob", arguments)
        for await event in child.events {
            switch event.name {
            case "announced":
                timeline.say("bob", "announced on the DHT; reachable")
                return child
            case "error": throw Failure(.fault, event["message"])
            default: break
            }
        }
        throw Failure(.fault, "Bob did not get ready")
    }

    // MARK: - The call

    private func call(_ bobID: String, port: String, bob: ChildProcess) async throws {
        var arguments = ["call", bobID, "--text", "hello from Alice"] + common("alice", port: port)
        if ending == .talked {
            let longest = Double(max(speech.alice.count, speech.bob.count)) / Double(AudioFormat.sampleRate)
            arguments += ["--duration", "\(longest + Self.tail)"]
        }
        if let without { arguments += ["--without", without] }
        let alice = try start("alice", arguments)
        async let bobSaw = watch(bob, until: "ended")
        async let aliceSaw = watch(alice, until: nil)
        let seen = DemoRecord(alice: await aliceSaw, bob: await bobSaw)
        let code = await alice.wait()
        bob.interrupt()
        let bobCode = await bob.wait()
        try judge(seen, aliceCode: code, bobCode: bobCode)
    }

    /// Prints a child's events and keeps them, up to one of this name or the end.
    private func watch(_ child: ChildProcess, until last: String?) async -> [ChildProcess.Event] {
        var seen: [ChildProcess.Event] = []
        for await event in child.events {
            seen.append(event)
            timeline.show(event, of: child.name)
            if ending == .cancelled, child.name == "alice", event.name == "ringing" { child.interrupt() }
            if event.name == last { break }
        }
        return seen
    }

    private func judge(_ seen: DemoRecord, aliceCode: Int32, bobCode: Int32) throws {
        var faults = seen.faults(ending: ending, without: without)
        let expected: Int32 =
            switch ending {
            case .talked: 0
            case .declined: ExitStatus.declined.rawValue
            case .cancelled: ExitStatus.cancelled.rawValue
            }
        if aliceCode != expected { faults.append("Alice ended with code \(aliceCode) instead of \(expected)") }
        if bobCode != 0 { faults.append("Bob ended with code \(bobCode)") }
        for (name, milliseconds) in seen.intervals { timeline.say("", "\(name): \(milliseconds) ms") }
        if ending == .talked {
            timeline.summarise(seen)
            faults += try compare("Bob heard Alice", said: speech.alice, recording: "bob-heard.wav")
            faults += try compare("Alice heard Bob", said: speech.bob, recording: "alice-heard.wav")
        }
        guard faults.isEmpty else { throw Failure(.fault, "not as it should be: " + faults.joined(separator: "; ")) }
        timeline.say("", "everything is as it should be")
    }

    /// Compares a recording with what was said; the measure is explained at `AudioComparison`.
    private func compare(_ what: String, said: [Int16], recording: String) throws -> [String] {
        let heard: [Int16]
        do throws(AudioFileError) { heard = try AudioFileReader.samples(ofFileAt: path(recording)) } catch {
            throw Failure(error, path: path(recording))
        }
        let comparison = AudioComparison(sent: said, received: heard)
        let share = Int((comparison.foundShare * 100).rounded())
        let distance = (comparison.spectralDistance * 10).rounded() / 10
        timeline.say(
            "",
            "\(what): \(share) % of the speech found by cross-correlation, log-spectral distance \(distance) dB"
                + " (at least 80 %, at most \(Int(AudioComparison.distanceThreshold)) dB)")
        return comparison.isSame ? [] : ["\(what): the recording does not hold what was said"]
    }

    // MARK: - Helpers

    private func start(_ name: String, _ arguments: [String]) throws -> ChildProcess {
        let child = try ChildProcess(name, arguments, log: folder.appending(path: "\(name).log"))
        children.append(child)
        return child
    }

    private func common(_ name: String, port: String) -> [String] {
        [
            "--state", path(name), "--bind", "127.0.0.1", "--bind", "::1", "--bootstrap", "127.0.0.1:\(port)",
            "--play", path("\(name)-says.wav"), "--record", path("\(name)-heard.wav"),
        ]
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }
}
