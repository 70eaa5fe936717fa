public import SansIO

extension ICEAgent {
    /// Our candidates, most useful first, for the peer: the first address of each family, then mapped and relayed
    /// addresses, then the rest, as some peers read only so many. What ``Configuration/policy`` hides is left out.
    public var localCandidates: [Candidate] { usefulOrder.map { shown(locals[$0].candidate) } }

    /// Our candidates of the host's own interfaces, whatever the policy hides: for those that are told by names.
    public var hostCandidates: [Candidate] { locals.map(\.candidate).filter { $0.kind == .host } }

    /// The places of the candidates that may be shown, most useful first.
    var usefulOrder: [Int] {
        locals.indices.filter { isShown(locals[$0].candidate) }
            .sorted { (usefulness(of: $0), $0) < (usefulness(of: $1), $1) }
    }

    private func isShown(_ candidate: Candidate) -> Bool {
        switch configuration.policy {
        case .all: true
        case .noHost: candidate.kind != .host
        case .relayOnly: candidate.kind == .relayed
        }
    }

    /// A candidate as the peer may see it: without the base where that is to stay hidden (RFC 8839 §5.1).
    func shown(_ candidate: Candidate) -> Candidate {
        guard configuration.policy != .all, candidate.related != nil else { return candidate }
        var candidate = candidate
        candidate.related = Endpoint(.unspecified(candidate.endpoint.address.family), port: Candidate.discardPort)
        return candidate
    }

    /// Whether a base may be used at all.
    func isAllowed(_ base: Base) -> Bool { configuration.policy != .relayOnly || base.kind == .relayed }

    /// What to tell the peer.
    public var localDescription: SessionDescription {
        SessionDescription(credentials: localCredentials, candidates: localCandidates)
    }

    private func usefulness(of index: Int) -> Int {
        let candidate = locals[index].candidate
        switch candidate.kind {
        case .serverReflexive, .peerReflexive: return 1
        case .relayed: return 2
        case .host:
            let address = candidate.endpoint.address
            if address.isLinkLocal { return 4 }
            let first = locals.first {
                $0.candidate.kind == .host && !$0.base.address.isLinkLocal && $0.base.address.family == address.family
            }
            return first?.base.address == address ? 0 : 3
        }
    }

    /// Adds a bound socket: one candidate for UDP, a passive and an active one for TCP, and a simultaneous-open one
    /// where configured.
    ///
    /// Earlier bases get higher priorities; see ``Priority/interleaved(_:)``. Legal before and after the start; a base
    /// added when every component has its pair is used when one is lost, or to find a better one.
    public mutating func addBase(_ base: Base, at now: Instant) -> [Effect] {
        guard isAlive else { return [.ignored(.wrongState)] }
        guard (1...components).contains(base.component), Self.isUsable(base.endpoint),
            base.kind == .host || base.kind == .relayed,
            !bases.contains(where: {
                $0.endpoint == base.endpoint && $0.transport == base.transport
            })
        else { return [.ignored(.unusableCandidate)] }
        var transports: [Candidate.Transport] =
            switch base.transport {
            case .udp: [.udp]
            case .tcp: [.tcp(.passive), .tcp(.active)]
            }
        if configuration.opensSimultaneously, base.transport == .tcp, base.kind == .host {
            transports.append(.tcp(.simultaneousOpen))
        }
        guard roomForLocals(base.component) >= transports.count else { return [.ignored(.overLimit)] }
        bases.append(base)
        for transport in transports {
            let port = transport == .tcp(.active) ? Candidate.discardPort : base.endpoint.port
            addLocal(base, base.endpoint.with(port: port), transport, base.kind)
        }
        return formPairs() + pace(at: now)
    }

    /// Makes a socket that only the peer's check has led to a base: what else it could reach is reached from others.
    mutating func addSocket(_ base: Base) -> Bool {
        guard roomForLocals(base.component) > 0, addLocal(base, base.endpoint, .udp, .host) else { return false }
        bases.append(base)
        return true
    }

    /// Adds a server-reflexive candidate learnt elsewhere: from a STUN server, a port mapping, or other peers.
    ///
    /// - Parameters:
    ///   - base: a base added before.
    ///   - tcp: for a TCP base, whether peers may connect to the address or only see connections come from it.
    public mutating func addMapped(
        _ mapped: Endpoint, base: Base, tcp: Candidate.TCPRole = .passive, at now: Instant
    ) -> [Effect] {
        guard isAlive else { return [.ignored(.wrongState)] }
        guard bases.contains(base) else { return [.ignored(.unknownBase)] }
        let mapped = tcp == .active && base.transport == .tcp ? mapped.with(port: Candidate.discardPort) : mapped
        guard Self.isUsable(mapped) else { return [.ignored(.unusableCandidate)] }
        guard roomForLocals(base.component) > 0 else { return [.ignored(.overLimit)] }
        let transport = base.transport == .udp ? Candidate.Transport.udp : .tcp(tcp)
        let isAdded = addLocal(base, mapped, transport, .serverReflexive)
        return isAdded ? [] : [.ignored(.unusableCandidate)]
    }

