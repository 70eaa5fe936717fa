internal import SansIO

extension ICEAgent {
    /// Role conflicts a pair may answer with before it is given up, so that no peer keeps us in a loop.
    private static let roleConflictLimit = 8

    /// Takes the answer to one of our requests (RFC 8445 §7.2.5).
    ///
    /// A forged answer changes nothing: what carries integrity must hold, and a success must carry it.
    mutating func receiveResponse(_ message: Message, _ arrival: Arrival, at now: Instant) -> [Effect] {
        guard let index = transactions.firstIndex(where: { $0.id == message.transaction }) else {
            return [.ignored(.unknownTransaction)]
        }
        let isSuccess = message.type.messageClass == .success
        guard (!isSuccess && !message.hasIntegrity) || message.isAuthentic(under: transactions[index].remoteKey) else {
            return [.ignored(.unauthenticated(nil))]
        }
        let transaction = transactions[index]
        if case .consent(let component, _) = transaction.purpose, isSuccess, arrival.path != transaction.path {
            return [.ignored(.asymmetric)] + answeredAside(component, arrival, at: now)
        }
        transactions.remove(at: index)
        timers.cancel(.transaction(transaction.id))
        if case .consent(let component, let nominating) = transaction.purpose {
            guard isSuccess, selections[component - 1]?.checked.id == transaction.pair else { return [] }
            consentWasGiven(component, at: now)
            return nominating ? [] : followMapping(component, message.reflexiveAddress, at: now)
        }
        guard arrival.path == transaction.path else {
            asymmetries[arrival.component - 1] += 1
            return [.ignored(.asymmetric)] + failIfCurrent(transaction, at: now)
        }
        guard isSuccess else { return receiveError(message, transaction, at: now) }
        identify(arrival.path)
        return succeeded(transaction, mapped: message.reflexiveAddress, at: now)
    }

    /// Consent is given for an address by answers from there only (RFC 7675 §5.1). One from elsewhere shows that the
    /// peer's NAT gave it another address, so that path is checked as if the peer had done so.
    private mutating func answeredAside(_ component: Int, _ arrival: Arrival, at now: Instant) -> [Effect] {
        guard isChecking, let selection = currentSelection(component) else { return [] }
        let check = ReceivedCheck(
            path: arrival.path, source: arrival.source, component: component, priority: 0, nominates: false)
        return processAside(check, selection, at: now)
    }

    private mutating func failIfCurrent(_ transaction: Transaction, at now: Instant) -> [Effect] {
        guard checkList[transaction.pair]?.transaction == transaction.id else { return [] }
        return pairFailed(transaction.pair, at: now)
    }

    private mutating func receiveError(_ message: Message, _ transaction: Transaction, at now: Instant) -> [Effect] {
        guard case .errorCode(.roleConflict, _) = message.first(.errorCode), state == .checking,
            let pair = checkList[transaction.pair], pair.roleConflicts < Self.roleConflictLimit
        else { return failIfCurrent(transaction, at: now) }
        checkList.update(pair.id) { $0.roleConflicts += 1 }
        var effects: [Effect] = []
        if role == transaction.role {
            tieBreaker = random.next()
            effects += take(role.opposite, at: now)
        }
        guard pair.transaction == transaction.id else { return effects }
        return effects + trigger(pair.id, at: now)
    }

    /// Makes the checked pair valid, and goes on to nomination (RFC 8445 §7.2.5.3).
    private mutating func succeeded(_ transaction: Transaction, mapped: Endpoint?, at now: Instant) -> [Effect] {
        guard let pair = checkList[transaction.pair] else { return [] }
        // The late answer to an earlier check must not stop the nominating one.
        guard !pair.isNominating || pair.transaction == transaction.id else { return [] }
        cancelTransactions(of: pair.id)
        let local = validLocal(of: pair, mapped: mapped)
        let role = role
        checkList.update(pair.id) { pair in
            pair.state = .succeeded
            pair.transaction = nil
            pair.validLocal = local
            pair.roundTrip = transaction.roundTrip(at: now)
            pair.longestRoundTrip = transaction.sentAt.duration(to: now)
            pair.lastVerified = now
            pair.assign(role)
        }
        checkList.unfreeze()
        hasten(pair.component, at: now)
        let isOurs = transaction.purpose == .check(nominating: true) && transaction.role == .controlling
        var effects: [Effect] = []
        if role == .controlling && isOurs || role == .controlled && pair.isNominatedByPeer {
            effects += select(pair.id, at: now)
        }
        effects += considerNomination(pair.component, at: now)
        effects += considerReplacement(pair.component, by: pair.id, at: now)
        return effects + pace(at: now)
    }

    /// Sees from the answer on a selected pair that a NAT on our side gave us another address: the peer's view is
    /// noted, and told by a nomination, as the peer still sends to the address before.
    private mutating func followMapping(_ component: Int, _ mapped: Endpoint?, at now: Instant) -> [Effect] {
        guard let selection = currentSelection(component), let mapped, case .datagram = selection.pair.path,
            mapped.address != selection.pair.local.endpoint.address || mapped.port != selection.pair.local.endpoint.port
        else { return [] }
        let local = validLocal(of: selection.checked, mapped: mapped)
        selections[component - 1]?.pair = SelectedPair(
            local: local, remote: selection.pair.remote, path: selection.pair.path)
        return role == .controlling ? request(onSelected: component, nominating: true, at: now) : []
    }

    /// Our candidate as the peer saw it: the base, a known reflexive candidate, or a new peer-reflexive one.
    private mutating func validLocal(of pair: CandidatePair, mapped: Endpoint?) -> Candidate {
        guard let mapped else { return pair.local }
        let isActive = pair.local.transport == .tcp(.active)
        let isSame = { (known: Endpoint) in
            known.address == mapped.address && (isActive || known.port == mapped.port)
        }
        let known = [pair.local] + locals.filter { $0.base.address == pair.local.endpoint.address }.map(\.candidate)
        let match = known.first {
            $0.component == pair.component && $0.transport == pair.local.transport && isSame($0.endpoint)
        }
        if var match {
            match.endpoint = Endpoint(mapped.address, port: mapped.port, scope: match.endpoint.scope)
            return match
        }
        return Candidate(
            foundation: pair.validLocal?.foundation ?? Foundation(random: &random), component: pair.component,
            transport: pair.local.transport, priority: reflexivePriority(of: pair.local), endpoint: mapped,
            kind: .peerReflexive, related: pair.local.endpoint)
    }
}
