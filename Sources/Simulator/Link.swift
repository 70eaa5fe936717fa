internal import SansIO

/// How the way between two hosts behaves.
package struct Link: Hashable, Sendable {
    /// The range the way's own delay is drawn from, once for each two hosts.
    package var delay: ClosedRange<Duration>
    /// How much longer a datagram may take; what is more than the time between two datagrams reorders them.
    package var jitter: Duration
    /// How many datagrams of a hundred are lost.
    package var lossPercent: Int
    /// How many datagrams of a hundred arrive twice.
    package var duplicatePercent: Int

    /// Describes a way; without arguments a good one.
    package init(
        delay: ClosedRange<Duration> = .milliseconds(1)...(.milliseconds(20)), jitter: Duration = .milliseconds(2),
        lossPercent: Int = 0, duplicatePercent: Int = 0
    ) {
        self.delay = delay
        self.jitter = jitter
        self.lossPercent = lossPercent
        self.duplicatePercent = duplicatePercent
    }
}

/// Two hosts, in whatever order.
struct Path: Hashable {
    let lower: HostID
    let upper: HostID

    init(_ one: HostID, _ other: HostID) { (lower, upper) = (min(one, other), max(one, other)) }
}
