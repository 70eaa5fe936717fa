import Foundation
import Testing

extension ProcessTests {
    /// What a user may get wrong: one line says what, the code says it to programs, and nothing is changed.
    @Suite struct BadInputTests {
        private static let nobody = String(repeating: "0123456789", count: 4)

        /// Runs a command that must fail; what it waits for it announces in lines of their own, ending in "…".
        private func fail(_ arguments: [String], with code: Int32, saying words: String) async throws {
            let process = try SwiftletProcess(arguments)
            #expect(try await process.exitCode() == code)
            let complaints = process.errorLines.filter { !$0.hasSuffix("…") }
            #expect(complaints.count == 1, "\(process.errorLines)")
            #expect(complaints.first?.contains(words) == true, "\(process.errorLines)")
        }

        private func call(_ sandbox: Sandbox, _ arguments: String...) async throws -> [String] {
            let state = sandbox.path("Alice")
            if !FileManager.default.fileExists(atPath: state) { _ = try await sandbox.state(of: .alice) }
            return ["call", "--state", state, "--bind", "127.0.0.1", "--silent"] + arguments
        }

        @Test("What is wrong before anything happens leaves the state folder as it was")
        func beforeTheNetwork() async throws {
            let sandbox = try Sandbox()
            let nobody = Self.nobody
            let noise = try sandbox.write(Array("this is no sound".utf8), to: "text.wav")
            let empty = try sandbox.write([], to: "empty.wav")
            let table: [(arguments: [String], code: Int32, words: String)] = [
                (["12345"], 64, "40 hexadecimal digits"),
                ([String(repeating: "g", count: 40)], 64, "40 hexadecimal digits"),
                ([], 64, "id"),
                ([nobody, "--loud"], 64, "--loud"),
                ([nobody, "--bootstrap", "host:99999"], 64, "HOST:PORT"),
                ([nobody, "--bind", "here"], 64, "IP address"),
                ([nobody, "--duration", "-1"], 64, "duration"),
                ([nobody, "--play", sandbox.path("missing.wav")], 66, "does not exist"),
                ([nobody, "--play", "/proc/self/mem"], 65, "not a sound file"),
                ([nobody, "--play", sandbox.folder.path], 65, "not a sound file"),
                ([nobody, "--play", noise], 65, "not a sound file"),
                ([nobody, "--play", empty], 65, "text.wav".replacing("text", with: "empty")),
                ([nobody, "--play", ""], 64, "play"),
                ([nobody, "--play", "device:"], 64, "play"),
                ([nobody, "--play", "device:nonsense"], 72, "swiftlet devices"),
                ([nobody, "--record", "device:nonsense"], 72, "swiftlet devices"),
                ([nobody, "--record", noise + "/recording.wav"], 73, "cannot write"),
                ([nobody, "--record", "/proc/recording.wav"], 73, "cannot write"),
                ([nobody, "--record", sandbox.folder.path], 73, "cannot write"),
            ]
            _ = try await call(sandbox)
            let before = try Sandbox.contents(of: sandbox.folder.path)
            for row in table {
                let arguments = try await call(sandbox) + row.arguments
                try await fail(arguments, with: row.code, saying: row.words)
                #expect(try Sandbox.contents(of: sandbox.folder.path) == before, "\(row.arguments)")
            }
        }

        @Test(
            "Ctrl-C ends whoever waits for a network that does not answer",
            arguments: ["listen", "call", "dht listen", "dht put"])
        func impatience(command: String) async throws {
            let sandbox = try Sandbox()
            let silent = try #require(OpenPorts.Holder())
            let network = ["--bind", "127.0.0.1", "--bootstrap", "127.0.0.1:\(silent.port)", "--json"]
            let words = command.split(separator: " ").map(String.init)
            let isOfAccount = words[0] != "dht"
            let more = isOfAccount ? ["--state", try await sandbox.state(of: .alice), "--silent"] : ["place"]
            let peer = ["call": [Self.nobody], "dht put": ["text"]][command] ?? []
            let process = try SwiftletProcess(words + more + peer + network)
            try await process.event(isOfAccount ? "started" : "listening")
            process.interrupt()
            #expect(try await process.exitCode(within: 5) == -SIGINT)
        }

        @Test("Without an account there is nothing to call from")
        func noAccount() async throws {
            let sandbox = try Sandbox()
            for state in [sandbox.path("nowhere"), sandbox.folder.path, "/dev/null/below"] {
                try await fail(["call", "--state", state, Self.nobody], with: 78, saying: "swiftlet account create")
            }
            #expect(try Sandbox.contents(of: sandbox.folder.path).isEmpty)
        }

        @Test("A state folder that cannot be written is named", arguments: ["/dev/null/state", "/proc/state"])
        func unwritableState(path: String) async throws {
            try await fail(["account", "create", "--state", path], with: 73, saying: path)
        }

        @Test("A port in use is told at once")
        func portInUse() async throws {
            let sandbox = try Sandbox()
            let holder = try #require(OpenPorts.Holder())
            let arguments = try await call(sandbox, Self.nobody, "--port", "\(holder.port)", "--bootstrap", "none")
            try await fail(arguments, with: 71, saying: "port \(holder.port) is in use")
            try await fail(
                ["dht", "node", "--bind", "127.0.0.1", "--port", "\(holder.port)"], with: 71, saying: "in use")
        }

        @Test("A bootstrap host that does not answer, or has no address, is named")
        func deadBootstrap() async throws {
            let sandbox = try Sandbox()
            // A port that was free a moment ago, held by nobody.
            let port = try #require(OpenPorts.Holder()).port
            let silent = try await call(sandbox, Self.nobody, "--bootstrap", "127.0.0.1:\(port)")
            let account = try Sandbox.contents(of: sandbox.path("Alice/account"))
            try await fail(silent, with: 69, saying: "no answer from 127.0.0.1:\(port)")
            let nameless = try await call(sandbox, Self.nobody, "--bootstrap", "nobody.invalid")
            try await fail(nameless, with: 69, saying: "nobody.invalid")
            try await fail(
                ["dht", "get", "key", "--bind", "127.0.0.1", "--bootstrap", "nobody.invalid"], with: 69,
                saying: "nobody.invalid")
            #expect(try Sandbox.contents(of: sandbox.path("Alice/account")) == account)
        }

        @Test("An id nobody has is not found")
        func unknownID() async throws {
            let network = try await LoopbackNetwork.start()
            let state = try await network.sandbox.state(of: .alice)
            let account = try Sandbox.contents(of: state + "/account")
            try await fail(
                ["call", "--state", state, Self.nobody, "--silent"] + network.options, with: 12, saying: "check the id")
            #expect(try Sandbox.contents(of: state + "/account") == account)
        }
    }
}
