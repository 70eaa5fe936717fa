import Foundation
import SansIO
import Testing

extension ProcessTests {
    /// `swiftlet dht` as people use it, on the loopback interface.
    @Suite struct DHTTests {
        /// Runs a command of `swiftlet dht` on a network; returns its code and itself.
        private func run(
            _ network: LoopbackNetwork, _ arguments: [String]
        ) async throws -> (code: Int32, process: SwiftletProcess) {
            let process = try SwiftletProcess(["dht"] + arguments + network.options)
            return (try await process.exitCode(), process)
        }

        @Test("A value is put, found by what it is, and listened for")
        func putGetListen() async throws {
            let network = try await LoopbackNetwork.start()
            let listen = try SwiftletProcess(
                ["dht", "listen", "place", "--where", "utype=text/plain"] + network.options)
            // The SHA-1 of the text.
            #expect(try await listen.event("key")["key"] == "9da8f1fa7d3a9fd015ae3c831a765e25ae03e4d7")
            let (code, put) = try await run(network, ["put", "place", "hello", "--id", "beef", "--type", "3"])
            #expect(code == 0)
            #expect(try await put.event("put")["id"] == "beef")
            #expect(try await listen.event("value")["text"] == "hello")
            listen.interrupt()
            #expect(try await listen.exitCode() == 0)

            let (found, get) = try await run(
                network, ["get", "place", "--where", "id=beef", "--select", "seq", "--select", "text"])
            #expect(found == 0)
            let value = try await get.event("value")
            #expect(value["text"] == "hello" && value["data"].isEmpty)
            let (told, query) = try await run(
                network, ["get", "place", "--where", "id=beef", "--select", "type", "--select", "utype"])
            #expect(told == 0)
            let row = try await query.event("value")
            #expect(row.number("type") == 3 && row["utype"] == "text/plain" && row["id"].isEmpty && row["data"].isEmpty)
            #expect(try await query.event("finished").number("nodes") > 0)
            let (_, other) = try await run(network, ["get", "place", "--where", "type=0"])
            #expect(!other.events.contains { $0.name == "value" })
            let file = try network.sandbox.write([0xFF, 0, 1], to: "bytes")
            #expect(try await run(network, ["put", "bytes", "--file", file]).code == 0)
            let bytes = try await run(network, ["get", "bytes"]).process.event("value")
            #expect(bytes["data"] == "ff0001" && bytes["text"].isEmpty)
        }

