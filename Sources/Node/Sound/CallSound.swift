import AudioDevices
import SansIO
import Swiftlet

/// The sound of one call: its devices while it lasts, and how loud both sides are.
actor CallSound {
    /// How long a device may take to close.
    private static let patience = Duration.seconds(1)

    /// What the call is given.
    nonisolated let audio: Audio
    private let printer: Printer
    private let microphone: (name: String, capture: Capture)?
    private let loudspeaker: (name: String, playback: Playback)?
    private let levels: LevelReport
    private var call: CallID?
    private var ending: Task<Void, Never>?
    private var watchers: [Task<Void, Never>] = []
    private var ticker: Task<Void, Never>?

    /// Devices stay closed until the call begins.
    init(_ plan: SoundPlan, printer: Printer) {
        self.printer = printer
        let levels = LevelReport(printer: printer)
        self.levels = levels
        var audio = Audio()
        switch plan.source {
        case .silence: microphone = nil
        case .samples(let samples): (microphone, audio.input) = (nil, .samples(samples))
        case .device(let name):
            let capture = Capture(device: name)
            (microphone, audio.input) = ((name, capture), .blocks { capture.nextBlock() })
        }
        switch plan.sink {
        case .nowhere: loudspeaker = nil
        case .file(let path): (loudspeaker, audio.output) = (nil, .file(path))
        case .device(let name):
            let playback = Playback(device: name)
            (loudspeaker, audio.output) = ((name, playback), .blocks { playback.play($0) })
        }
        audio.observer = { levels.add(sent: $0, heard: $1) }
        self.audio = audio
    }

    /// Opens the devices and shows levels from now on; does nothing after ``end()``.
    func begin(_ call: CallID) {
        guard ending == nil, self.call == nil else { return }
        self.call = call
        if let (name, capture) = microphone {
            watch(DeviceReport(printer: printer, call: call, direction: .capture, name: name), capture.events)
            capture.start()
        }
        if let (name, playback) = loudspeaker {
            watch(DeviceReport(printer: printer, call: call, direction: .playback, name: name), playback.events)
            playback.start()
        }
        ticker = levels.start(call)
    }

    /// Closes the devices, and returns when they are closed.
    func end() async {
        let ending = ending ?? Task { await close() }
        self.ending = ending
        await ending.value
    }

    /// Closes the devices and tells how they did.
    private func close() async {
        ticker?.cancel()
        microphone?.capture.close()
        loudspeaker?.playback.close()
        let watchers = watchers
        let timeout = Task {
            try? await Task.sleep(for: Self.patience)
            for watcher in watchers { watcher.cancel() }
        }
        for watcher in watchers { await watcher.value }
        timeout.cancel()
        await ticker?.value
        guard let call else { return }
        if let (name, capture) = microphone {
            DeviceReport(printer: printer, call: call, direction: .capture, name: name).print(capture.statistics)
        }
        if let (name, playback) = loudspeaker {
            DeviceReport(printer: printer, call: call, direction: .playback, name: name).print(playback.statistics)
        }
    }

    /// Prints what happens to a device until it is closed.
    private func watch(_ report: DeviceReport, _ events: AsyncStream<DeviceEvent>) {
        watchers.append(
            Task {
                var isLost = false
                for await event in events {
                    report.print(event, wasLost: isLost)
                    isLost = event != .opened
                }
            })
    }
}
