internal import SansIO

extension ICEAgent {
    /// As controlling agent, nominates the best valid pair of a component once no better kind of pair can be expected
    /// soon (RFC 8445 §8.1.1): at once, or after a few round trips of waiting.
    mutating func considerNomination(_ component: Int, at now: Instant) -> [Effect] {
        guard role == .controlling, state == .checking, selections[component - 1] == nil,
            let best = checkList.bestValid(component: component),
            !checkList.pairs.contains(where: { $0.component == component && $0.isNominating })
        else { return [] }
        let better = checkList.pairs.count { $0.component == component && $0.isOpen && $0.rank > best.rank }
        guard better > 0 else { return nominate(best.id, at: now) }
        if !timers.isSet(.nomination(component: component)) {
            let wait = (best.roundTrip ?? .zero) * 4 + configuration.pacing * (2 * better)
            arm(.nomination(component: component), after: min(wait, configuration.nominationDelay), at: now)
        }
        return []
    }

    /// Nominates what is valid by now.
    mutating func nominateBest(_ component: Int, at now: Instant) -> [Effect] {
        guard role == .controlling, state == .checking, selections[component - 1] == nil,
            let best = checkList.bestValid(component: component)
        else { return [] }
        return nominate(best.id, at: now)
    }

    private mutating func nominate(_ id: Int, at now: Instant) -> [Effect] {
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
    mutating func select(_ id: Int, at now: Instant) -> [Effect] {
        guard let pair = checkList[id], let local = pair.validLocal, let path = path(of: pair) else { return [] }
        checkList.update(id) { $0.isNominating = false }
        let component = pair.component
        if let current = selections[component - 1] {
            guard current.pairID != id, case .datagram = path else { return [] }
            let isLastWord = role == .controlled && pair.wasCheckedPlainly
            if let other = checkList[current.pairID], other.isValid, other.priority >= pair.priority, !isLastWord {
                return []
            }
        }
        let selected = SelectedPair(local: local, remote: pair.remote, path: path)
        selections[component - 1] = Selection(pairID: id, pair: selected, lastSent: now, consentExpiry: now)
        timers.cancel(.nomination(component: component))
        stopChecks(component, except: id)
        watch(component, at: now)
        var effects: [Effect] = [.selected(selected, component: component)]
        if state == .checking, selections.allSatisfy({ $0 != nil }) {
            state = .completed
            timers.cancel(.patience)
            effects.append(.completed)
        }
        guard case .stream = path else { return effects }
        linger(component, at: now)
        return effects + deliverEarlyData(component)
    }

    /// Ends the checks of a component that has a pair, but for those the peer has nominated too.
    private mutating func stopChecks(_ component: Int, except kept: Int) {
        for pair in checkList.pairs where pair.component == component && pair.id != kept && pair.isOpen {
            guard !pair.isNominatedByPeer else { continue }
            cancelTransactions(of: pair.id)
            timers.cancel(.reconnect(pair: pair.id))
            checkList.update(pair.id) { $0.state = .failed }
        }
    }
}
