import ArgumentParser
import AudioDevices

/// A file or a device on the command line: `PATH`, `device` or `device:NAME`.
enum SoundPlace: ExpressibleByArgument {
    case file(String)
    /// A device; `nil` is the default one.
    case device(String?)

    init?(argument: String) {
        let word = "device"
        guard !argument.isEmpty, argument != word + ":" else { return nil }
        if argument == word {
            self = .device(nil)
        } else if argument.hasPrefix(word + ":") {
            self = .device(String(argument.dropFirst(word.count + 1)))
        } else {
            self = .file(argument)
        }
    }
}

extension AudioDevice.Direction {
    /// What people call a device of this direction.
    var word: String { self == .capture ? "microphone" : "loudspeaker" }
}

extension DeviceError {
    /// What follows the name of a device that does not work.
    var words: String {
        switch self {
        case .notFound: "is not there"
        case .busy: "is used by another program"
        case .notPermitted: "may not be used by you (being in the group audio may help)"
        case .noServer: "belongs to a sound server that does not run"
        case .unsupportedFormat: "cannot carry sound of 48 kHz"
        case .stalled: "moves no sound"
        case .failed(let number): "does not work (system error \(number))"
        }
    }
}
