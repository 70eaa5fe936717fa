internal import Digests
internal import SansIO

/// Numbers that nobody can foretell: a keyed code of a counter.
///
/// Two are drawn for every request. The operating system's generator takes about a microsecond for each, as long as all
/// else that a request costs.
struct RandomNumbers: Sendable {
    private let code: SipHash
    private var count: UInt64 = 0

    init(random: inout RandomSource) { code = SipHash(key: random.next(), random.next()) }

    /// The next number.
    mutating func next() -> UInt64 {
        count += 1
        return code.code(count)
    }

    /// A duration from zero to `limit`, uniform to the nanosecond; zero when there is no room.
    mutating func duration(upTo limit: Duration) -> Duration {
        let width = UInt64(max(limit.nanoseconds, 0)) + 1
        return .nanoseconds(width.multipliedFullWidth(by: next()).high)
    }
}
