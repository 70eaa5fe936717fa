import ArgumentParser
import AudioDevices

/// `swiftlet devices`: the names `--play device:NAME` and `--record device:NAME` take.
struct DevicesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices", abstract: "List microphones and loudspeakers by the names calls take.")

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.run {
            let devices = AudioDevice.all()
            for device in devices { show(device) }
            for direction in AudioDevice.Direction.allCases
            where !devices.contains(where: { $0.defaultFor.contains(direction) }) {
                let option = direction == .capture ? "--play" : "--record"
                if !global.json {
                    global.printer.note("no \(direction.word) is used unless one is named with \(option) device:NAME")
                }
            }
        }
    }

    private func show(_ device: AudioDevice) {
        let uses = AudioDevice.Direction.allCases.filter(device.directions.contains).map { direction in
            device.defaultFor.contains(direction) ? "\(direction.word) (used by default)" : direction.word
        }
        let summary = Printer.printable(device.summary)
        global.printer.event(
            "device",
            [
                ("name", .text(device.name)), ("description", .text(device.summary)),
                ("capture", .flag(device.directions.contains(.capture))),
                ("playback", .flag(device.directions.contains(.playback))),
                ("defaultCapture", .flag(device.defaultFor.contains(.capture))),
                ("defaultPlayback", .flag(device.defaultFor.contains(.playback))),
            ],
            line: "\(Printer.printable(device.name))\n    \(uses.joined(separator: ", "))"
                + (summary.isEmpty ? "" : ": \(summary)"))
    }
}
