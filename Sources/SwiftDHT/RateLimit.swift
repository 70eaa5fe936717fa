internal import SansIO

/// Where requests are counted together: an IPv4 address, or the /64 of an IPv6 address.
struct SourceGroup: Hashable, Sendable {
    private let family: IPAddress.Family
    private let prefix: UInt64

    init(_ address: IPAddress) {
        family = address.family
        prefix =
            switch address {
            case .v4(let word): UInt64(word)
            case .v6(let high, _): high
            }
    }
}

/// Counts requests per second, of each source and of all together.
struct RateLimit: Sendable {
    private struct Window {
        var start: Instant
        var count: Int

        /// Counts one request; `false` when the second is used up.
        mutating func admit(limit: Int, at now: Instant) -> Bool {
            if start.duration(to: now) >= .seconds(1) { (start, count) = (now, 0) }
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    private var total = Window(start: .zero, count: 0)
    private var sources: [SourceGroup: Window] = [:]

    /// Whether a request from `address` may be served now.
    mutating func admit(_ address: IPAddress, configuration: Configuration, at now: Instant) -> Bool {
        guard configuration.limitsRequestRate else { return true }
        let group = SourceGroup(address)
        if sources[group] == nil, sources.count >= configuration.rateSourceLimit { forgetIdle(at: now) }
        guard sources[group] != nil || sources.count < configuration.rateSourceLimit else { return false }
        guard
            sources[group, default: Window(start: now, count: 0)].admit(
                limit: configuration.requestsPerSource, at: now)
        else { return false }
        return total.admit(limit: configuration.requestsPerSecond, at: now)
    }

    /// Forgets sources that were quiet for a second.
    mutating func forgetIdle(at now: Instant) {
        sources = sources.filter { $0.value.start.duration(to: now) < .seconds(1) }
    }
}
