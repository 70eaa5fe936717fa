internal import SansIO

/// After which instants a node must have been heard, and have replied, to count as good.
struct Freshness: Sendable {
    let heard: Instant
    let replied: Instant

    init(_ configuration: borrowing Configuration, at now: Instant) {
        heard = now.rewound(by: configuration.hearingFreshness)
        replied = now.rewound(by: configuration.replyFreshness)
    }
}

/// What is known of another node.
///
/// Holds nothing but numbers, as nodes are looked at by the dozen for every datagram and then cost no counting of references.
struct RemoteNode: Sendable {
    let id: NodeID
    private(set) var endpoint: Endpoint
    /// When anything came from it.
    var heard: Instant?
    /// When it answered one of our requests.
    var replied: Instant?
    /// Whether a request to it ran out of attempts since it was last heard.
    var isExpired = false
    /// Whether an answer of it is overdue.
    var isSlow = false
    /// How often in a row it refused a token it gave.
    var tokenRefusals = 0
    /// How long its answers take.
    var roundTrip = RoundTrip()
    /// Where its identifier was seen while it was known to be elsewhere; its place if it is found gone from there.
    var contender: Endpoint?
    /// When it was last asked whether it is still where it is known to be.
    var challenged: Instant?
    /// When it was last offered to the routing table.
    var offered: Instant?
    /// Whether it tells askers at which port it sees them.
    var tellsPorts = false
    /// The last request to it that is not answered; those before it are linked there, so that a node owns no memory.
    var lastRequest: UInt32?
    /// Whether it answered a request of ours and was not found silent since.
    var isLiving: Bool { replied != nil && !isExpired }
    /// Whether it owes no answer.
    var isIdle: Bool { lastRequest == nil }

    init(id: NodeID, endpoint: Endpoint) {
        self.id = id
        self.endpoint = endpoint
    }

    /// Changes the endpoint; for ``NodeTable/move(_:to:)``, which counts nodes by address.
    mutating func move(to endpoint: Endpoint) { (self.endpoint, contender) = (endpoint, nil) }

    var known: KnownNode { KnownNode(id: id, endpoint: endpoint) }

    /// Whether it was offered to the routing table after `instant`.
    func wasOffered(after instant: Instant) -> Bool {
        guard let offered else { return false }
        return offered > instant
    }

    /// Notes that it sent something, or answered.
    mutating func wasHeard(isReply: Bool, at now: Instant) {
        heard = now
        isExpired = false
        guard isReply else { return }
        replied = now
        isSlow = false
        contender = nil
    }

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
}
