internal import SansIO

/// How long answers take, and from when on one is overdue (RFC 6298 §2, §5).
struct RoundTrip: Sendable {
    /// Doublings of the wait; more would exceed any longest wait.
    private static let backoffLimit = 6
    /// The longest time of an answer that is told from a longer one, in nanoseconds: an hour.
    private static let sampleLimit: Int64 = 3600 * 1_000_000_000

    /// The smoothed time in nanoseconds; negative before the first sample.
    ///
    /// Bare integers, since every answer brings a sample, and products of durations take a hundred times as long.
    private var mean: Int64 = -1
    /// How much samples differ from it, in nanoseconds.
    private var variation: Int64 = 0
    private var backoff = 0

    /// The smoothed time; `nil` before the first sample.
    var smoothed: Duration? { mean < 0 ? nil : .nanoseconds(mean) }

    /// Adds the time an answer took to a request that was sent once (Karn: others say nothing).
    mutating func add(_ sample: Duration) {
        backoff = 0
        let sample = min(max(sample.nanoseconds, 0), Self.sampleLimit)
        guard mean >= 0 else { return (mean, variation) = (sample, sample / 2) }
        variation = (variation * 3 + abs(sample - mean)) / 4
        mean = (mean * 7 + sample) / 8
    }

    /// An answer was overdue: the next one is given twice the time, until there is a sample again.
    mutating func missed() { backoff = min(backoff + 1, Self.backoffLimit) }

    /// The wait for an answer, not yet limited; `others` says what is usual for nodes without samples.
    func wait(otherwise others: RoundTrip, initially initial: Duration) -> Duration {
        let usual = usual ?? others.usual ?? min(max(initial.nanoseconds, 0), Self.sampleLimit)
        return .nanoseconds(usual << Int64(backoff))
    }

    private var usual: Int64? { mean < 0 ? nil : mean + variation * 4 }
}
