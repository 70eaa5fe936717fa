internal import SansIO

/// Which nodes are known, and in which state.
extension DHT {
    /// Notes that a node exists, was heard or answered.
    mutating func learn(_ node: KnownNode, _ how: Acquaintance, isClient: Bool, at now: Instant) {
        guard node.id != nodeID, node.id != .zero else { return }
        let family = node.endpoint.address.family
        if how > .named { networks[family].silence.end() }
        if !isClient, isNoNews(node, how, at: now) { return }
        let known = networks[family].nodes[node.id]
        guard !isClient else {
            // A client is known only as long as we ask it something; others shall not hear of it.
            if how == .replied, known != nil { note(node, how, at: now) }
            return
        }
        if known == nil { guard insertNode(node, at: now) else { return } }
        guard isAt(node.endpoint, node.id, how, at: now) else { return }
        note(node, how, at: now)
        if how > .named { insertIntoTable(node, how, at: now) }
        if how == .replied, known?.replied == nil || known?.isExpired == true {
            neighbourAppeared(node.id, family, at: now)
        }
        if how == .replied, networks[family].status != .connected { changeStatus(of: family, to: .connected, at: now) }
        if known == nil || known?.isExpired == true && how > .named { offerToSearches(node, at: now) }
    }

    /// Takes note of a node that is known, lives, and is where it was, as nearly all that send something or are named.
    private mutating func isNoNews(_ node: KnownNode, _ how: Acquaintance, at now: Instant) -> Bool {
        let family = node.endpoint.address.family
        guard let position = networks[family].nodes.position(of: node) else { return false }
        guard how > .named else { return true }
        guard networks[family].nodes.nodes[position].isLiving, networks[family].status == .connected,
            networks[family].table.isMember(node.id, isReply: how == .replied, at: now)
                || networks[family].nodes.nodes[position].wasOffered(
                    after: now.rewound(by: configuration.offerInterval))
        else { return false }
        networks[family].nodes.update(at: position) { $0.wasHeard(isReply: how == .replied, at: now) }
        return true
    }

    private mutating func note(_ node: KnownNode, _ how: Acquaintance, at now: Instant) {
        guard how > .named else { return }
        networks[node.endpoint.address.family].nodes.update(node.id) {
            $0.wasHeard(isReply: how == .replied, at: now)
        }
    }

    /// Whether a node is to be found at `endpoint`: at once where nothing speaks for another place. One that answered
    /// us elsewhere is asked there first, and moves when it is silent: an identifier alone proves nothing.
    private mutating func isAt(_ endpoint: Endpoint, _ id: NodeID, _ how: Acquaintance, at now: Instant) -> Bool {
        let family = endpoint.address.family
        guard let known = networks[family].nodes[id], known.endpoint != endpoint else { return true }
        // What others say counts only of nodes that were not heard for long.
        guard how > .named || known.isStale(configuration, at: now) && !known.isExpired else { return false }
        guard known.replied != nil, !known.isExpired else {
            networks[family].nodes.move(id, to: endpoint)
            return true
        }
        networks[family].nodes.update(id) { $0.contender = endpoint }
        if let last = known.challenged, last.duration(to: now) < configuration.challengeInterval { return false }
        networks[family].nodes.update(id) { $0.challenged = now }
        request(.ping, to: known.known, purpose: .challenge, at: now)
        return false
    }

    /// Makes room if need be; `false` when every known node is more useful than the newcomer.
    private mutating func insertNode(_ node: KnownNode, at now: Instant) -> Bool {
        let family = node.endpoint.address.family
        guard networks[family].nodes.crowd(around: node.endpoint.address) < configuration.nodesPerPrefix else {
            return false
        }
        if networks[family].nodes.count >= configuration.nodeLimit {
            // Looking at all nodes for every newcomer would make a flood of them expensive.
            if let swept = networks[family].swept, swept.duration(to: now) < .seconds(1) { return false }
            networks[family].swept = now
            removeUselessNodes(family, isFull: true, at: now)
            guard networks[family].nodes.count < configuration.nodeLimit else { return false }
        }
        networks[family].nodes.insert(RemoteNode(id: node.id, endpoint: node.endpoint))
        return true
    }

    /// Forgets nodes outside of the routing table that never answered or are gone; when all room is taken, also those
    /// that may answer yet, as anybody can name or pretend to be any number of them.
    mutating func removeUselessNodes(_ family: IPAddress.Family, isFull: Bool = false, at now: Instant) {
        let (table, configuration) = (networks[family].table, configuration)
        let removed = networks[family].nodes.removeAll { node in
            guard node.isIdle, !table.contains(node.id) else { return false }
            guard node.heard != nil || !node.isExpired else { return true }
            return isFull && node.replied == nil || node.isStale(configuration, at: now)
        }
        for node in removed where node.replied != nil {
            networks[family].remember(node.known, limit: configuration.formerNodeLimit)
        }
    }

