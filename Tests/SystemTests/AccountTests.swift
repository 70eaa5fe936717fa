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
