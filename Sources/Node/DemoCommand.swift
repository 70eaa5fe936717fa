import ArgumentParser
import Foundation
import Swiftlet

/// `swiftlet demo`: a real call between three processes of this machine, watched and judged.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Make a real call between three processes of this machine: a DHT node, Bob and Alice.",
        discussion: """
            Alice knows only Bob's id. Both speak with recorded voices at once. Ends non-zero, with a reason, when \
            anything is not as it should be.
            """)

    @Option(
        help: ArgumentHelp("Do without this transport for the control channel: tcp or udp.", valueName: "transport"))
    var without: CallCommand.Transport?

    @Flag(help: "Bob declines the call.")
    var decline = false

    @Flag(help: "Alice gives up while it rings.")
    var cancel = false

    @Option(
        help: ArgumentHelp(
            "Keep identities and recordings in this folder. (default: a temporary one)", valueName: "dir"))
    var state: String?

    func validate() throws {
        if decline, cancel { throw ValidationError("choose one of --decline and --cancel") }
    }

    func run() async throws {
        let folder = state.map { URL(filePath: $0, directoryHint: .isDirectory) } ?? Self.temporaryFolder()
        defer { if state == nil { try? FileManager.default.removeItem(at: folder) } }
        let ending: Demo.Ending = decline ? .declined : cancel ? .cancelled : .talked
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let demo = try Demo(folder: folder, ending: ending, without: without?.rawValue)
            do { try await demo.run() } catch {
                try? FileHandle.standardError.write(contentsOf: Data(await demo.logs().utf8))
                throw error
            }
        } catch let failure as Failure {
            Printer(isJSON: false).note(failure.line)
            throw failure.status.code
        } catch {
            Printer(isJSON: false).note("the demo could not run: \(error.localizedDescription)")
            throw ExitStatus.fault.code
        }
    }

    private static func temporaryFolder() -> URL {
        FileManager.default.temporaryDirectory.appending(path: "swiftlet-demo-\(UUID().uuidString)")
    }
}