    private mutating func insertIntoTable(_ node: KnownNode, _ how: Acquaintance, at now: Instant) {
        let family = node.endpoint.address.family
        networks[family].nodes.update(node.id) { $0.offered = now }
        let nodes = networks[family].nodes
        let insertion = networks[family].table.insert(
            node, own: nodeID, isReply: how == .replied, nodes: nodes, configuration: configuration, at: now)
        switch insertion {
        case .inserted where how == .heard: ping(node, at: now)
        case .questioned(let doubtful):
            if let doubtful = nodes[doubtful] { ping(doubtful.known, at: now) }
        case .inserted, .present, .refused: break
        }
    }

    mutating func ping(_ node: KnownNode, at now: Instant) {
        request(.ping, to: node, purpose: .ping, at: now)
    }

    /// Marks a node as dead: everything it owes us fails.
    mutating func expireNode(_ id: NodeID, _ family: IPAddress.Family, at now: Instant) {
        networks[family].nodes.update(id) { $0.isExpired = true }
        networks[family].tokens.remove(id)
        let owed = requestsOwed(by: id, family)
        var touched: [SearchKey] = []
        for transaction in owed {
            guard let request = drop(transaction) else { continue }
            if let search = request.search { touched.append(search) }
            if case .push(let key) = request.purpose { listeners.remove(id, at: key, reachedAt: request.endpoint) }
        }
        for key in networks[family].searchKeys {
            let search = SearchKey(key: key, family: family)
            guard searches[search]?.index(of: id) != nil else { continue }
            expire(id, in: search)
            if !touched.contains(search) { touched.append(search) }
        }
        for search in touched { step(search, at: now) }
        askContender(id, family, at: now)
        updateStatus(of: family, at: now)
    }

    /// The node is not where it was known to be: wherever else it was seen counts now.
    private mutating func askContender(_ id: NodeID, _ family: IPAddress.Family, at now: Instant) {
        guard let contender = networks[family].nodes[id]?.contender else { return }
        networks[family].nodes.move(id, to: contender)
        ping(KnownNode(id: id, endpoint: contender), at: now)
    }

    /// A node that was asked something is silent while nobody else is heard: are all of them?
    mutating func nodeIsSilent(_ family: IPAddress.Family, at now: Instant) {
        let mustAsk = networks[family].silence.deepens(limit: configuration.silenceLimit)
        defer { if networks[family].silence.isTotal { updateStatus(of: family, at: now) } }
        guard mustAsk, networks[family].status == .connected else { return }
        let good = networks[family].nodes.nodes.filter { $0.isGood(configuration, at: now) }
        let probes = good.sorted { ($0.replied ?? .zero, $0.id) > ($1.replied ?? .zero, $1.id) }
            .prefix(configuration.silenceProbes)
        networks[family].silence.probe(probes.count)
        for node in probes { ping(node.known, at: now) }
    }

    private mutating func expire(_ id: NodeID, in search: SearchKey) {
        var closed: [UInt32] = []
        searches[search]?.update(id) { node in
            node.isExpired = true
            (node.token, node.synced) = ([], nil)
            node.lookups = []
            node.stores.removeAll { $0.isPending }
            node.probes = []
            closed = node.subscriptions.map(\.socket)
            node.subscriptions = []
        }
        for socket in closed { sockets[socket] = nil }
    }

    /// Whether a family is connected, from what is known now.
    mutating func updateStatus(of family: IPAddress.Family, at now: Instant) {
        let network = networks[family]
        let freshness = Freshness(configuration, at: now)
        let status: Status =
            if !network.silence.isTotal, network.nodes.nodes.contains(where: { $0.isGood(freshness) }) {
                .connected
            } else if network.bootstrapPings > 0 || network.nodes.nodes.contains(where: { !$0.isExpired }) {
                .connecting
            } else {
                .disconnected
            }
        changeStatus(of: family, to: status, at: now)
    }

    private mutating func changeStatus(of family: IPAddress.Family, to status: Status, at now: Instant) {
        guard networks[family].status != status else { return }
        networks[family].status = status
        outbox.append(.status(status, family))
        if status == .connected { connected(family, at: now) } else { scheduleReconnect(family, at: now) }
    }

    /// Fills the routing table around us, and starts what waited for a connection.
    private mutating func connected(_ family: IPAddress.Family, at now: Instant) {
        timers.cancel(.reconnect(family))
        networks[family].reconnectWait = configuration.bootstrapInterval
        searchOwnNeighbours(family, at: now)
        for id in operations.keys.sorted() {
            guard let operation = operations[id], !operation.families.contains(family) else { continue }
            guard operation.families.isEmpty || operation.isLasting else { continue }
            attach(id, to: family, at: now)
        }
    }

    mutating func searchOwnNeighbours(_ family: IPAddress.Family, at now: Instant) {
        let key = SearchKey(key: nodeID, family: family)
        openSearch(key, at: now)
        searches[key]?.isForTable = true
        step(key, at: now)
    }
}
