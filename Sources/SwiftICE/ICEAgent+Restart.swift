public import SansIO

extension ICEAgent {
    /// Begins the session anew with other credentials (RFC 8445 §9): send ``localDescription`` to the peer, and call
    /// ``start(remote:peer:at:)`` with its new one.
    ///
    /// Bases, candidates and the role stay. What was selected stays in use, with its consent, until another pair is
    /// selected or it is lost by itself; checks with the former credentials are still answered. After a failure it is
    /// the way back. Candidates of the peer that belong to the former generation are forgotten.
    public mutating func restart(at now: Instant) -> [Effect] {
        guard state != .closed, state != .new || former != nil else { return [.ignored(.wrongState)] }
        let isServing = selections.contains { $0?.generation.number == current.number }
        if former == nil || isServing || selections.allSatisfy({ $0 == nil }) { former = current }
        current = Generation(number: current.number + 1, random: &random)
        state = .new
        peer = PeerOptions()
        nominationWasAwaited = false
        remoteCandidatesEnded = false
        highestNominations = Array(repeating: 0, count: components)
        endChecks()
        return closeAttempts() + (1...components).flatMap { endSearch($0) }
    }

    /// Whether the credentials of a description the peer sent later ask for a restart: both are others (RFC 8839
    /// §4.4.1.1.1).
    public func isRestart(_ remote: Credentials) -> Bool {
        guard let known = current.remote else { return false }
        return known.fragment != remote.fragment && known.password != remote.password
    }

    private mutating func endChecks() {
        for pair in checkList.pairs { timers.cancel(.reconnect(pair: pair.id)) }
        for transaction in transactions where !transaction.isConsent { timers.cancel(.transaction(transaction.id)) }
        for resolution in resolutions { timers.cancel(.resolution(host: resolution.host)) }
        for component in 1...components {
            timers.cancel(.nomination(component: component))
            timers.cancel(.probe(component: component))
            selections[component - 1]?.probes = nil
        }
        timers.cancel(.pacing)
        timers.cancel(.patience)
        checkList.clear()
        validSince = Array(repeating: nil, count: components)
        asymmetries = Array(repeating: 0, count: components)
        transactions.removeAll { !$0.isConsent }
        (triggered, earlyChecks, remotes, predictions, resolutions) = ([], [], [], [], [])
    }

    /// Gives up connections that are being opened; those that stand may carry the next checks or the current data.
    private mutating func closeAttempts() -> [Effect] {
        let attempts = connections.filter { $0.phase == .connecting }
        for attempt in attempts { timers.cancel(.connection(attempt.id)) }
        connections.removeAll { $0.phase == .connecting }
        for index in connections.indices { connections[index].pair = nil }
        return attempts.map { .disconnect($0.id) }
    }
}
