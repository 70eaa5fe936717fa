public import SansIO

/// Paths that die and are replaced while a session lives.
extension ICEAgent {
    /// Removes a bound socket whose address is gone: its candidates, pairs and connections end.
    ///
    /// Where its pair was selected, ``Effect/lost(component:)`` says so, and the other pairs are checked anew; bases
    /// added meanwhile take part. The session fails when ``Configuration/patience`` ends.
    public mutating func removeBase(_ base: Base, at now: Instant) -> [Effect] {
        guard state != .closed, let index = bases.firstIndex(of: base) else { return [.ignored(.unknownBase)] }
        bases.remove(at: index)
        let gone = locals.filter {
            $0.base == base.endpoint && $0.candidate.transport.isTCP == (base.transport == .tcp)
        }
        locals.removeAll { gone.contains($0) }
        permissions.removeAll { $0.base == base.endpoint && base.kind == .relayed }
        earlyChecks.removeAll {
            if case .datagram(base.endpoint, _) = $0.path { base.transport == .udp } else { false }
        }
        let isGone = { (local: Candidate) in gone.contains { $0.candidate == local } }
        let pairs = checkList.pairs.filter { isGone($0.local) }
        for pair in pairs { drop(pair) }
        var effects = closeConnections(of: base)
        if birthdays[base.component - 1]?.base == base.endpoint { effects += endSearch(base.component) }
        if let selection = selections[base.component - 1], isGone(selection.checked.local) {
            effects += losePath(base.component, at: now)
        } else if !pairs.isEmpty {
            effects += considerNomination(base.component, at: now)
        }
        return effects + pace(at: now)
    }

    private mutating func drop(_ pair: CandidatePair) {
        timers.cancel(.reconnect(pair: pair.id))
        let dropped = transactions.filter { $0.pair == pair.id && !$0.isConsent }
        for transaction in dropped { timers.cancel(.transaction(transaction.id)) }
        transactions.removeAll { $0.pair == pair.id && !$0.isConsent }
        triggered.removeAll { $0 == pair.id }
        checkList.removeAll { $0.id == pair.id }
    }

    private mutating func closeConnections(of base: Base) -> [Effect] {
        guard base.transport == .tcp else { return [] }
        let closed = connections.filter { connection in
            connection.base.address == base.endpoint.address && connection.component == base.component
                && (connection.base.port == base.endpoint.port || !connection.isAccepted)
        }
        for connection in closed {
            timers.cancel(.connection(connection.id))
            earlyChecks.removeAll { $0.path == .stream(connection.id) }
        }
        connections.removeAll { connection in closed.contains { $0.id == connection.id } }
        return closed.map { .disconnect($0.id) }
    }

    /// Gives the path of a component up and looks for another one among all its pairs.
    mutating func losePath(_ component: Int, at now: Instant) -> [Effect] {
        guard let selection = selections[component - 1] else { return [] }
        selections[component - 1] = nil
        for timer in [Timer.keepalive(component: component), .consent(component: component)] { timers.cancel(timer) }
        for timer in [Timer.consentExpiry(component: component), .probe(component: component)] { timers.cancel(timer) }
        guard selection.generation.number == current.number else {
            return state == .completed ? fail(.noPath) : [.lost(component: component)]
        }
        if state == .completed {
            state = .checking
            nominationWasAwaited = false
            arm(.patience, after: configuration.patience, at: now)
        }
        checkList.updateAll { pair in
            guard pair.component == component else { return }
            (pair.isNominatedByPeer, pair.isNominating, pair.validLocal) = (false, false, nil)
            pair.firstChecked = nil
        }
        (validSince[component - 1], asymmetries[component - 1]) = (nil, 0)
        let paired = formPairs()
        recheck(component)
        return [.lost(component: component)] + paired + pace(at: now)
    }

    /// Has every pair of a component checked again.
    private mutating func recheck(_ component: Int) {
        let pairs = checkList.pairs.filter {
            $0.component == component && !$0.local.transport.isTCP && ($0.state == .failed || $0.state == .succeeded)
        }
        let selected = selections[component - 1]?.checked.id
        for pair in pairs where pair.id != selected {
            let isRefused = pair.local.kind == .relayed && !isPermitted(pair.local, to: pair.remote.endpoint.address)
            if !isRefused { checkList.update(pair.id) { $0.state = .waiting } }
        }
    }

    // MARK: Doubt

    /// Begins to ask whether the selected pair still works, unless that is being asked already.
    mutating func suspect(_ component: Int, at now: Instant) -> [Effect] {
        guard let selection = currentSelection(component), selection.probes == nil,
            case .datagram = selection.pair.path
        else { return [] }
        return ask(component, time: 1, at: now)
    }

    private mutating func ask(_ component: Int, time: Int, at now: Instant) -> [Effect] {
        selections[component - 1]?.probes = time
        let wait = max(configuration.probeInterval, (selections[component - 1]?.checked.roundTrip ?? .zero) * 2)
        arm(.probe(component: component), after: wait, at: now)
        return request(onSelected: component, nominating: false, at: now)
    }

    /// Asks again, or takes the selected pair for dead.
    mutating func probe(_ component: Int, at now: Instant) -> [Effect] {
        guard isChecking, let selection = currentSelection(component), let probes = selection.probes else { return [] }
        guard probes >= configuration.probeAttempts else { return ask(component, time: probes + 1, at: now) }
        selections[component - 1]?.probes = nil
        selections[component - 1]?.isSilent = true
        if peer.renominates { recheck(component) }
        return considerReplacement(component, at: now) + pace(at: now)
    }

    /// Moves a component to a pair that works when the selected one does not, or asks first whether it does.
    ///
    /// - Parameter id: the pair whose check has just succeeded.
    mutating func considerReplacement(_ component: Int, by id: Int? = nil, at now: Instant) -> [Effect] {
        guard let selection = currentSelection(component), selection.checked.id != id,
            selection.since.duration(to: now) > configuration.settling
        else { return [] }
        guard selection.isSilent else { return id == nil ? [] : suspect(component, at: now) }
        guard !isNominating(component) else { return [] }
        let working = checkList.pairs.filter { pair in
            pair.component == component && pair.id != selection.checked.id && pair.state == .succeeded && pair.isValid
                && !pair.local.transport.isTCP
                && (pair.lastVerified ?? selection.lastAnswer) > selection.lastAnswer
        }
        guard let best = CheckList.best(working) else { return [] }
        guard role == .controlled else { return nominate(best.id, at: now) }
        // The peer sends to the same base of ours as before, so it is its own address that changed, behind its back.
        let isSamePath = best.local.endpoint == selection.checked.local.endpoint && best.wasCheckedPlainly
        return isSamePath ? select(best.id, replacing: true, at: now) : []
    }
}