    private func roomForLocals(_ component: Int) -> Int {
        configuration.localCandidateLimit - locals.count { $0.candidate.component == component }
    }

    /// Adds a candidate unless it is known; the first of a kind has the highest priority, as Jami counts.
    @discardableResult
    private mutating func addLocal(
        _ base: Base, _ endpoint: Endpoint, _ transport: Candidate.Transport, _ kind: Candidate.Kind
    ) -> Bool {
        let mine = locals.map(\.candidate).filter { $0.component == base.component }
        guard !mine.contains(where: { $0.endpoint == endpoint && $0.transport == transport }) else { return false }
        let taken = mine.filter { $0.kind == kind }.map { Priority.localPreference(of: $0.priority) }
        let preference = (0...UInt16(taken.count)).map { .max - $0 }.first { !taken.contains($0) } ?? 0
        // Each further address of one socket was told by somebody else (RFC 8445 §5.1.1.3).
        let tellers = mine.count { $0.kind == .serverReflexive && $0.related == base.endpoint }
        let server = kind == .serverReflexive ? tellers : 0
        let candidate = Candidate(
            foundation: Foundation(kind: kind, base: base.endpoint.address, server: server),
            component: base.component, transport: transport,
            priority: Priority.candidate(kind, localPreference: preference, component: base.component),
            endpoint: endpoint, kind: kind, related: kind == .serverReflexive ? base.endpoint : nil)
        locals.append(LocalCandidate(candidate: candidate, base: base.endpoint))
        return true
    }

    /// Whether the peer is reached over UDP at this address, as far as we know: it signalled it, or sent an authentic
    /// check from it, or a selected pair leads there. Application data of others is none of the session's.
    public func isPeer(_ source: Endpoint) -> Bool {
        let source = source.unmapped
        if selections.contains(where: { $0?.checked.remote.endpoint == source }) { return true }
        let isKnown = remotes.contains {
            $0.transport == .udp && $0.endpoint.address == source.address && $0.endpoint.port == source.port
        }
        return isKnown || earlyChecks.contains { $0.source == source }
    }

    /// Keeps what is usable; a candidate that was known from a check only is given its signalled properties.
    mutating func learn(_ candidates: [Candidate]) -> [Effect] {
        var effects: [Effect] = []
        for candidate in candidates {
            guard (1...components).contains(candidate.component), candidate.priority > 0,
                Self.isUsable(candidate.endpoint)
            else {
                effects.append(.ignored(.unusableCandidate))
                continue
            }
            if let index = remotes.firstIndex(where: {
                $0.component == candidate.component && $0.endpoint == candidate.endpoint
                    && $0.transport == candidate.transport
            }) {
                upgrade(index, to: candidate)
            } else if remotes.count(where: { $0.component == candidate.component })
                < configuration.remoteCandidateLimit
            {
                remotes.append(candidate)
            } else {
                effects.append(.ignored(.overLimit))
            }
        }
        predict()
        return effects
    }

    private mutating func upgrade(_ index: Int, to candidate: Candidate) {
        let known = remotes[index]
        guard known.kind == .peerReflexive || known.priority < candidate.priority else { return }
        remotes[index] = candidate
        let role = role
        checkList.updateAll { pair in
            guard pair.remote == known else { return }
            pair.remote = candidate
            pair.assign(role)
        }
    }

    static func isUsable(_ endpoint: Endpoint) -> Bool {
        endpoint.port != 0 && !endpoint.address.isUnspecified && !endpoint.address.isMulticast
    }

    /// Pairs every base with every remote candidate it may reach; server-reflexive candidates are checked from their
    /// base, so that their pairs are those of the base (RFC 8445 §6.1.2.4).
    mutating func formPairs() -> [Effect] {
        guard isChecking else { return [] }
        let effects = askForPermissions()
        for local in locals.map(\.candidate) where isCheckedFrom(local) {
            for remote in remotes {
                guard let remote = CandidatePair.reachable(remote, from: local),
                    isWorthChecking(CandidatePair(id: 0, local: local, remote: remote, role: role))
                else { continue }
                let id = checkList.add(local: local, remote: remote, role: role)
                let isPermitted = isPermitted(local, to: remote.endpoint.address)
                checkList.update(id) { $0.isPermitted = isPermitted }
            }
        }
        checkList.trim(to: configuration.pairLimit)
        checkList.unfreeze()
        return effects
    }

    private func isCheckedFrom(_ local: Candidate) -> Bool {
        switch local.kind {
        case .host: configuration.policy != .relayOnly
        case .relayed: true
        case .serverReflexive, .peerReflexive: false
        }
    }
}
