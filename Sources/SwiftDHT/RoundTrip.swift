internal import SansIO

/// How long answers take, and from when on one is overdue (RFC 6298 §2, §5).
struct RoundTrip: Sendable {
    /// Doublings of the wait; more would exceed any longest wait.
    private static let backoffLimit = 6

    /// The smoothed time; `nil` before the first sample.
    private(set) var smoothed: Duration?
    /// How much samples differ from it.
    private var variation: Duration = .zero
    private var backoff = 0

    /// Adds the time an answer took to a request that was sent once (Karn: others say nothing).
    mutating func add(_ sample: Duration) {
        backoff = 0
        guard let old = smoothed else { return (smoothed, variation) = (sample, sample / 2) }
        variation = (variation * 3 + (old < sample ? sample - old : old - sample)) / 4
        smoothed = (old * 7 + sample) / 8
    }

    /// An answer was overdue: the next one is given twice the time, until there is a sample again.
    mutating func missed() { backoff = min(backoff + 1, Self.backoffLimit) }

    /// The wait for an answer, not yet limited; `others` says what is usual for nodes without samples.
    func wait(otherwise others: RoundTrip, initially initial: Duration) -> Duration {
        (usual ?? others.usual ?? initial) * (1 << backoff)
    }

    private var usual: Duration? { smoothed.map { $0 + variation * 4 } }
}
