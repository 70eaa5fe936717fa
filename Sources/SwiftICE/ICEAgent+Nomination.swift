internal import SansIO

extension ICEAgent {
    /// As controlling agent, nominates the best valid pair of a component once no better kind of pair can be expected
    /// soon (RFC 8445 §8.1.1): at once, or after a wait. Between peers that renominate it is always at once, as better
    /// pairs are nominated when they turn up.
    mutating func considerNomination(_ component: Int, at now: Instant) -> [Effect] {
        guard role == .controlling, isChecking, !isNominating(component) else { return [] }
        guard let best = checkList.bestValid(component: component) else {
            validSince[component - 1] = nil
            timers.cancel(.nomination(component: component))
            return []
        }
        if currentSelection(component) != nil {
            return isWorthChecking(best) ? nominate(best.id, at: now) : []
        }
        let since = validSince[component - 1] ?? now
        validSince[component - 1] = since
        let end = endOfDoubt(best, since: since, at: now)
        guard now < end else { return nominate(best.id, at: now) }
        arm(.nomination(component: component), after: now.duration(to: end), at: now)
        return []
    }

    /// When a valid pair is to be nominated, though pairs of a better kind are still in question.
    ///
    /// - Parameter since: since when the component has had a valid pair.
    private func endOfDoubt(_ best: CandidatePair, since: Instant, at now: Instant) -> Instant {
        let isTCP = best.local.transport.isTCP
        // Over TCP a pair stays frozen for as long as one of its kind connects, which is no sign of anything to come.
        let better = checkList.pairs.filter {
            $0.component == best.component && $0.isOpen && $0.rank > best.rank && (!isTCP || $0.state != .frozen)
        }
        guard !better.isEmpty, !peer.renominates || isTCP else { return since }
        let limit = since.advanced(by: configuration.nominationDelay)
        guard best.rank > 0 else {
            let wait = isTCP ? patienceWithConnection(best) : patienceWithRelay(best.component)
            return min(limit, since.advanced(by: wait + configuration.pacing * (2 * better.count)))
        }
        // A path between the hosts is shorter than this one, so an answer would have been here as fast, over TCP with the
        // time to connect.
        let roundTrip = best.roundTrip ?? .zero
        let taken = isTCP ? best.firstChecked.map { max(roundTrip, $0.duration(to: since)) } ?? roundTrip : roundTrip
        let patience = max(taken, configuration.pacing * 2)
        let ends = better.map { pair in
            (pair.firstChecked ?? now.advanced(by: configuration.pacing * better.count)).advanced(by: patience)
        }
        return min(limit, ends.max() ?? since)
    }

    /// How long direct pairs of a component are waited for once one over a relay works. The peer has sent its own checks
    /// by then, so ours pass its filters, and the first three repetitions leave within three eighths of the round trip over
    /// the relay (``haste(for:over:at:)``): a direct path answers the last of them in time, even if it is a little longer.
    private func patienceWithRelay(_ component: Int) -> Duration {
        let working = checkList.pairs.filter { $0.component == component && $0.isValid }
        let roundTrip = working.compactMap(\.longestRoundTrip).min() ?? .zero
        return max(roundTrip * 3 / 2, configuration.relayedNominationDelay)
    }

    /// How long connections without a relay are waited for: time to be set up, and for a check and its answer.
    private func patienceWithConnection(_ best: CandidatePair) -> Duration {
        max((best.roundTrip ?? .zero) * 4, configuration.relayedNominationDelay)
    }

    /// Whether a nomination is under way: two at a time might end differently at both sides.
    func isNominating(_ component: Int) -> Bool {
        checkList.pairs.contains { $0.component == component && $0.isNominating }
    }

    mutating func nominate(_ id: Int, at now: Instant) -> [Effect] {
        guard let pair = checkList[id] else { return [] }
        timers.cancel(.nomination(component: pair.component))
        checkList.update(id) { $0.isNominating = true }
        return check(id, at: now)
    }

    /// Takes a nominated and valid pair into use, unless a better nominated one is in use (RFC 8445 §8.1).
    ///
    /// Peers that nominate aggressively nominate several; both sides then end with the one of highest priority, but for
    /// TCP the first one stays, as a stream cannot move to another connection. Of a peer that nominates regularly the
    /// last nomination counts, as it nominates again only after the first one failed.
    ///
    /// - Parameter replacing: whether the selected pair no longer works.
    mutating func select(_ id: Int, replacing: Bool = false, at now: Instant) -> [Effect] {
        guard let pair = checkList[id], let local = pair.validLocal, let path = path(of: pair) else { return [] }
        checkList.update(id) { $0.isNominating = false }
        let component = pair.component
        if let known = currentSelection(component) {
            guard known.checked.id != id, case .datagram = path, replacing || overrides(pair, known) else { return [] }
            forgetNominations(component, besides: id, since: known.since, at: now)
            if known.isSilent { doubt(known.checked.id) }
        }
        let selected = SelectedPair(local: local, remote: pair.remote, path: path)
        selections[component - 1] = Selection(pair, selected, current, at: now)
        (validSince[component - 1], asymmetries[component - 1]) = (nil, 0)
        timers.cancel(.nomination(component: component))
        timers.cancel(.probe(component: component))
        stopChecks(component, except: id)
        watch(component, at: now)
        var effects: [Effect] = [.selected(selected, component: component)] + endSearch(component)
        if state == .checking, (1...components).allSatisfy({ currentSelection($0) != nil }) {
            state = .completed
            timers.cancel(.patience)
            effects.append(.completed)
        }
        guard case .stream = path else { return effects }
        linger(component, at: now)
        return effects + deliverEarlyData(component)
    }

    /// Has a pair that no longer works checked anew before it counts again.
    private mutating func doubt(_ id: Int) {
        checkList.update(id) { pair in
            (pair.state, pair.validLocal, pair.firstChecked) = (.waiting, nil, nil)
        }
    }

    /// Whether a nominated pair is to be used instead of the one in use. Our own nomination is always meant so.
    private func overrides(_ pair: CandidatePair, _ known: Selection) -> Bool {
        if role == .controlling { return true }
        if peer.renominates { return pair.nomination > known.checked.nomination }
        guard !pair.wasCheckedPlainly, let other = checkList[known.checked.id], other.isValid else { return true }
        return other.priority < pair.priority
    }

    /// Lets pairs that were nominated long ago be nominated again; before, it may be a check that was repeated on the
    /// way.
    private mutating func forgetNominations(_ component: Int, besides id: Int, since: Instant, at now: Instant) {
        guard since.duration(to: now) > configuration.nominationPatience else { return }
        checkList.updateAll { pair in
            if pair.component == component, pair.id != id { pair.isNominatedByPeer = false }
        }
    }

    /// Ends the checks of a component that has a pair, but for those the peer has nominated too, and those that may yet
    /// find a better one.
    private mutating func stopChecks(_ component: Int, except kept: Int) {
        for pair in checkList.pairs where pair.component == component && pair.id != kept && pair.isOpen {
            guard !pair.isNominatedByPeer, !isWorthChecking(pair) else { continue }
            cancelTransactions(of: pair.id)
            timers.cancel(.reconnect(pair: pair.id))
            checkList.update(pair.id) { $0.state = .failed }
        }
    }
}
