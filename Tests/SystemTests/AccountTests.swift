import Foundation
import Testing

extension ProcessTests {
    @Suite struct AccountTests {
        @Test("An account that exists is never touched by making another")
        func createTwice() async throws {
            let sandbox = try Sandbox()
            let state = try await sandbox.state(of: .alice)
            let before = try Sandbox.contents(of: state)
            let process = try SwiftletProcess(["account", "create", "--state", state, "--name", "Mallory"])
            #expect(try await process.exitCode() == 73)
            #expect(try Sandbox.contents(of: state) == before)
            let show = try SwiftletProcess(["account", "show", "--json", "--state", state])
            #expect(try await show.event("account")["account"] == (try await Person.alice.id))
            #expect(try await show.event("account")["name"] == "Alice")
        }

        @Test("One folder has one node; what would change it meanwhile is told so, and what reads it is not")
        func lock() async throws {
            let network = try await LoopbackNetwork.start()
            let state = try await network.sandbox.state(of: .alice)
            let first = try await network.listen(as: .alice, state: state)
            let peer = String(repeating: "0123456789", count: 4)
            let table: [(arguments: [String], code: Int32)] = [
                (["listen", "--silent"], 75), (["call", peer, "--silent"], 75), (["message", peer, "hello"], 75),
                (["contact", "remove", peer], 75), (["contact", "list"], 0), (["account", "show"], 0),
            ]
            for row in table {
                let arguments = row.arguments + ["--state", state]
                let reads = ["account", "contact"].contains(row.arguments[0])
                let process = try SwiftletProcess(arguments + (reads ? [] : Array(network.options.dropFirst())))
                #expect(try await process.exitCode() == row.code, "\(row.arguments)")
                #expect(row.code == 0 || process.errorLines.last?.contains("another swiftlet runs") == true)
            }
            first.interrupt()
            #expect(try await first.exitCode() == 0)
            let next = try await network.listen(as: .alice, state: state)
            next.interrupt()
            #expect(try await next.exitCode() == 0)
        }

        @Test("Nobody else may read the keys")
        func permissions() async throws {
            let state = try await Person.alice.account.state
            for name in try FileManager.default.subpathsOfDirectory(atPath: state + "/account")
            where name.contains("key") {
                let attributes = try FileManager.default.attributesOfItem(atPath: state + "/account/" + name)
                let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0o777
                #expect(mode & 0o077 == 0, "\(name)")
            }
        }
    }
}
