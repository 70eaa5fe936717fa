internal import SansIO

/// Watches a gateway's clock, which goes back when it lost its mappings (RFC 6887 §8.5, RFC 6886 §3.6).
struct GatewayEpoch: Sendable {
    private var last: (seconds: UInt32, at: Instant)?

    /// Takes the epoch of an answer; returns whether the gateway forgot what it had before.
    mutating func observe(_ seconds: UInt32, at now: Instant) -> Bool {
        defer { last = (seconds, now) }
        guard let last else { return false }
        // An answer overtaken on the way may be a second older.
        let served = Int64(seconds) - Int64(last.seconds)
        guard served >= -1 else { return true }
        let passed = last.at.duration(to: now).nanoseconds / 1_000_000_000
        return passed + 2 < served - served / 16 || served + 2 < passed - passed / 8
    }
}
