internal import SansIO

/// Two candidates that may form a path, and what is known of it (RFC 8445 §6.1.2).
struct CandidatePair: Hashable, Sendable {
    /// How far the check of a pair went (RFC 8445 §6.1.2.6).
    enum State: Hashable, Sendable {
        case frozen
        case waiting
        case inProgress
        case succeeded
        case failed
    }

    /// Pairs of equal foundations are checked one after the other; a connection that is slow to be refused keeps none waiting
    /// that is opened in another way.
    struct Group: Hashable, Sendable {
        let transport: Candidate.Transport
        let local: Foundation
        let remote: Foundation
    }

    let id: Int
    /// The local candidate checks are sent from; a base, never server-reflexive.
    let local: Candidate
    var remote: Candidate
    var priority: UInt64
    var state = State.frozen
    /// The connection of a TCP pair.
    var connection: ICEAgent.ConnectionID?
    /// Our candidate as the peer sees it, while the pair is valid.
    var validLocal: Candidate?
    /// How long the last answer took at least.
    var roundTrip: Duration?
    /// How long it took if it is the answer to the first of the repetitions.
    var longestRoundTrip: Duration?
    /// The transaction whose end decides on the pair; earlier ones may still be answered.
    var transaction: TransactionID?
    /// The peer nominated before our own check succeeded, or both have happened.
    var isNominatedByPeer = false
    /// The peer checked the pair without nominating it, so it nominates regularly and its last word counts.
    var wasCheckedPlainly = false
    /// Our nominating check is under way.
    var isNominating = false
    /// The number of the peer's last nomination of the pair, between peers that renominate.
    var nomination: UInt32 = 0
    /// Whether the relay of the local candidate lets the remote address through.
    var isPermitted = true
    /// When a check of ours last succeeded.
    var lastVerified: Instant?
    /// When the first check left, or began to connect, since the pair has been in question.
    var firstChecked: Instant?
    var connectAttempts = 0
    var roleConflicts = 0

    init(id: Int, local: Candidate, remote: Candidate, role: Role) {
        (self.id, self.local, self.remote) = (id, local, remote)
        priority = Self.priority(local: local, remote: remote, role: role)
    }

    var component: Int { local.component }
    var group: Group { Group(transport: local.transport, local: local.foundation, remote: remote.foundation) }
    var isValid: Bool { validLocal != nil }
    /// Whether we open the connection, at least as well as the peer.
    var opensConnections: Bool {
        local.transport == .tcp(.active) || local.transport == .tcp(.simultaneousOpen)
    }
    /// Whether a check of the pair is still to come or under way.
    var isOpen: Bool { state == .frozen || state == .waiting || state == .inProgress }

    /// How good the pair is by kind alone: 2 for host to host, 1 for other direct paths, 0 over a relay.
    var rank: Int {
        let kinds = [validLocal?.kind ?? local.kind, remote.kind]
        if kinds.contains(.relayed) { return 0 }
        return kinds == [.host, .host] ? 2 : 1
    }

    /// Computes the priority for a role; a valid pair's local candidate is the one the peer sees (RFC 8445 §7.2.5.3.2).
    mutating func assign(_ role: Role) {
        priority = Self.priority(local: validLocal ?? local, remote: remote, role: role)
    }

    static func priority(local: Candidate, remote: Candidate, role: Role) -> UInt64 {
        switch role {
        case .controlling: Priority.pair(controlling: local.priority, controlled: remote.priority)
        case .controlled: Priority.pair(controlling: remote.priority, controlled: local.priority)
        }
    }

    /// The remote candidate as seen from `local` when the two may be checked, else `nil`.
    ///
    /// Same component, same family, link-local IPv6 only with its like on the same link (RFC 8445 §6.1.2.2), and for
    /// TCP an active local candidate with a passive remote one: the other way round, the peer connects.
    /// Simultaneous-open candidates go together.
    static func reachable(_ remote: Candidate, from local: Candidate) -> Candidate? {
        guard remote.component == local.component, remote.endpoint.address.family == local.endpoint.address.family
        else { return nil }
        switch (local.transport, remote.transport) {
        case (.udp, .udp), (.tcp(.active), .tcp(.passive)), (.tcp(.simultaneousOpen), .tcp(.simultaneousOpen)): break
        default: return nil
        }
        guard case .v6 = local.endpoint.address else { return remote }
        guard local.endpoint.address.isLinkLocal == remote.endpoint.address.isLinkLocal else { return nil }
        guard local.endpoint.address.isLinkLocal else { return remote }
        guard remote.endpoint.scope == 0 || remote.endpoint.scope == local.endpoint.scope else { return nil }
        var remote = remote
        remote.endpoint = Endpoint(
            remote.endpoint.address, port: remote.endpoint.port, scope: local.endpoint.scope)
        return remote
    }
}
