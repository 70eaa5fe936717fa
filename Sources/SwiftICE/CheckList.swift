internal import SansIO

/// The pairs of a session, at most a hundred, and the order in which they are checked (RFC 8445 §6.1.2 and §6.1.4.2).
struct CheckList: Hashable, Sendable {
    private(set) var pairs: [CandidatePair] = []
    private var nextID = 0

    subscript(id: Int) -> CandidatePair? {
        get { pairs.first { $0.id == id } }
    }

    /// Changes a pair in place, if it still exists.
    mutating func update(_ id: Int, _ change: (inout CandidatePair) -> Void) {
        guard let index = pairs.firstIndex(where: { $0.id == id }) else { return }
        change(&pairs[index])
    }

    /// Changes every pair in place.
    mutating func updateAll(_ change: (inout CandidatePair) -> Void) {
        for index in pairs.indices { change(&pairs[index]) }
    }

    mutating func removeAll(where condition: (CandidatePair) -> Bool) { pairs.removeAll(where: condition) }

    /// Drops every pair; identifiers are not used again.
    mutating func clear() { pairs = [] }

    /// Adds a pair and returns its identifier, or the one of the pair that makes it redundant: same base, same remote
    /// transport address. Of the two, the remote candidate with the higher priority is kept.
    mutating func add(local: Candidate, remote: Candidate, role: Role) -> Int {
        if let index = pairs.firstIndex(where: {
            $0.local.endpoint == local.endpoint && $0.local.component == local.component
                && $0.local.transport == local.transport && $0.remote.endpoint == remote.endpoint
                && $0.remote.transport == remote.transport
        }) {
            if pairs[index].remote.priority < remote.priority, pairs[index].state != .inProgress {
                pairs[index].remote = remote
                pairs[index].assign(role)
            }
            return pairs[index].id
        }
        nextID += 1
        pairs.append(CandidatePair(id: nextID, local: local, remote: remote, role: role))
        return nextID
    }

    /// Drops the pairs of lowest priority that are neither under way nor valid, until `limit` is kept.
    ///
    /// - Parameter kept: a pair that must stay.
    mutating func trim(to limit: Int, keeping kept: Int? = nil) {
        guard pairs.count > limit else { return }
        let candidates = pairs.filter { $0.state != .inProgress && $0.state != .succeeded && $0.id != kept }
            .sorted {
                ($0.state == .failed ? 0 : 1, $0.priority, $1.id) < ($1.state == .failed ? 0 : 1, $1.priority, $0.id)
            }
        let dropped = Set(candidates.prefix(pairs.count - limit).map(\.id))
        pairs.removeAll { dropped.contains($0.id) }
    }

    /// Sets to Waiting what may be checked: for each foundation without a pair Waiting or under way its first pair by
    /// component and priority, and all pairs of a foundation that has succeeded.
    mutating func unfreeze() {
        var busy: Set<CandidatePair.Group> = []
        var succeeded: Set<CandidatePair.Group> = []
        for pair in pairs {
            if (pair.state == .waiting && pair.isPermitted) || pair.state == .inProgress { busy.insert(pair.group) }
            if pair.state == .succeeded { succeeded.insert(pair.group) }
        }
        let order = pairs.indices.sorted {
            (pairs[$0].component, pairs[$1].priority, $0) < (pairs[$1].component, pairs[$0].priority, $1)
        }
        for index in order where pairs[index].state == .frozen && pairs[index].isPermitted {
            let group = pairs[index].group
            guard succeeded.contains(group) || busy.insert(group).inserted else { continue }
            pairs[index].state = .waiting
        }
    }

    /// The pair to check next: the Waiting one of highest priority, or a Frozen one whose foundation is idle.
    mutating func next() -> Int? {
        if let waiting = bestWaiting() { return waiting }
        unfreeze()
        return bestWaiting()
    }

    private func bestWaiting() -> Int? { Self.best(pairs.filter { $0.state == .waiting && $0.isPermitted })?.id }

    /// The pair of highest priority; of equals the oldest.
    static func best(_ pairs: [CandidatePair]) -> CandidatePair? {
        pairs.min { ($1.priority, $0.id) < ($0.priority, $1.id) }
    }

    /// The valid pair of highest priority of a component.
    func bestValid(component: Int) -> CandidatePair? {
        Self.best(pairs.filter { $0.component == component && $0.isValid })
    }

    /// How many pairs are Waiting or under way, which stretches retransmission (RFC 8445 §14.3).
    var activeCount: Int { pairs.count { $0.state == .waiting || $0.state == .inProgress } }
}
