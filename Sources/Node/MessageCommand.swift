import ArgumentParser
import Swiftlet

/// `swiftlet message`: send one text and end.
struct MessageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "message", abstract: "Send a text to an account; done once one of its devices took it.")

    @OptionGroup var global: GlobalOptions

    @Argument(
        help: ArgumentHelp("The account's id, 40 hexadecimal digits.", valueName: "id"),
        transform: AccountArgument.parse)
    var peer: AccountArgument

    @Argument(help: "The text.")
    var text: String

    func run() async throws {
        try await global.run {
            let node = try await global.startNode()
            let outcome: MessageOutcome
            do throws(NodeError) { outcome = try await node.send(text, to: peer.id) } catch { throw Failure(error) }
            await node.close()
            switch outcome {
            case .delivered: global.printer.event("delivered", line: "delivered")
            case .failed(let why): throw Failure(why.status ?? .connectionLost, why.line)
            }
        }
    }
}
