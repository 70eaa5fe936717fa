public import SansIO

extension ICEAgent {
    /// Adds candidates of the peer after the start (RFC 8838 §11), until it said that there are no more.
    ///
    /// - Parameter fragment: the user name fragment they came with, where they came with one: candidates of another
    ///   generation are refused.
    public mutating func addRemoteCandidates(
        _ candidates: [Candidate], fragment: String? = nil, at now: Instant
    ) -> [Effect] {
        if let refusal = refusal(ofCandidatesWith: fragment) { return [.ignored(refusal)] }
        return take(remote: candidates, at: now)
    }

    func refusal(ofCandidatesWith fragment: String?) -> Reason? {
        guard isChecking, !remoteCandidatesEnded else { return .wrongState }
        guard fragment == nil || fragment == current.remote?.fragment else { return .otherGeneration }
        return nil
    }

    mutating func take(remote candidates: [Candidate], at now: Instant) -> [Effect] {
        guard isChecking else { return [.ignored(.wrongState)] }
        let effects = learn(candidates)
        return effects + formPairs() + pace(at: now)
    }

    /// Tells that no more candidates will come (RFC 8838 §13); ``Configuration/patience`` starts anew, once.
    public mutating func endOfRemoteCandidates(at now: Instant) {
        guard isChecking, !remoteCandidatesEnded else { return }
        remoteCandidatesEnded = true
        if state == .checking { arm(.patience, after: configuration.patience, at: now) }
    }

    /// Our candidates that have not been handed out here before, most useful first: what to trickle to the peer next.
    public mutating func takeNewCandidates() -> [Candidate] {
        let order = usefulOrder.filter { !locals[$0].isTaken }
        for index in order { locals[index].isTaken = true }
        return order.map { shown(locals[$0].candidate) }
    }
}
