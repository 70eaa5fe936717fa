internal import SansIO

/// After which instants a node must have been heard, and have replied, to count as good.
struct Freshness: Sendable {
    let heard: Instant
    let replied: Instant

    init(_ configuration: Configuration, at now: Instant) {
        heard = now.advanced(by: .zero - configuration.hearingFreshness)
        replied = now.advanced(by: .zero - configuration.replyFreshness)
    }
}

/// What is known of another node.
struct RemoteNode: Sendable {
    let id: NodeID
    var endpoint: Endpoint
    /// When anything came from it.
    var heard: Instant?
    /// When it answered one of our requests.
    var replied: Instant?
    /// Whether a request to it ran out of attempts since it was last heard.
    var isExpired = false
    /// Whether a request to it is unanswered for longer than it should be.
    var isSlow = false
    /// How often in a row it refused a token it gave.
    var tokenRefusals = 0
    /// The smoothed round-trip time.
    var roundTrip: Duration?
    /// Its unanswered requests, oldest first.
    var pending: [UInt32] = []

    init(id: NodeID, endpoint: Endpoint) {
        self.id = id
        self.endpoint = endpoint
    }

    var known: KnownNode { KnownNode(id: id, endpoint: endpoint) }

    /// Whether the node may be listed to others.
    func isGood(_ configuration: Configuration, at now: Instant) -> Bool {
        isGood(Freshness(configuration, at: now))
    }

    /// Whether the node may be listed to others; for many nodes at the same instant.
    func isGood(_ freshness: Freshness) -> Bool {
        guard !isExpired, let replied, let heard else { return false }
        return replied > freshness.replied && heard > freshness.heard
    }

    /// Whether nothing came from it for so long that what others say about its address counts.
    func isStale(_ configuration: Configuration, at now: Instant) -> Bool {
        guard let heard else { return true }
        return heard.duration(to: now) >= configuration.hearingFreshness
    }

    /// Adds a sample to the round-trip time (RFC 6298 §2, without the variance).
    mutating func measured(_ sample: Duration) {
        roundTrip = roundTrip.map { ($0 * 7 + sample) / 8 } ?? sample
    }
}
