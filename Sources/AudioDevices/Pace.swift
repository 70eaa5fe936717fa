internal import Glibc

/// Holds a device to real time that has no clock of its own, such as `null` or one that reads a file.
struct Pace {
    /// Samples a device may be ahead of the clock for good reasons.
    private let slack: Int
    private let start = Pace.milliseconds
    private var samples = 0

    /// - Parameter slack: How many samples the device holds; it may be that much ahead.
    init(slack: Int) { self.slack = slack + PCM.rate / 10 }

    /// Notes that samples were moved, and sleeps when they came faster than time passes.
    mutating func moved(_ count: Int) {
        samples += count
        let ahead = (samples - slack) * 1000 / PCM.rate - (Self.milliseconds - start)
        if ahead > 0 { Self.sleep(milliseconds: ahead) }
    }

    /// Sleeps, or less where a signal comes.
    static func sleep(milliseconds: Int) {
        var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        // The structure lives across the call.
        unsafe nanosleep(&time, nil)
    }

    private static var milliseconds: Int {
        var time = timespec()
        // The structure lives across the call.
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
