import Foundation
import Testing

extension ProcessTests {
    @Suite struct MessageTests {
        @Test("A text outside calls is delivered, in either direction")
        func bothDirections() async throws {
            let network = try await LoopbackNetwork.start()
            for (sender, receiver) in [(Person.alice, Person.bob), (.bob, .alice)] {
                let sandbox = try Sandbox()
                let text = "Grüße, \"quoted\"\nand on two lines"
                let listener = try await network.listen(as: receiver, state: try await sandbox.state(of: receiver))
                let state = try await sandbox.state(of: sender)
                let process = try SwiftletProcess(
                    ["message", "--state", state, try await receiver.id, text] + network.options)
                #expect(try await process.exitCode() == 0)
                #expect(process.events.contains { $0.name == "delivered" })
                let message = try await listener.event("message")
                #expect(message["text"] == text)
                #expect(message["from"] == (try await sender.id))
                listener.interrupt()
                #expect(try await listener.exitCode() == 0)
            }
        }
    }
}
