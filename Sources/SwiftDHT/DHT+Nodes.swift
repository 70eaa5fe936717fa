internal import SansIO

/// Which nodes are known, and in which state.
extension DHT {
    /// Notes that a node exists, was heard or answered.
    mutating func learn(_ node: KnownNode, _ how: Acquaintance, isClient: Bool, at now: Instant) {
        guard node.id != nodeID, node.id != .zero else { return }
        let family = node.endpoint.address.family
        let known = networks[family].nodes[node.id]
        guard !isClient else {
            // A client is known only as long as we ask it something; others shall not hear of it.
            if how == .replied { note(node, how, at: now) }
            return
        }
        if known == nil { guard insertNode(node, at: now) else { return } }
        note(node, how, at: now)
        if how > .named { insertIntoTable(node, how, at: now) }
        if how == .replied, networks[family].status != .connected { changeStatus(of: family, to: .connected, at: now) }
        if known == nil || known?.isExpired == true && how > .named { offerToSearches(node, at: now) }
    }

    private mutating func note(_ node: KnownNode, _ how: Acquaintance, at now: Instant) {
        let configuration = configuration
        networks[node.endpoint.address.family].nodes.update(node.id) { known in
            if how > .named || known.isStale(configuration, at: now) && !known.isExpired {
                known.endpoint = node.endpoint
            }
            guard how > .named else { return }
            known.heard = now
            known.isExpired = false
            guard how == .replied else { return }
            known.replied = now
            known.isSlow = false
        }
    }

    /// Makes room if need be; `false` when every known node is more useful than the newcomer.
    private mutating func insertNode(_ node: KnownNode, at now: Instant) -> Bool {
        let family = node.endpoint.address.family
        if networks[family].nodes.count >= configuration.nodeLimit {
            removeUselessNodes(family, at: now)
            guard networks[family].nodes.count < configuration.nodeLimit else { return false }
        }
        networks[family].nodes.insert(RemoteNode(id: node.id, endpoint: node.endpoint))
        return true
    }

    /// Forgets nodes outside of the routing table that never answered or are gone.
    mutating func removeUselessNodes(_ family: IPAddress.Family, at now: Instant) {
        let (table, configuration) = (networks[family].table, configuration)
        networks[family].nodes.removeAll { node in
            guard node.pending.isEmpty, !table.contains(node.id) else { return false }
            guard node.heard != nil || !node.isExpired else { return true }
            return node.isStale(configuration, at: now)
        }
    }

    private mutating func insertIntoTable(_ node: KnownNode, _ how: Acquaintance, at now: Instant) {
        let family = node.endpoint.address.family
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
        let owed = networks[family].nodes[id]?.pending ?? []
        networks[family].nodes.update(id) {
            $0.isExpired = true
            $0.pending = []
        }
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
        updateStatus(of: family, at: now)
    }

    private mutating func expire(_ id: NodeID, in search: SearchKey) {
        var closed: [UInt32] = []
        searches[search]?.update(id) { node in
            node.isExpired = true
            node.token = []
            node.lookups = []
            node.stores.removeAll { $0.isPending }
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
            if network.nodes.nodes.contains(where: { $0.isGood(freshness) }) {
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
        switch status {
        case .connected: connected(family, at: now)
        case .connecting: break
        case .disconnected: scheduleBootstrap(at: now)
        }
    }

    /// Fills the routing table around us, and starts what waited for a connection.
    private mutating func connected(_ family: IPAddress.Family, at now: Instant) {
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
