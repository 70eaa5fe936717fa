internal import SansIO

extension ICEAgent {
    /// Sees to it that what is ready to be checked will be: now if the last check is long enough ago.
    mutating func pace(at now: Instant) -> [Effect] {
        guard isChecking, !timers.isSet(.pacing), hasWork() else { return [] }
        if now >= nextTick { return tick(at: now) }
        timers.set(.pacing, at: nextTick)
        return []
    }

    private mutating func hasWork() -> Bool {
        if !triggered.isEmpty { return true }
        return checkList.next() != nil
    }

    /// Makes one check: a triggered one first, else the best ordinary one (RFC 8445 §6.1.4.2).
    mutating func tick(at now: Instant) -> [Effect] {
        guard isChecking else { return [] }
        var effects: [Effect] = []
        if let pair = nextPair() {
            nextTick = now.advanced(by: max(configuration.pacing, .milliseconds(1)))
            effects += check(pair, at: now)
        }
        if !timers.isSet(.pacing), hasWork() { timers.set(.pacing, at: max(nextTick, now)) }
        return effects
    }

    private mutating func nextPair() -> Int? {
        while !triggered.isEmpty {
            let pair = triggered.removeFirst()
            if checkList[pair]?.state == .waiting { return pair }
        }
        return checkList.next()
    }

    /// Checks a pair because the peer's check arrived: at once, unless too many such checks have just been made.
    mutating func trigger(_ pair: Int, at now: Instant) -> [Effect] {
        checkList.update(pair) { $0.state = .waiting }
        let horizon = now.advanced(by: .zero - configuration.triggeredWindow)
        recentTriggers.removeAll { $0 <= horizon }
        if recentTriggers.count < configuration.triggeredBurst {
            recentTriggers.append(now)
            return check(pair, at: now)
        }
        if !triggered.contains(pair) { triggered.append(pair) }
        return pace(at: now)
    }

    /// How packets of a pair travel; `nil` for a TCP pair without an open connection.
    func path(of pair: CandidatePair) -> Path? {
        guard pair.local.transport.isTCP else {
            return .datagram(from: pair.local.endpoint, to: pair.remote.endpoint)
        }
        guard let id = pair.connection, connections.first(where: { $0.id == id })?.phase == .open else { return nil }
        return .stream(id)
    }

    /// Sends the check of a pair, or for TCP without a connection opens one first.
    mutating func check(_ id: Int, at now: Instant) -> [Effect] {
        guard isChecking, let pair = checkList[id] else { return [] }
        timers.cancel(.reconnect(pair: id))
        checkList.update(id) { pair in
            if !pair.isNominating { pair.state = .inProgress }
            pair.firstChecked = pair.firstChecked ?? now
        }
        if let path = path(of: pair) {
            return request(.check(nominating: pair.isNominating), pair: pair, over: path, of: current, at: now)
        }
        if pair.connection != nil { return [] }
        guard pair.opensConnections else { return pairFailed(id, at: now) }
        return open(pair, at: now)
    }

    /// Sends a Binding request with a transaction of its own (RFC 8445 §7.2.4).
    mutating func request(
        _ purpose: Transaction.Purpose, pair: CandidatePair, over path: Path, of generation: Generation,
        at now: Instant
    ) -> [Effect] {
        let id = TransactionID(random: &random)
        guard let remoteKey = generation.remoteKey,
            var builder = unprotectedCheck(id, from: pair.local, of: generation), makeRoomForTransaction()
        else { return [.ignored(.overLimit)] }
        if purpose.nominates {
            builder.add(.useCandidate)
            if peer.renominates { builder.add(numberedNomination()) }
        }
        builder.addIntegrity(remoteKey)
        var transaction = Transaction(
            id: id, pair: pair.id, purpose: purpose, remoteKey: remoteKey, role: role, path: path,
            request: builder.finishedWithFingerprint(), sentAt: now, timing: timing(over: path), lastSent: now,
            regular: now)
        if case .check = purpose {
            cancelTransactions(of: pair.id)
            checkList.update(pair.id) { $0.transaction = id }
            transaction.haste = haste(for: pair, over: path, at: now)
        }
        schedule(&transaction, at: now)
        transactions.append(transaction)
        return [transmit(transaction.request, over: path, at: now)]
    }

    /// A check as it is before it nominates and is protected (RFC 8445 §7.1); `nil` without the peer's credentials.
    func unprotectedCheck(_ id: TransactionID, from local: Candidate, of generation: Generation) -> MessageBuilder? {
        guard let remote = generation.remote else { return nil }
        var builder = MessageBuilder(.request, .binding, id)
        builder.add(.username("\(remote.fragment):\(generation.local.fragment)"))
        builder.add(.priority(reflexivePriority(of: local)))
        builder.add(role == .controlling ? .iceControlling(tieBreaker) : .iceControlled(tieBreaker))
        return builder
    }

    /// NOMINATION with the next number, so that of nominations that overtake each other the last one counts.
    private mutating func numberedNomination() -> Attribute {
        nominations &+= 1
        var writer = ByteWriter(capacity: 4)
        writer.write(nominations)
        return .unknown(.nomination, writer.bytes)
    }

    /// The priority of the peer-reflexive candidate a check may give birth to (RFC 8445 §7.1.1).
    ///
    /// Each kind counts its local preferences down from the same number; relays take the lower half here, so that no
    /// two bases give birth to equal priorities.
    func reflexivePriority(of local: Candidate) -> UInt32 {
        let preference = Priority.localPreference(of: local.priority)
        return Priority.candidate(
            .peerReflexive, localPreference: local.kind == .relayed ? preference / 2 : preference,
            component: local.component)
    }

    private mutating func makeRoomForTransaction() -> Bool {
        guard transactions.count >= configuration.transactionLimit else { return true }
        guard let index = transactions.firstIndex(where: { $0.isCancelled }) else { return false }
        timers.cancel(.transaction(transactions.remove(at: index).id))
        return true
    }

    /// Stops repeating the checks of a pair; their answers still count (RFC 8445 §7.3.1.4).
    mutating func cancelTransactions(of pair: Int) {
        for index in transactions.indices where transactions[index].pair == pair {
            guard case .check = transactions[index].purpose else { continue }
            transactions[index].isCancelled = true
        }
    }

    /// Gives a pair up; others may now be unfrozen or nominated. A selected pair stays, as consent watches over it.
    mutating func pairFailed(_ id: Int, at now: Instant) -> [Effect] {
        guard let pair = checkList[id] else { return [] }
        cancelTransactions(of: id)
        timers.cancel(.reconnect(pair: id))
        triggered.removeAll { $0 == id }
        checkList.update(id) { pair in
            pair.state = .failed
            pair.validLocal = nil
            pair.transaction = nil
            pair.isNominating = false
        }
        return considerNomination(pair.component, at: now) + pace(at: now)
    }

    /// Takes the other role and computes all pair priorities anew (RFC 8445 §7.3.1.1).
    mutating func take(_ newRole: Role, at now: Instant) -> [Effect] {
        guard role != newRole else { return [] }
        role = newRole
        checkList.updateAll { pair in
            pair.assign(newRole)
            pair.isNominating = false
            if newRole == .controlling { pair.isNominatedByPeer = false }
        }
        var effects: [Effect] = []
        for component in 1...components {
            timers.cancel(.nomination(component: component))
            effects += considerNomination(component, at: now)
        }
        return effects
    }
}
