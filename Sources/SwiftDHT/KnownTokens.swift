internal import SansIO

/// The tokens that the nodes of one family gave us, in whatever answer.
///
/// A token is bound to the endpoint of its asker and not to a key, so that what one search got serves the next.
struct KnownTokens: Sendable {
    struct Entry: Sendable {
        let bytes: [UInt8]
        /// When it was given.
        let given: Instant
        /// Where its giver was; whoever is elsewhere now has other secrets.
        let endpoint: Endpoint
    }

    /// One so young is not replaced, as that would cost as much as it saves.
    private static let youth: Duration = .seconds(30)

    private var entries: [NodeID: Entry] = [:]

    var count: Int { entries.count }

    /// The token of `node`, unless it was given at `instant` or before.
    func token(of node: KnownNode, after instant: Instant) -> Entry? {
        guard let entry = entries[node.id], entry.given > instant, entry.endpoint == node.endpoint else { return nil }
        return entry
    }

    /// Keeps a token that `node` gave, if there is room.
    mutating func insert(_ token: [UInt8], of node: KnownNode, limit: Int, at now: Instant) {
        guard let known = entries[node.id] else {
            if entries.count < limit { entries[node.id] = Entry(bytes: token, given: now, endpoint: node.endpoint) }
            return
        }
        guard known.given.duration(to: now) >= Self.youth || known.endpoint != node.endpoint else { return }
        entries[node.id] = Entry(bytes: token, given: now, endpoint: node.endpoint)
    }

    /// Forgets the token of one node, which is dead or takes it no more.
    mutating func remove(_ id: NodeID) { entries[id] = nil }

    /// Forgets tokens given before `instant`.
    mutating func removeAll(givenBefore instant: Instant) { entries = entries.filter { $0.value.given >= instant } }

    /// Forgets all tokens, which are bound to an address that is gone.
    mutating func removeAll() { entries = [:] }
}
