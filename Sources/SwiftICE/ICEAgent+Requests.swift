internal import SansIO

extension ICEAgent {
    /// Where a message came in.
    struct Arrival: Hashable, Sendable {
        let path: Path
        let source: Endpoint
        let component: Int
    }

    private static let understood: Set<AttributeType> = [
        .mappedAddress, .username, .messageIntegrity, .errorCode, .unknownAttributes, .realm, .nonce,
        .messageIntegritySHA256, .passwordAlgorithm, .userHash, .xorMappedAddress, .priority, .useCandidate,
        .changeRequest, .padding, .responsePort,
    ]

    mutating func receive(_ message: Message, _ arrival: Arrival, at now: Instant) -> [Effect] {
        switch (message.type.messageClass, message.type.method) {
        case (.request, .binding): receiveRequest(message, arrival, at: now)
        case (.success, .binding), (.error, .binding): receiveResponse(message, arrival, at: now)
        case (.indication, .binding): []
        default: [.ignored(.unexpected(message.type))]
        }
    }

    /// Answers a check, whatever the state, and then draws the conclusions (RFC 8445 §7.3).
    private mutating func receiveRequest(_ message: Message, _ arrival: Arrival, at now: Instant) -> [Effect] {
        let generation = addressee(of: message)
        if let code = refusal(of: message, to: generation) {
            let answer = errorResponse(code, to: message)
            return [transmit(answer, over: arrival.path, at: now), .ignored(.unauthenticated(code))]
        }
        guard let generation, generation.number == current.number else {
            // A check from before the restart: the peer may still use what it found then. Once nothing of that is in use
            // here, an answer would keep it talking to nobody (RFC 7675 §5.1).
            if generation != nil, case .failed = state { return [.ignored(.noPath)] }
            identify(arrival.path)
            let answer = successResponse(to: message, from: arrival.source, under: generation ?? current)
            return [transmit(answer, over: arrival.path, at: now)]
        }
        var effects: [Effect] = []
        if state == .new || state == .checking {
            let claim = message.first(.iceControlling) ?? message.first(.iceControlled)
            switch RoleConflict.judge(role, tieBreaker: tieBreaker, claim: claim) {
            case .none: break
            case .refuse:
                let answer = errorResponse(.roleConflict, to: message)
                return [transmit(answer, over: arrival.path, at: now), .ignored(.roleConflict)]
            case .yield: effects += take(role.opposite, at: now)
            }
        }
        let answer = successResponse(to: message, from: arrival.source, under: current)
        effects.append(transmit(answer, over: arrival.path, at: now))
        identify(arrival.path)
        var check = ReceivedCheck(
            path: arrival.path, source: arrival.source, component: arrival.component,
            priority: 0, nominates: message.has(.useCandidate))
        if case .priority(let priority) = message.first(.priority), priority > 0 {
            check = check.with(priority: priority)
        }
        if peer.renominates { check.nomination = message.nomination }
        return effects + (state == .new ? remember(check) : process(check, at: now))
    }

    /// The generation a request is meant for, if any.
    private func addressee(of message: Message) -> Generation? {
        guard case .username(let username) = message.first(.username) else { return nil }
        if current.isAddressed(by: username) { return current }
        return former.flatMap { $0.isAddressed(by: username) ? $0 : nil }
    }

    /// The error a request is to be refused with: credentials first, then what we would have to understand.
    private func refusal(of message: Message, to generation: Generation?) -> ErrorCode? {
        guard message.has(.username), message.hasIntegrity else { return .badRequest }
        guard let generation, message.isAuthentic(under: generation.localKey) else { return .unauthorized }
        return message.unknownAttributes(knowing: Self.understood).isEmpty ? nil : .unknownAttribute
    }

    /// Errors about credentials carry no integrity, all others do (RFC 8489 §9.1.3).
    private func errorResponse(_ code: ErrorCode, to request: Message) -> [UInt8] {
        var builder = MessageBuilder(.error, request.type.method, request.transaction)
        builder.add(.errorCode(code, reason: code.reason))
        if code == .unknownAttribute {
            builder.add(.unknownAttributes(Array(request.unknownAttributes(knowing: Self.understood).prefix(32))))
        }
        if code != .badRequest, code != .unauthorized, let generation = addressee(of: request) {
            protect(&builder, like: request, under: generation)
        }
        return builder.finishedWithFingerprint()
    }

    private func successResponse(
        to request: Message, from source: Endpoint, under generation: Generation
    ) -> [UInt8] {
        var builder = MessageBuilder(.success, .binding, request.transaction)
        builder.add(.xorAddress(.xorMappedAddress, source))
        protect(&builder, like: request, under: generation)
        return builder.finishedWithFingerprint()
    }

