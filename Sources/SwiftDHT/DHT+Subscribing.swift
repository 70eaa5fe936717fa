internal import SansIO

/// Listens: subscriptions at the closest nodes of a search.
extension DHT {
    mutating func subscribeAtClosest(_ search: inout Search, _ facts: StepFacts) {
        guard !search.listens.isEmpty else { return }
        for index in 0..<endOfLeading(search, configuration.listenTargets, facts)
        where search.nodes[index].isUsable {
            for operation in search.listens { subscribeIfDue(operation, &search, index, at: facts.now) }
        }
    }

    private mutating func subscribeIfDue(
        _ operation: OperationID, _ search: inout Search, _ index: Int, at now: Instant
    ) {
        guard let query = operations[operation]?.query else { return }
        let node = search.nodes[index]
        let place = node.subscriptions.firstIndex { $0.operation == operation }
        if let place {
            let subscription = node.subscriptions[place]
            let due = subscription.renewed.advanced(by: configuration.listenInterval)
            guard !subscription.isPending, due <= now else { return }
        }
        let socket = place.map { node.subscriptions[$0].socket } ?? nextSocket()
        let method = Request.Method.listen(
            key: search.key.key, token: node.token, socket: socket, version: 1, query: query == .all ? nil : query)
        let target = KnownNode(id: node.id, endpoint: node.endpoint)
        let purpose = PendingRequest.Purpose.listen(search.key, operation, socket: socket)
        guard request(method, to: target, purpose: purpose, at: now) != nil else { return }
        sockets[socket] = Socket(search: search.key, operation: operation, node: node.id)
        search.update(at: index) { node in
            if let place {
                (node.subscriptions[place].renewed, node.subscriptions[place].isPending) = (now, true)
            } else {
                node.subscriptions.append(
                    .init(operation: operation, socket: socket, renewed: now, isPending: true))
            }
        }
    }

    /// Drawn at random: nodes know theirs, and must not know from it by what name others push.
    private mutating func nextSocket() -> UInt32 {
        while true {
            let socket = UInt32(truncatingIfNeeded: random.next())
            if socket != 0, sockets[socket] == nil { return socket }
        }
    }

    mutating func listenAnswered(_ operation: OperationID, by reply: Reply, in key: SearchKey, at now: Instant) {
        networks[key.family].nodes.update(reply.sender) { $0.tokenRefusals = 0 }
        searches[key]?.update(reply.sender) { node in
            node.wasHeard()
            if !reply.token.isEmpty { (node.token, node.synced) = (reply.token, now) }
            for index in node.subscriptions.indices where node.subscriptions[index].operation == operation {
                node.subscriptions[index].isPending = false
            }
        }
        step(key, at: now)
    }
}
