import ArgumentParser
import AudioFiles
import Foundation
import Swiftlet

/// Where the sound of a call comes from and goes to.
struct SoundOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A sound file to play to the peer, once.", valueName: "file"))
    var play: String?

    @Option(help: ArgumentHelp("A WAV file to record the peer to; made new.", valueName: "file"))
    var record: String?

    /// Reads and checks the files before anything happens on the network.
    func audio() throws -> Audio {
        Audio(input: try input(), output: try output())
    }

    private func input() throws -> Audio.Input {
        guard let play else { return .silence }
        do throws(AudioFileError) { return .samples(try AudioFileReader.samples(ofFileAt: play)) } catch {
            throw Failure(error, path: play)
        }
    }

    private func output() throws -> Audio.Output {
        guard let record else { return .discard }
        guard Self.canWrite(record) else {
            throw Failure(.cannotCreate, "cannot write \(record); check the folder and its permissions")
        }
        return .file(record)
    }

    /// Tries to open the file, as permissions alone do not tell; leaves what is there as it was.
    private static func canWrite(_ path: String) -> Bool {
        let isNew = !FileManager.default.fileExists(atPath: path)
        // The path's C string lives through both calls.
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        if isNew { unsafe unlink(path) }
        return true
    }
}

extension Failure {
    init(_ error: AudioFileError, path: String) {
        switch error {
        case .notFound: self.init(.noInput, "\(path) does not exist; check the path")
        case .notReadable: self.init(.noInput, "\(path) cannot be read; check its permissions")
        case .notAudio, .unsupportedRate:
            self.init(.notAudio, "\(path) is not a sound file that can be played; WAV, FLAC, Ogg and AIFF can")
        case .empty: self.init(.notAudio, "\(path) holds no sound; choose another file")
        case .tooLong(let limit): self.init(.notAudio, "\(path) is longer than \(limit) s; cut it first")
        case .notWritable, .incompleteWrite, .closed:
            self.init(.cannotCreate, "\(path) cannot be written; check the folder, its permissions and the free space")
        }
    }
}
