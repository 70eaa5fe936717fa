internal import SansIO

/// The pair in use for a component.
struct Selection: Sendable {
    /// The pair as it was when it was selected.
    let checked: CandidatePair
    var pair: ICEAgent.SelectedPair
    /// Whose credentials go with it.
    let generation: Generation
    let since: Instant
    var lastSent: Instant
    /// When the peer last answered on it.
    var lastAnswer: Instant
    /// How many requests on it have left since then, not counting those from before a sleep.
    var unanswered = 0
    /// When the last one left.
    var lastAsked: Instant
    var repeatedNominations = 0
    var lastRepetition: Instant?
    /// How many times in a row the pair was asked for a sign of life without an answer, while it is being asked.
    var probes: Int?
    /// Whether it gave no sign of life when asked.
    var isSilent = false

    init(_ checked: CandidatePair, _ pair: ICEAgent.SelectedPair, _ generation: Generation, at now: Instant) {
        (self.checked, self.pair, self.generation) = (checked, pair, generation)
        (since, lastSent, lastAsked) = (now, now, now)
        lastAnswer = checked.lastVerified ?? now
    }
}

extension ICEAgent {
    /// The pair selected since the last restart, if any.
    func currentSelection(_ component: Int) -> Selection? {
        guard let selection = selections[component - 1], selection.generation.number == current.number else {
            return nil
        }
        return selection
    }

    /// Whether the peer's last answer still stands for its consent (RFC 7675 §5.1). After a sleep it may not, though the
    /// selection stays until the peer was asked. Over TCP the connection itself is the consent.
    func hasConsent(_ selection: Selection, at now: Instant) -> Bool {
        guard let expiry = configuration.consent?.expiry, case .datagram = selection.pair.path else { return true }
        return selection.lastAnswer.duration(to: now) < expiry
    }

    /// Whether a component has no pair of this generation yet, or may move to this one: between peers that agreed to
    /// it, from a relay to a direct path, and from a reflexive address to one of the host.
    func isWorthChecking(_ pair: CandidatePair) -> Bool {
        guard let selection = currentSelection(pair.component) else { return true }
        return peer.renominates && !pair.local.transport.isTCP && pair.rank > selection.checked.rank
    }
}
