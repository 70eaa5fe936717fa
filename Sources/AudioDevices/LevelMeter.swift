internal import EventLoop

/// Measures how loud sound is; samples and questions may come from different threads.
public final class LevelMeter: Sendable {
    /// What silence measures, in dBFS.
    public static let floor = Loudness.floor

    private let loudness = Locked(Loudness())

    /// Starts with nothing heard.
    public init() {}

    /// Adds samples; never blocks for long.
    public func add(_ samples: [Int16]) { loudness.with { $0.add(samples) } }

    /// The level of what was added since the last question, in dBFS (a sine of full scale has 0); `nil` when nothing was.
    public func take() -> Double? {
        loudness.with { loudness in
            defer { loudness = Loudness() }
            return loudness.decibel
        }
    }
}