    private func protect(_ builder: inout MessageBuilder, like request: Message, under generation: Generation) {
        if request.has(.messageIntegritySHA256) {
            builder.addIntegritySHA256(generation.localKey)
        } else {
            builder.addIntegrity(generation.localKey)
        }
    }

    /// Keeps a check that came before the remote description.
    private mutating func remember(_ check: ReceivedCheck) -> [Effect] {
        if let index = earlyChecks.firstIndex(where: { $0.path == check.path }) {
            if check.nominates { earlyChecks[index].nominates = true }
            return []
        }
        guard earlyChecks.count(where: { $0.component == check.component }) < configuration.earlyCheckLimit else {
            return [.ignored(.overLimit)]
        }
        earlyChecks.append(check)
        return []
    }

    /// Draws the conclusions from a check that was answered (RFC 8445 §7.3.1.3 to §7.3.1.5).
    mutating func process(_ check: ReceivedCheck, at now: Instant) -> [Effect] {
        guard isChecking else { return [] }
        if case .datagram(let base, _) = check.path {
            adopt(base)
            if bases.contains(where: { $0.endpoint == base && $0.kind == .relayed }) {
                cameThrough(base, from: check.source.address)
            }
        }
        let selection = currentSelection(check.component)
        if let selection, !check.nominates || selection.pair.path == check.path {
            if selection.pair.path == check.path {
                return check.nominates ? [] : repeatNomination(check.component, at: now)
            }
            return processAside(check, selection, at: now)
        }
        guard !isChase(check), let id = pair(for: check), let pair = checkList[id] else {
            return [.ignored(.overLimit)]
        }
        let isOvertaken = peer.renominates && check.nomination < highestNominations[check.component - 1]
        let isRepeated = pair.isNominatedByPeer && selection != nil && check.nomination <= pair.nomination
        let isNomination = check.nominates && role == .controlled && !isOvertaken
        if isNomination { highestNominations[check.component - 1] = check.nomination }
        checkList.update(id) { pair in
            if !check.nominates { pair.wasCheckedPlainly = true }
            guard isNomination else { return }
            pair.isNominatedByPeer = true
            pair.nomination = check.nomination
        }
        switch pair.state {
        case .succeeded: return isNomination && !isRepeated ? select(id, at: now) : []
        // Only one that has just got its connection from the peer has no check under way.
        case .inProgress where pair.local.transport.isTCP:
            return pair.transaction == nil && path(of: pair) != nil ? self.check(id, at: now) : []
        case .inProgress, .waiting, .frozen, .failed: return trigger(id, at: now)
        }
    }

    /// Whether a check came from yet another new address while none of our checks to such addresses is answered from
    /// where it went. Between two NATs that map by destination and let everybody in, each check of one side makes an
    /// address that the other side has not seen: such a chase must not keep all other pairs waiting.
    private func isChase(_ check: ReceivedCheck) -> Bool {
        guard asymmetries[check.component - 1] >= configuration.asymmetryLimit,
            case .datagram(let base, _) = check.path,
            !bases.contains(where: { $0.endpoint == base && $0.kind == .relayed })
        else { return false }
        return !remotes.contains {
            $0.component == check.component && $0.transport == .udp && $0.endpoint.address == check.source.address
                && $0.endpoint.port == check.source.port
        }
    }

    /// A check on another path than the selected one that does not nominate: a leftover of the peer's search for paths,
    /// or later the sign that its address has changed. Then the path it came on is checked as well.
    mutating func processAside(_ check: ReceivedCheck, _ selection: Selection, at now: Instant) -> [Effect] {
        guard case .datagram = check.path else {
            linger(check.component, at: now)
            return []
        }
        guard selection.since.duration(to: now) > configuration.settling else {
            let known = checkList.pairs.first { path(of: $0) == check.path }?.id
            if let known { checkList.update(known) { $0.wasCheckedPlainly = true } }
            return []
        }
        guard let id = pair(for: check), let pair = checkList[id] else { return [.ignored(.overLimit)] }
        checkList.update(id) { $0.wasCheckedPlainly = true }
        // One that is being nominated has a check under way, too; another one would take its place, again and again.
        return pair.state == .inProgress || pair.isNominating ? [] : trigger(id, at: now)
    }