        @Test("An identity signs, is encrypted for, and moves with a password")
        func identities() async throws {
            let network = try await LoopbackNetwork.start()
            let sandbox = network.sandbox
            let (alice, bob, copy) = (sandbox.path("alice"), sandbox.path("bob"), sandbox.path("copy"))
            let password = try sandbox.write(Array("word\n".utf8), to: "password")
            let wrong = try sandbox.write(Array("worse\n".utf8), to: "wrong")
            for base in [alice, bob] {
                let create = try SwiftletProcess(["dht", "identity", "create", base, "--bits", "2048", "--json"])
                #expect(try await create.event("identity-created")["id"].count == 40)
                #expect(try await create.exitCode() == 0)
            }
            let export = try SwiftletProcess(
                ["dht", "identity", "export", bob, copy, "--new-password-file", password, "--json"])
            let bobID = try await export.event("identity-exported")["longID"]
            #expect(try await export.exitCode() == 0)
            for (options, code) in [
                ([], Int32(77)), (["--password-file", wrong], 77), (["--password-file", password], 0),
            ] {
                let show = try SwiftletProcess(["dht", "identity", "show", copy, "--json"] + options)
                #expect(try await show.exitCode() == code, "\(options): \(show.errorLines)")
            }
            let taken = try SwiftletProcess(["dht", "identity", "create", alice, "--bits", "2048"])
            #expect(try await taken.exitCode() == 73)

            let node = try SwiftletProcess(
                ["dht", "node", "--identity", copy, "--password-file", password] + network.options)
            try await node.event("identity")
            let listen = try SwiftletProcess(["dht", "listen", "secret", "--identity", bob] + network.options)
            try await listen.event("listening")
            // Bob's certificates are stored once his node is connected; until then he is unknown.
            var sealed = try await run(network, ["put", "secret", "psst", "--encrypt", bobID, "--identity", alice])
            for _ in 0..<20 where sealed.code == 12 {
                sealed = try await run(network, ["put", "secret", "psst", "--encrypt", bobID, "--identity", alice])
            }
            #expect(sealed.code == 0, "\(sealed.process.errorLines)")
            let value = try await listen.event("value")
            #expect(value["text"] == "psst" && value["kind"] == "decrypted")
            #expect(try await run(network, ["get", "secret"]).process.event("value")["kind"] == "encrypted")

            #expect(
                try await run(network, ["put", "signed", "one", "--sign", "--id", "1", "--identity", alice]).code == 0)
            #expect(
                try await run(network, ["put", "signed", "two", "--sign", "--id", "1", "--identity", alice]).code == 0)
            let signed = try await run(network, ["get", "signed"]).process.event("value")
            #expect(signed["text"] == "two" && signed["kind"] == "signed" && signed.number("seq") == 1)
            for process in [listen, node] {
                process.interrupt()
                #expect(try await process.exitCode() == 0)
            }
        }

        @Test("What is typed at a node is obeyed, and what it remembers survives")
        func prompt() async throws {
            let network = try await LoopbackNetwork.start()
            let state = network.sandbox.path("state")
            let pipe = Pipe()
            let node = try SwiftletProcess(
                ["dht", "node", "--interactive", "--state", state] + network.options, input: pipe.fileHandleForReading)
            func type(_ line: String) throws { try pipe.fileHandleForWriting.write(contentsOf: Data("\(line)\n".utf8)) }
            let id = try await node.event("listening")["id"]
            try await node.event("network")
            try type("listen prompt utype=text/plain")
            try type("put prompt typed in")
            #expect(try await node.event("value")["text"] == "typed in")
            try type("keep kept for good")
            try await node.event("finished") { $0.number("operation") == 3 }
            try type("query prompt id utype utype=text/plain")
            try type("query prompt text utype=nonsense")
            try type("query prompt text")
            for operation in [4.0, 5, 6] { try await node.event("finished") { $0.number("operation") == operation } }
            let found = [4.0, 5, 6].map { operation in
                node.events.filter { $0.name == "value" && $0.number("operation") == operation }
            }
            #expect(found.map(\.count) == [1, 0, 1])
            #expect(found[0].first?["utype"] == "text/plain" && found[0].first?["id"] != "")
            #expect(found[0].first?["text"] == "" && found[0].first?["kind"] == "")
            #expect(found[2].first?["text"] == "typed in" && found[2].first?["id"] == "")
            for word in ["table", "searches", "storage", "stats", "operations", "nonsense", "cancel 9"] {
                try type(word)
            }
            #expect(try await node.event("stats").number("storedValues") >= 2)
            #expect(try await node.event("refused")["message"].contains("nonsense"))
            #expect(node.events.contains { $0.name == "bucket" } && node.events.contains { $0.name == "stored" })
            try type("cancel 1")
            try await node.event("cancelled")
            try type("quit")
            #expect(try await node.exitCode() == 0)

            let again = try SwiftletProcess([
                "dht", "node", "--state", state, "--json", "--bind", "127.0.0.1", "--bootstrap", "none",
            ])
            #expect(try await again.event("listening")["id"] == id)
            // The network is entered by what was remembered.
            try await again.event("network")
            again.interrupt()
            #expect(try await again.exitCode() == 0)
        }

        @Test("A scan finds every node of a network")
        func scan() async throws {
            let network = try await LoopbackNetwork.start()
            var others: [SwiftletProcess] = []
            var ids: Set<String> = [try await network.node.event("listening")["id"]]
            for _ in 0..<3 {
                let node = try SwiftletProcess(["dht", "node"] + network.options)
                ids.insert(try await node.event("listening")["id"])
                try await node.event("network")
                others.append(node)
            }
            let (code, scan) = try await run(network, ["scan"])
            #expect(code == 0)
            #expect(Set(scan.events.filter { $0.name == "node" }.map { $0["id"] }) == ids)
            let summary = try await scan.event("scanned")
            #expect(summary.number("answering") == 4 && summary.number("silent") == 0)
        }

        @Test("Bad input is told in one line, with a code, and changes nothing")
        func badInput() async throws {
            let sandbox = try Sandbox()
            let broken = try sandbox.write([0x81, 0xA1, 0x76, 0x07], to: "broken")
            let large = try sandbox.write([UInt8](repeating: 0, count: 70_000), to: "large")
            let closed = try #require(OpenPorts.Holder()).port
            let before = try Sandbox.contents(of: sandbox.folder.path)
            let table: [(arguments: [String], code: Int32, words: String)] = [
                (["get", ""], 64, "key"), (["put", "key"], 64, "text"),
                (["put", "key", "x", "--sign"], 64, "--identity"),
                (["put", "key", String(repeating: "x", count: 65_537)], 64, "65537 bytes"),
                (["put", "key", "--file", large], 64, "65536"), (["put", "key", "x", "--id", "0"], 64, "identifier"),
                (["put", "key", "--file", sandbox.path("none")], 66, "does not exist"),
                (["get", "key", "--where", "colour=red"], 64, "condition"),
                (["put", "key", "x", "--encrypt", "abc", "--identity", large], 64, "64"),
                (["get", "key", "--identity", sandbox.path("none")], 66, "does not exist"),
                (["node", "--state", broken, "--bootstrap", "none"], 65, "broken"),
                (["node", "--state", "/proc/none/state", "--bootstrap", "none"], 73, "cannot write"),
                (["get", "key", "--state", broken], 65, "left as it is"),
                (["scan", "--bootstrap", "none"], 64, "--bootstrap"),
                (["scan", "--bootstrap", "127.0.0.1:\(closed)"], 69, "no answer from 127.0.0.1:\(closed)"),
                (["get", "key", "--bootstrap", "127.0.0.1:\(closed)"], 69, "no answer from 127.0.0.1:\(closed)"),
                (["scan", "--bootstrap", "nobody.invalid"], 69, "nobody.invalid"),
            ]
            for row in table {
                let process = try SwiftletProcess(["dht"] + row.arguments + ["--bind", "127.0.0.1"])
                #expect(try await process.exitCode() == row.code, "\(row.arguments.prefix(2)): \(process.errorLines)")
                let complaints = process.errorLines.filter { !$0.contains("joining the network") }
                #expect(complaints.count == 1, "\(complaints)")
                #expect(complaints.first?.contains(row.words) == true, "\(row.words): \(process.errorLines)")
                #expect(try Sandbox.contents(of: sandbox.folder.path) == before)
            }
        }
    }
}
