import ArgumentParser
import AudioFiles
import MediaRTP

/// `swiftlet compare`: judge a recording of a call.
struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Tell whether a recording holds the speech that was played.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The sound file that was played.")
    var played: String

    @Argument(help: "The recording of it.")
    var recording: String

    func run() async throws {
        try await global.run {
            let comparison = AudioComparison(sent: try Self.read(played), received: try Self.read(recording))
            let share = Int((comparison.foundShare * 100).rounded())
            let distance = (comparison.spectralDistance * 10).rounded() / 10
            global.printer.event(
                "compared",
                [
                    ("same", .flag(comparison.isSame)), ("foundPercent", .integer(share)),
                    ("distanceDecibel", .number(comparison.spectralDistance)),
                ],
                line: "\(share) % of the speech found, \(distance) dB apart")
            guard comparison.isSame else {
                throw Failure(.different, "\(recording) does not hold what \(played) does")
            }
        }
    }

    private static func read(_ path: String) throws -> [Int16] {
        do throws(AudioFileError) { return try AudioFileReader.samples(ofFileAt: path) } catch {
            throw Failure(error, path: path)
        }
    }
}
