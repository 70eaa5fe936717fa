import ArgumentParser

/// The command line of Swiftlet: argument parsing and printing, nothing else.
@main
struct SwiftletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swiftlet",
        abstract: "Calls between people who know each other's id, with no server in the middle.",
        discussion: """
            Exit codes: 0 done; 1 the sounds differ; 10 declined; 11 not answered; 12 nobody of that id is online; \
            13 no way to the peer; 14 the peer is not who it must be; 15 the connection was lost; 16 no media; \
            17 cancelled; 64 wrong usage; 65 a file is not what it must be; 66 a file cannot be read; 69 the network \
            does not answer; 70 a fault of ours; 71 a port or address cannot be had; 72 a sound device cannot be used; \
            73 something cannot be written; 77 a password is missing or wrong; 78 no account.
            """,
        version: "0.1.0",
        subcommands: [
            AccountCommand.self, ContactCommand.self, ListenCommand.self, CallCommand.self, MessageCommand.self,
            DHTCommand.self, NetworkCheckCommand.self, DevicesCommand.self, CompareCommand.self, DemoCommand.self,
        ])

    /// Parses the arguments and runs the command; wrong usage is told in one line, as every other failure.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let code as ExitCode {
            // The command has told why.
            exit(withError: code)
        } catch  where exitCode(for: error) == .validationFailure {
            let cause = message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
            Printer(isJSON: false).note("\(cause) (see swiftlet --help)")
            exit(withError: ExitStatus.usage.code)
        } catch {
            exit(withError: error)
        }
    }
}
