import Foundation
import TestVectors
import Testing

extension ProcessTests {
    /// Accounts that move between Jami and a state folder.
    @Suite struct ArchiveTests {
        private static let vectors = TestVectors.folder.appending(path: "jami/account")
        private static let plain = vectors.appending(path: "exported-archive.gz").path
        private static let sealed = vectors.appending(path: "passworded-archive.bin").path
        private static let plainID = "7ddef314a1fbd6aff75719e77cfecf08fae2397c"

        /// Runs `account import` or `account export`, and returns its code and itself.
        private func run(
            _ command: String, _ file: String, _ state: String, _ options: [String] = [],
            input: FileHandle = .nullDevice
        ) async throws -> (code: Int32, process: SwiftletProcess) {
            let arguments = ["account", command, file, "--state", state, "--json"] + options
            let process = try SwiftletProcess(arguments, input: input)
            return (try await process.exitCode(), process)
        }

        private func permissions(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }

        @Test("An account moves in from Jami, out again, and into another folder")
        func thereAndBack() async throws {
            let sandbox = try Sandbox()
            let (first, second, copy) = (sandbox.path("first"), sandbox.path("second"), sandbox.path("copy.gz"))
            let (code, process) = try await run("import", Self.plain, first, ["--name", "unused"])
            #expect(code == 0)
            let imported = try await process.event("account-imported")
            #expect(imported["account"] == Self.plainID && imported["name"] == "dora")
            #expect(imported.number("contacts") == 2)
            let show = try SwiftletProcess(["account", "show", "--json", "--state", first])
            #expect(try await show.event("account")["device"] == imported["device"])

            let export = try await run("export", copy, first)
            #expect(export.code == 0)
            #expect(try await export.process.event("account-exported")["file"] == copy)
            #expect(export.process.errorLines.contains { $0.contains("has no password") })
            #expect(try permissions(copy) == 0o600)

            let again = try await run("import", copy, second)
            let moved = try await again.process.event("account-imported")
            #expect(moved["account"] == Self.plainID && moved["name"] == "dora")
            #expect(moved.number("contacts") == 2)
            #expect(moved["device"].count == 40 && moved["device"] != imported["device"])
        }

        @Test("Nothing that exists is replaced: no account by an import, no file by an export")
        func nothingIsReplaced() async throws {
            let sandbox = try Sandbox()
            let state = try await sandbox.state(of: .alice)
            let file = try sandbox.write([1, 2, 3], to: "taken.gz")
            let before = try Sandbox.contents(of: sandbox.folder.path)
            #expect(try await run("import", Self.plain, state).code == 73)
            #expect(try await run("export", file, state).code == 73)
            #expect(try await run("export", sandbox.path("none/there.gz"), state).code == 73)
            #expect(try await run("export", sandbox.path("new.gz"), sandbox.path("nobody")).code == 78)
            #expect(try Sandbox.contents(of: sandbox.folder.path) == before)
        }

        @Test("A password comes from a file or standard input, and a wrong or missing one is told")
        func passwords() async throws {
            let sandbox = try Sandbox()
            let right = try sandbox.write(Array("test123\nand more\n".utf8), to: "right")
            let wrong = try sandbox.write(Array("test124".utf8), to: "wrong")
            let empty = try sandbox.write([0x0A], to: "empty")
            let state = sandbox.path("state")
            let table: [(options: [String], code: Int32, words: String)] = [
                ([], 77, "--password-file"), (["--password-file", wrong], 77, "does not open"),
                (["--password-file", empty], 64, "password"), (["--password-stdin"], 64, "password"),
                (["--password-file", right, "--password-stdin"], 64, "exclude"),
                (["--password-file", sandbox.path("missing")], 66, "does not exist"),
            ]
            for row in table {
                let (code, process) = try await run("import", Self.sealed, state, row.options)
                #expect(code == row.code, "\(row)")
                #expect(process.errorLines.contains { $0.contains(row.words) }, "\(row): \(process.errorLines)")
                #expect(!FileManager.default.fileExists(atPath: state))
            }
            let (code, process) = try await run("import", Self.sealed, state, ["--password-file", right])
            #expect(code == 0)
            let id = try await process.event("account-imported")["account"]

            let copy = sandbox.path("copy")
            let export = try await run("export", copy, state, ["--password-file", wrong])
            #expect(export.code == 0 && !export.process.errorLines.contains { $0.contains("has no password") })
            let pipe = Pipe()
            // Left open: the line is enough.
            try pipe.fileHandleForWriting.write(contentsOf: Data("test124\nmore".utf8))
            let again = try await run(
                "import", copy, sandbox.path("again"), ["--password-stdin"], input: pipe.fileHandleForReading)
            #expect(again.code == 0)
            #expect(try await again.process.event("account-imported")["account"] == id)
        }

        @Test("On a terminal the password is asked for, and not shown")
        func terminal() async throws {
            let sandbox = try Sandbox()
            let terminal = try #require(PseudoTerminal())
            let arguments = ["account", "import", Self.sealed, "--state", sandbox.path("state"), "--json"]
            let process = try SwiftletProcess(arguments, input: terminal.user)
            try await terminal.waitUntilQuiet()
            // A slip of the finger, taken back.
            terminal.type("tesé\u{7F}t123\n")
            #expect(try await process.exitCode() == 0, "\(process.errorLines)")
            #expect(try await process.event("account-imported")["account"].count == 40)
            #expect(terminal.shown().isEmpty)
        }

        @Test("Ctrl-C at the question ends the command and leaves the terminal as it was")
        func interruptedQuestion() async throws {
            let sandbox = try Sandbox()
            let terminal = try #require(PseudoTerminal())
            let arguments = ["account", "import", Self.sealed, "--state", sandbox.path("state")]
            let process = try SwiftletProcess(arguments, input: terminal.user)
            try await terminal.waitUntilQuiet()
            terminal.type("test\u{3}")
            #expect(try await process.exitCode() == 17)
            #expect(terminal.showsWhatIsTyped)
            #expect(!FileManager.default.fileExists(atPath: sandbox.path("state")))
        }

        @Test("Files that are no archive are called so, and change nothing")
        func strangers() async throws {
            let sandbox = try Sandbox()
            let archive = try TestVectors.bytes("jami/account/exported-archive.gz")
            var changed = archive
            changed[changed.count / 2] ^= 1
            let table: [(file: String, code: Int32)] = [
                (sandbox.path("missing.gz"), 66), (sandbox.folder.path, 66),
                (try sandbox.write([], to: "empty.gz"), 65),
                (try sandbox.write(Array(repeating: 0x41, count: 100), to: "text.gz"), 65),
                (try sandbox.write(Array(archive.dropLast(9)), to: "cut.gz"), 65),
                (try sandbox.write(changed, to: "changed.gz"), 65),
                (try sandbox.write([UInt8](repeating: 0, count: 5 << 20), to: "large.gz"), 65),
            ]
            for row in table {
                let (code, process) = try await run("import", row.file, sandbox.path("state"))
                #expect(code == row.code, "\(row.file)")
                #expect(process.events.map(\.name) == ["error"] && process.errorLines.count == 1)
            }
            #expect(!FileManager.default.fileExists(atPath: sandbox.path("state")))
        }
    }
}
