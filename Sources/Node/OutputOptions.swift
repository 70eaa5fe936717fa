import ArgumentParser
import Logging

/// How a command tells what happens.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON event a line on standard output, and nothing else there.")
    var json = false

    @Option(help: "How much to log on standard error: trace, debug, info, notice, warning, error or critical.")
    var logLevel: String = "warning"

    var printer: Printer { Printer(isJSON: json) }

    var logger: Logger {
        var logger = Logger(label: "swiftlet", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .warning
        return logger
    }

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError(
                "'\(logLevel)' is no log level; use trace, debug, info, notice, warning, error or critical.")
        }
    }

    /// Runs a command's work and turns its failure into one line and a code.
    func run(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as Failure {
            printer.event(
                "error", [("code", .integer(Int(failure.status.rawValue))), ("message", .text(failure.line))])
            printer.note(failure.line)
            throw failure.status.code
        }
    }
}
