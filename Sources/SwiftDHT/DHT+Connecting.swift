public import SansIO

/// Coming into the network, and back into it.
extension DHT {
    /// Pings `endpoints`, and again with growing pauses while disconnected. Legal at any time; endpoints add up.
    public mutating func bootstrap(_ endpoints: [Endpoint], at now: Instant) -> [Effect] {
        start(at: now)
        for endpoint in endpoints where !endpoint.isMartian && !bootstrapEndpoints.contains(endpoint) {
            guard bootstrapEndpoints.count < configuration.bootstrapLimit else { break }
            bootstrapEndpoints.append(endpoint)
        }
        for family in IPAddress.Family.allCases {
            networks[family].reconnectWait = configuration.bootstrapInterval
            pingBootstrapEndpoints(of: family, at: now)
            updateStatus(of: family, at: now)
            scheduleReconnect(family, at: now)
        }
        return flush()
    }

    /// Inserts nodes remembered from an earlier run, and pings them.
    ///
    /// They are asked again as long as the node is disconnected, but forgotten once it has other company.
    public mutating func insert(_ nodes: [KnownNode], at now: Instant) -> [Effect] {
        start(at: now)
        for node in nodes where !node.endpoint.isMartian && node.id != nodeID && node.id != .zero {
            let family = node.endpoint.address.family
            networks[family].remember(node, limit: configuration.formerNodeLimit)
            learn(node, .named, isClient: false, at: now)
            ping(node, at: now)
        }
        for family in IPAddress.Family.allCases {
            updateStatus(of: family, at: now)
            scheduleReconnect(family, at: now)
        }
        return flush()
    }

    /// Reports that our own machine sends nothing to `endpoint` (ENETUNREACH, EHOSTUNREACH, EAFNOSUPPORT, EPIPE or EPERM).
    public mutating func sendFailed(to endpoint: Endpoint, at now: Instant) -> [Effect] {
        start(at: now)
        let owed = pending.values.filter { $0.endpoint == endpoint }.sorted { $0.transaction < $1.transaction }
        for request in owed where request.node == nil { _ = drop(request.transaction) }
        var failed: [NodeID] = []
        for request in owed {
            guard let node = request.node, !failed.contains(node) else { continue }
            failed.append(node)
            expireNode(node, endpoint.address.family, at: now)
        }
        updateStatus(of: endpoint.address.family, at: now)
        return flush()
    }

    /// Reports that local addresses or routes changed.
    ///
    /// What others saw of us is forgotten, pauses between attempts to connect start over, and nodes are asked for new
    /// tokens, as theirs are bound to an address that may be gone; listens begin anew with them, so that nothing is missed
    /// that was pushed to that address.
    public mutating func connectivityChanged(at now: Instant) -> [Effect] {
        start(at: now)
        observed.reset()
        for family in IPAddress.Family.allCases {
            networks[family].reconnectWait = configuration.bootstrapInterval
            networks[family].roundTrip = RoundTrip()
            networks[family].tokens.removeAll()
            timers.cancel(.reconnect(family))
            let width = configuration.searchWidth
            for node in networks[family].nodes.closest(to: nodeID, limit: width, where: { !$0.isExpired }) {
                ping(node.known, at: now)
            }
            reconnect(family, at: now)
            for key in networks[family].searchKeys { resynchronise(SearchKey(key: key, family: family), at: now) }
        }
        return flush()
    }

    // MARK: Bootstrap

    private mutating func pingBootstrapEndpoints(of family: IPAddress.Family, at now: Instant) {
        for endpoint in bootstrapEndpoints where endpoint.address.family == family { pingUnknown(endpoint, at: now) }
    }

    /// Tries to come back into the network later, unless connected by then.
    mutating func scheduleReconnect(_ family: IPAddress.Family, at now: Instant) {
        guard networks[family].status != .connected, !timers.isSet(.reconnect(family)), hasSomebodyToAsk(family) else {
            return
        }
        timers.set(.reconnect(family), at: now.advanced(by: networks[family].reconnectWait))
        networks[family].reconnectWait = min(networks[family].reconnectWait * 2, configuration.bootstrapIntervalLimit)
    }

    private func hasSomebodyToAsk(_ family: IPAddress.Family) -> Bool {
        bootstrapEndpoints.contains { $0.address.family == family } || networks[family].nodes.count > 0
            || !networks[family].former.isEmpty
    }

    /// Asks everybody who may lead back into the network: where we came from, and whom we knew.
    mutating func reconnect(_ family: IPAddress.Family, at now: Instant) {
        pingBootstrapEndpoints(of: family, at: now)
        if networks[family].status != .connected {
            let known = networks[family].nodes.nodes.filter { $0.replied != nil && $0.isIdle }
                .sorted { ($0.replied ?? .zero, $0.id) > ($1.replied ?? .zero, $1.id) }.map(\.known)
            var asked = Array(known.prefix(configuration.reunionProbes / 2))
            var others = Array(known.dropFirst(asked.count)) + networks[family].former
            others.shuffle(using: &random)
            asked += others.prefix(configuration.reunionProbes - asked.count)
            for node in asked { request(.ping, to: node, purpose: .reunion, at: now) }
        }
        updateStatus(of: family, at: now)
        scheduleReconnect(family, at: now)
    }

    /// While connected, asks one of those who led into the network and one who was lost: a network that was divided
    /// does not grow together by itself.
    mutating func lookForLostNodes(_ family: IPAddress.Family, at now: Instant) {
        guard networks[family].status == .connected else { return }
        let good = networks[family].nodes.nodes.filter { $0.isGood(configuration, at: now) }
        let endpoints = bootstrapEndpoints.filter { endpoint in
            endpoint.address.family == family && !good.contains { $0.endpoint == endpoint }
        }
        if let endpoint = endpoints.randomElement(using: &random) { pingUnknown(endpoint, at: now) }
        let lost = networks[family].former.filter { node in !good.contains { $0.id == node.id } }
        if let node = lost.randomElement(using: &random) { request(.ping, to: node, purpose: .reunion, at: now) }
    }

    /// Somebody who was lost answered: there may be more of the network around us than we knew.
    mutating func reunite(with id: NodeID, _ family: IPAddress.Family, at now: Instant) {
        networks[family].former.removeAll { $0.id == id }
        searchOwnNeighbours(family, at: now)
    }
}
