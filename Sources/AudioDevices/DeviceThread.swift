internal import EventLoop
internal import Glibc

/// The thread that serves one device, and what it shares with the call.
final class DeviceThread: Sendable {
    private struct State: Sendable {
        var buffer = ElasticBuffer()
        var isStarted = false
        var isClosing = false
        var statistics = DeviceStatistics()
    }

    /// How long a wait for the device lasts at most, so that closing is noticed.
    private static let patience: Int32 = 100
    /// After so many waits in vain the device counts as stuck.
    private static let stallLimit = 20
    /// How long after a loss the device is tried again, in naps.
    private static let napsBeforeRetry = 20
    /// One nap, in milliseconds.
    private static let nap = 50
    /// The most samples moved at once.
    private static let chunk = 960

    private let state = Locked(State())
    let events: AsyncStream<DeviceEvent>
    private let tell: AsyncStream<DeviceEvent>.Continuation
    private let name: String
    private let direction: AudioDevice.Direction

    init(_ name: String, _ direction: AudioDevice.Direction) {
        self.name = name
        self.direction = direction
        (events, tell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(16))
    }

    /// Starts the thread; a second start, or one after closing, does nothing.
    func start() {
        let isFirst = state.with { state in
            defer { state.isStarted = true }
            return !state.isStarted && !state.isClosing
        }
        guard isFirst else { return }
        do throws(Errno) {
            try SystemThread(name: "\(direction)") { self.run() }.detach()
        } catch {
            tell.yield(.lost(.failed(errno: error.rawValue)))
            tell.finish()
        }
    }

    /// Ends the thread soon; the events end when the device is closed.
    func close() {
        let isRunning = state.with { state in
            state.isClosing = true
            return state.isStarted
        }
        if !isRunning { tell.finish() }
    }

    /// Takes what the device captured, silence where there is none.
    func read(_ count: Int) -> [Int16] { state.with { $0.buffer.read(count) } }

    /// Gives the device something to play.
    func write(_ block: [Int16]) { state.with { $0.buffer.write(block) } }

    var statistics: DeviceStatistics {
        state.with { state in
            var statistics = state.statistics
            statistics.underruns = state.buffer.counts.underruns
            statistics.overruns = state.buffer.counts.overruns
            statistics.skippedSamples = state.buffer.counts.skipped
            statistics.waiting = state.buffer.level
            statistics.margin = state.buffer.margin
            statistics.correction = state.buffer.step - 1
            return statistics
        }
    }

    // MARK: - The thread

    private var isClosing: Bool { state.with(\.isClosing) }

    private func run() {
        var isLost = false
        while !isClosing {
            do throws(DeviceError) {
                var pcm = try PCM(name, direction)
                if direction == .capture { try pcm.start() }
                isLost = false
                tell.yield(.opened)
                try serve(&pcm)
            } catch {
                if !isLost {
                    state.with { state in
                        state.statistics.losses += 1
                        if direction == .playback { state.buffer.pause() }
                    }
                    tell.yield(.lost(error))
                }
                isLost = true
                rest()
            }
        }
        tell.finish()
    }

    /// Moves sound until the device fails or is closed.
    private func serve(_ pcm: inout PCM) throws(DeviceError) {
        var pace = Pace(slack: pcm.buffer)
        var waits = 0
        let before = state.with(\.statistics.interruptions)
        while !isClosing {
            guard try pcm.wait(milliseconds: Self.patience) else {
                waits += 1
                guard waits < Self.stallLimit else { throw .stalled }
                continue
            }
            waits = 0
            let moved = try move(&pcm)
            let (delay, recoveries) = (pcm.delay(), pcm.recoveries)
            state.with { state in
                state.statistics.deviceDelay = delay
                state.statistics.interruptions = before + recoveries
            }
            // A device that is ready and yet moves nothing would keep the processor busy.
            if moved == 0 { Pace.sleep(milliseconds: 1) } else { pace.moved(moved) }
        }
    }

    /// Moves what can be moved now; returns how many samples.
    private func move(_ pcm: inout PCM) throws(DeviceError) -> Int {
        let count = min(try pcm.available(), Self.chunk)
        guard count > 0 else { return 0 }
        switch direction {
        case .capture:
            let samples = try pcm.read(limit: count)
            write(samples)
            return samples.count
        case .playback:
            let samples = read(count)
            var rest = samples[...]
            while !rest.isEmpty {
                let taken = try pcm.write(rest)
                guard taken > 0 else { break }
                rest = rest.dropFirst(taken)
            }
            return samples.count - rest.count
        }
    }

    private func rest() {
        for _ in 0..<Self.napsBeforeRetry where !isClosing { Pace.sleep(milliseconds: Self.nap) }
    }
}
