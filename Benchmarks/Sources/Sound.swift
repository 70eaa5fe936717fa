import AudioDevices
import Glibc

/// How long sound is under way from the call into a loudspeaker, and from a microphone that hears it back to the call.
///
/// Uses the default devices, or those named by `SPEAKER` and `MICROPHONE`; they must hear each other, as a null sink of
/// PulseAudio and its monitor do. Both are used as a call uses them: a block of 20 ms each way every 20 ms.
func benchmarkSound() {
    guard let speaker = device("SPEAKER", .playback), let microphone = device("MICROPHONE", .capture) else {
        print("sound: no loudspeaker or no microphone")
        exit(69)
    }
    let (playback, capture) = (Playback(device: speaker), Capture(device: microphone))
    playback.start()
    capture.start()
    var heard: [Int16] = []
    var spoken: [Int] = []
    var next = Loop.now
    for tick in 0..<Loop.ticks {
        heard += capture.nextBlock()
        let isPulse = tick >= Loop.warmUp && tick % Loop.interval == 0
        if isPulse { spoken.append(tick * Capture.blockLength) }
        playback.play((0..<Capture.blockLength).map { isPulse && $0 < 48 ? ($0 % 2 == 0 ? 16_000 : -16_000) : 0 })
        next += 20_000_000
        Loop.sleep(until: next)
    }
    let delays = spoken.compactMap { place in
        heard.indices.dropFirst(place).prefix(Loop.interval * Capture.blockLength).first { abs(Int(heard[$0])) > 2_000 }
            .map { $0 - place }
    }.sorted()
    expect(delays.count >= spoken.count - 1 && !delays.isEmpty, "\(delays.count) of \(spoken.count) pulses came back")
    report("sound.loop.median", Double(delays[delays.count / 2]) / 48, "ms")
    report("sound.loop.worst", Double(delays[delays.count - 1]) / 48, "ms")
    for (name, statistics) in [("playback", playback.statistics), ("capture", capture.statistics)] {
        report("sound.\(name).device", Double(statistics.deviceDelay) / 48, "ms")
        report("sound.\(name).waiting", Double(statistics.waiting) / 48, "ms")
        report("sound.\(name).interruptions", Double(statistics.interruptions), "times")
        report("sound.\(name).underruns", Double(statistics.underruns), "times")
        report("sound.\(name).overruns", Double(statistics.overruns), "times")
    }
}

private func device(_ variable: String, _ direction: AudioDevice.Direction) -> String? {
    getenv(variable).map { String(cString: $0) } ?? AudioDevice.defaultName(for: direction)
}

/// The pace of a call.
private enum Loop {
    /// Half a minute.
    static let ticks = 1_500
    static let warmUp = 100
    /// Blocks from one pulse to the next: half a second.
    static let interval = 25

    static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    static func sleep(until instant: Int) {
        var time = timespec(tv_sec: instant / 1_000_000_000, tv_nsec: instant % 1_000_000_000)
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
