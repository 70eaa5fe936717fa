import ArgumentParser
import AudioDevices
import AudioFiles
import Foundation

/// Where the sound of a call comes from and goes to.
struct SoundOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What the peer hears: a sound file, once; or 'device', the microphone, or 'device:NAME'.",
            discussion: """
                Without --play, --record and --silent, the microphone and the loudspeaker are used where there are any. \
                See swiftlet devices for their names; a file of the name device is ./device.
                """, valueName: "file|device"))
    var play: SoundPlace?

    @Option(
        help: ArgumentHelp(
            "Where the peer is heard: a WAV file, made new; or 'device', the loudspeaker, or 'device:NAME'.",
            valueName: "file|device"))
    var record: SoundPlace?

    @Flag(help: "Use no microphone and no loudspeaker but those named.")
    var silent = false

    /// Reads and checks files and devices before anything happens on the network.
    func plan(_ printer: Printer) throws -> SoundPlan {
        guard play == nil, record == nil, !silent else {
            return SoundPlan(source: try source(), sink: try sink())
        }
        let microphone = AudioDevice.defaultName(for: .capture)
        let loudspeaker = AudioDevice.defaultName(for: .playback)
        if microphone == nil || loudspeaker == nil {
            Self.tellMissing(microphone: microphone == nil, loudspeaker: loudspeaker == nil, printer)
        }
        return SoundPlan(
            source: microphone.map(SoundPlan.Source.device) ?? .silence,
            sink: loudspeaker.map(SoundPlan.Sink.device) ?? .nowhere)
    }

    private static func tellMissing(microphone: Bool, loudspeaker: Bool, _ printer: Printer) {
        let what =
            switch (microphone, loudspeaker) {
            case (true, true): "microphone and no loudspeaker"
            case (true, false): "microphone"
            default: "loudspeaker"
            }
        printer.event(
            "no-sound-device", [("microphone", .flag(!microphone)), ("loudspeaker", .flag(!loudspeaker))],
            line:
                "no \(what) found, so there is silence instead; plug one in or start your sound server, name a device "
                + "that swiftlet devices lists, or use files (--play, --record)")
    }

    private func source() throws -> SoundPlan.Source {
        switch play {
        case nil: return .silence
        case .device(let name): return .device(try Self.device(name, .capture))
        case .file(let path):
            do throws(AudioFileError) { return .samples(try AudioFileReader.samples(ofFileAt: path)) } catch {
                throw Failure(error, path: path)
            }
        }
    }

    private func sink() throws -> SoundPlan.Sink {
        switch record {
        case nil: return .nowhere
        case .device(let name): return .device(try Self.device(name, .playback))
        case .file(let path):
            guard Self.canWrite(path) else {
                throw Failure(.cannotCreate, "cannot write \(path); check the folder and its permissions")
            }
            return .file(path)
        }
    }

    /// The device of that name, or the default one, provided that it can be used.
    private static func device(_ name: String?, _ direction: AudioDevice.Direction) throws -> String {
        guard let name = name ?? AudioDevice.defaultName(for: direction) else {
            throw Failure(.noDevice, "there is no \(direction.word); plug one in, or see swiftlet devices")
        }
        do throws(DeviceError) { try AudioDevice.check(name, for: direction) } catch {
            throw Failure(
                .noDevice,
                "the \(direction.word) \(Printer.printable(name)) \(error.words); swiftlet devices lists what there is")
        }
        return name
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
            self.init(.badFile, "\(path) is not a sound file that can be played; WAV, FLAC, Ogg and AIFF can")
        case .empty: self.init(.badFile, "\(path) holds no sound; choose another file")
        case .tooLong(let limit): self.init(.badFile, "\(path) is longer than \(limit) s; cut it first")
        case .notWritable, .incompleteWrite, .closed:
            self.init(.cannotCreate, "\(path) cannot be written; check the folder, its permissions and the free space")
        }
    }
}
