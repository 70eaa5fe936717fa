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

/// Counts what happens within a second.
struct SecondCount: Sendable {
    private(set) var start: Instant
    private var count = 0

    init(start: Instant = .zero) { self.start = start }

    /// Counts one more; `false` when the second is used up.
    mutating func admit(limit: Int, at now: Instant) -> Bool {
        if start.duration(to: now) >= .seconds(1) { (start, count) = (now, 0) }
        guard count < limit else { return false }
        count += 1
        return true
    }
}

/// Counts requests per second, of each source and of all together.
struct RateLimit: Sendable {
    private var total = SecondCount()
    /// What of the total went to strangers.
    private var strangers = SecondCount()
    private var sources: [SourceGroup: SecondCount] = [:]
    private var swept = Instant.zero

    /// How many sources are counted.
    var count: Int { sources.count }

    /// Whether a request from `address` may be served now; a stranger is served from a part of the total only.
    mutating func admit(
        _ address: IPAddress, isStranger: Bool = false, configuration: Configuration, at now: Instant
    ) -> Bool {
        guard configuration.limitsRequestRate else { return true }
        let group = SourceGroup(address)
        if sources[group] == nil, sources.count >= configuration.rateSourceLimit {
            // Once a second is enough: what is counted now is counted for as long.
            guard swept.duration(to: now) >= .seconds(1) else { return false }
            forgetIdle(at: now)
            guard sources.count < configuration.rateSourceLimit else { return false }
        }
        guard
            sources[group, default: SecondCount(start: now)].admit(limit: configuration.requestsPerSource, at: now)
        else { return false }
        guard !isStranger || strangers.admit(limit: configuration.requestsFromStrangers, at: now) else { return false }
        return total.admit(limit: configuration.requestsPerSecond, at: now)
    }

    /// Forgets sources that were quiet for a second.
    mutating func forgetIdle(at now: Instant) {
        swept = now
        sources = sources.filter { $0.value.start.duration(to: now) < .seconds(1) }
    }
}
