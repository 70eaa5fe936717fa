internal import SansIO

/// Endpoints whose datagrams are dropped: they answered a search without a token, so nothing they say is of use.
struct BanList: Sendable {
    private var until: [Endpoint: Instant] = [:]
    /// In the order of banning, which with one ban time is the order of expiry.
    private var order: [Endpoint] = []

    var isEmpty: Bool { until.isEmpty }

    func contains(_ endpoint: Endpoint, at now: Instant) -> Bool {
        guard !until.isEmpty, let end = until[endpoint] else { return false }
        return now < end
    }

    /// Bans `endpoint`; the oldest ban goes when there are too many.
    mutating func insert(_ endpoint: Endpoint, until end: Instant, limit: Int) {
        guard until.updateValue(end, forKey: endpoint) == nil else { return }
        order.append(endpoint)
        if order.count > limit { until[order.removeFirst()] = nil }
    }

    /// Forgets bans that are over.
    mutating func expire(at now: Instant) {
        order.removeAll { endpoint in
            guard let end = until[endpoint], end <= now else { return false }
            until[endpoint] = nil
            return true
        }
    }
}