    /// The pair a check belongs to, made up where there is none yet.
    private mutating func pair(for check: ReceivedCheck) -> Int? {
        switch check.path {
        case .datagram(let base, _):
            guard
                let local = locals.first(where: {
                    $0.candidate.endpoint == base && $0.candidate.transport == .udp && $0.base == base
                })?.candidate,
                let remote = remote(of: check)
            else { return nil }
            return add(local: local, remote: remote)
        case .stream(let id):
            guard let index = connections.firstIndex(where: { $0.id == id }) else { return nil }
            if let pair = connections[index].pair { return pair }
            if let pair = simultaneousPair(of: connections[index]) {
                connections[index].pair = pair
                checkList.update(pair) { $0.connection = id }
                return pair
            }
            let base = connections[index].base
            guard
                let local = locals.first(where: {
                    $0.candidate.endpoint == base && $0.candidate.transport == .tcp(.passive)
                })?.candidate
            else { return nil }
            let pair = add(local: local, remote: connectingRemote(of: check))
            connections[index].pair = pair
            if let pair { checkList.update(pair) { $0.connection = id } }
            return pair
        }
    }

    /// The simultaneous-open pair an accepted connection belongs to: it comes from the very port the peer announced. If
    /// our own attempt has not made it, there is no other connection between these two ports.
    private func simultaneousPair(of connection: Connection) -> Int? {
        checkList.pairs.first { pair in
            pair.local.transport == .tcp(.simultaneousOpen) && pair.local.endpoint == connection.base
                && pair.remote.endpoint == connection.remote && path(of: pair) == nil
        }?.id
    }

    private mutating func add(local: Candidate, remote: Candidate) -> Int? {
        let id = checkList.add(local: local, remote: remote, role: role)
        checkList.trim(to: configuration.pairLimit, keeping: id)
        return checkList[id] == nil ? nil : id
    }

    /// The remote candidate a datagram came from; a new peer-reflexive one when its address was never signalled.
    private mutating func remote(of check: ReceivedCheck) -> Candidate? {
        let known = remotes.filter {
            $0.component == check.component && $0.transport == .udp && $0.endpoint.address == check.source.address
                && $0.endpoint.port == check.source.port
        }
        if var remote = known.max(by: { $0.priority < $1.priority }) {
            remote.endpoint = check.source
            return remote
        }
        guard makeRoomForReflexive(check.component) else { return nil }
        let remote = reflexive(check, .udp)
        remotes.append(remote)
        return remote
    }

    /// Forgets the oldest peer-reflexive candidate that led nowhere, if there are too many.
    private mutating func makeRoomForReflexive(_ component: Int) -> Bool {
        let all = remotes.count { $0.component == component }
        let reflexive = remotes.indices.filter {
            remotes[$0].component == component && remotes[$0].kind == .peerReflexive
        }
        guard all >= configuration.remoteCandidateLimit || reflexive.count >= configuration.peerReflexiveLimit else {
            return true
        }
        guard
            let useless = reflexive.first(where: { index in
                let pairs = checkList.pairs.filter { $0.remote == remotes[index] }
                return pairs.allSatisfy { $0.state == .failed }
                    && selections[component - 1]?.checked.remote.endpoint != remotes[index].endpoint
            })
        else { return false }
        let gone = remotes.remove(at: useless)
        checkList.removeAll { $0.remote == gone }
        return true
    }

    /// The active candidate behind a connection; its announced port says nothing, so the address alone counts.
    private mutating func connectingRemote(of check: ReceivedCheck) -> Candidate {
        let known = remotes.filter {
            $0.component == check.component && $0.transport == .tcp(.active)
                && $0.endpoint.address == check.source.address
        }
        guard var remote = known.max(by: { $0.priority < $1.priority }) else { return reflexive(check, .tcp(.active)) }
        remote.endpoint = check.source
        return remote
    }

    private mutating func reflexive(_ check: ReceivedCheck, _ transport: Candidate.Transport) -> Candidate {
        let fallback = Priority.candidate(.peerReflexive, localPreference: 0, component: check.component)
        return Candidate(
            foundation: Foundation(random: &random), component: check.component, transport: transport,
            priority: check.priority > 0 ? check.priority : fallback, endpoint: check.source, kind: .peerReflexive)
    }
}

extension Message {
    /// The number of the nomination, 0 without one.
    fileprivate var nomination: UInt32 {
        guard case .unknown(_, let bytes) = first(.nomination), bytes.count == 4 else { return 0 }
        return bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }
}

extension ReceivedCheck {
    fileprivate func with(priority: UInt32) -> ReceivedCheck {
        ReceivedCheck(path: path, source: source, component: component, priority: priority, nominates: nominates)
    }
}
