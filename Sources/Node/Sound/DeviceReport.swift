import AudioDevices
import SansIO
import Swiftlet

/// Prints what happens to a sound device in a call.
struct DeviceReport {
    let printer: Printer
    let call: CallID
    let direction: AudioDevice.Direction
    let name: String

    private var facts: [(String, Printer.Fact)] {
        [("call", .integer(Int(call.rawValue))), ("direction", .text(direction.rawValue)), ("name", .text(name))]
    }

    func print(_ event: DeviceEvent, wasLost: Bool) {
        let device = "the \(direction.word) \(Printer.printable(name))"
        switch event {
        case .opened:
            printer.event("sound-opened", facts, line: wasLost ? "\(device) works again" : nil)
        case .lost(let error):
            printer.event(
                "sound-lost", facts + [("reason", .text(error.name))],
                line: "\(device) \(error.words); it is tried again every second")
        }
    }

    func print(_ statistics: DeviceStatistics) {
        printer.event(
            "sound-statistics",
            facts + [
                ("interruptions", .integer(statistics.interruptions)), ("underruns", .integer(statistics.underruns)),
                ("overruns", .integer(statistics.overruns)),
                ("skippedMs", .number(Self.time(statistics.skippedSamples))),
                ("losses", .integer(statistics.losses)), ("deviceDelayMs", .number(Self.time(statistics.deviceDelay))),
                ("waitingMs", .number(Self.time(statistics.waiting))),
                ("marginMs", .number(Self.time(statistics.margin))),
                ("correctionPpm", .number(statistics.correction * 1e6)),
            ])
    }

    private static func time(_ samples: Int) -> Double { Double(samples) / 48 }
}

extension DeviceError {
    /// The name in JSON events.
    var name: String {
        switch self {
        case .notFound: "not-found"
        case .busy: "busy"
        case .notPermitted: "not-permitted"
        case .noServer: "no-server"
        case .unsupportedFormat: "unsupported-format"
        case .stalled: "stalled"
        case .failed(let number): "errno-\(number)"
        }
    }
}
