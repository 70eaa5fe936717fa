internal import SansIO

/// Requests out: sent, repeated, answered, given up.
extension DHT {
    /// Sends a request to a node; `values` follow as fragments. Returns its transaction unless too many are pending.
    @discardableResult
    mutating func request(
        _ method: Request.Method, to node: KnownNode, values: [[UInt8]] = [], purpose: PendingRequest.Purpose,
        at now: Instant
    ) -> UInt32? {
        dispatch(method, node.id, node.endpoint, values, purpose, at: now)
    }

    /// Appends a request to those a node has not answered; returns the one before it.
    private mutating func link(_ transaction: UInt32, to node: NodeID, _ family: IPAddress.Family) -> UInt32? {
        var earlier: UInt32?
        networks[family].nodes.update(node) { node in
            (earlier, node.lastRequest) = (node.lastRequest, transaction)
        }
        if let earlier { pending[earlier]?.later = transaction }
        return earlier
    }

    private mutating func unlink(_ request: PendingRequest, from node: NodeID) {
        if let earlier = request.earlier { pending[earlier]?.later = request.later }
        guard request.later == nil else {
            if let later = request.later { pending[later]?.earlier = request.earlier }
            return
        }
        networks[request.endpoint.address.family].nodes.update(node) { node in
            if node.lastRequest == request.transaction { node.lastRequest = request.earlier }
        }
    }

    /// The requests that a node has not answered, oldest first.
    func requestsOwed(by node: NodeID, _ family: IPAddress.Family) -> [UInt32] {
        var owed: [UInt32] = []
        var next = networks[family].nodes[node]?.lastRequest
        while let transaction = next, let request = pending[transaction] {
            owed.append(transaction)
            next = request.earlier
        }
        return owed.reversed()
    }

    /// Pings an endpoint whose node is not known yet.
    mutating func pingUnknown(_ endpoint: Endpoint, at now: Instant) {
        guard dispatch(.ping, nil, endpoint, [], .reunion, at: now) != nil else { return }
        networks[endpoint.address.family].bootstrapPings += 1
    }

    private mutating func dispatch(
        _ method: Request.Method, _ node: NodeID?, _ endpoint: Endpoint, _ values: [[UInt8]],
        _ purpose: PendingRequest.Purpose, at now: Instant
    ) -> UInt32? {
        guard pending.count < configuration.pendingRequestLimit else { return nil }
        let (transaction, family) = (nextTransaction(), endpoint.address.family)
        let message = Packet.Message.request(Request(sender: nodeID, method: method))
        var request = PendingRequest(
            transaction: transaction, node: node, endpoint: endpoint, purpose: purpose,
            packet: encode(message, transaction: transaction), values: values, sent: now,
            wait: firstWait(for: node, family))
        if let node { request.earlier = link(transaction, to: node, family) }
        pending[transaction] = request
        awaitAnswer(to: request, at: now)
        networks[family].wasActive = true
        counters.requestsSent += 1
        transmit(request, at: now)
        return transaction
    }

    /// How long to wait for the answer to a first attempt.
    private func firstWait(for node: NodeID?, _ family: IPAddress.Family) -> Duration {
        let own = node.flatMap { networks[family].nodes[$0]?.roundTrip } ?? RoundTrip()
        let usual = own.wait(otherwise: networks[family].roundTrip, initially: configuration.initialWait)
        return min(max(configuration.shortestWait, usual), configuration.longestWait)
    }

    /// Sets the timer for the answer to the current attempt, with chance added lest nodes act in step.
    private mutating func awaitAnswer(to request: PendingRequest, at now: Instant) {
        let wait = request.currentWait(configuration, at: now)
        let spread = numbers.duration(upTo: .nanoseconds(wait.nanoseconds / 8))
        timers.set(.request(request.transaction), at: now.advanced(by: wait + spread))
    }

    /// Drawn at random: whoever could foretell it could answer in the name of an address that is not theirs.
    private mutating func nextTransaction() -> UInt32 {
        while true {
            let transaction = UInt32(truncatingIfNeeded: numbers.next())
            if transaction != 0, pending[transaction] == nil { return transaction }
        }
    }

    func encode(_ message: Packet.Message, transaction: UInt32) -> [UInt8] {
        frame(transaction).encode(message)
    }

    func frame(_ transaction: UInt32) -> PacketFrame { PacketFrame(transaction, from: origin) }

    mutating func send(_ bytes: [UInt8], to endpoint: Endpoint) {
        counters.datagramsSent += 1
        outbox.append(.send(bytes, to: endpoint))
    }

    private mutating func transmit(_ request: PendingRequest, at now: Instant) {
        send(request.packet, to: request.endpoint)
        sendFragments(of: request.values, transaction: request.transaction, to: request.endpoint, at: now)
    }

    /// Queues the fragments of `values` behind the message just sent.
    mutating func sendFragments(
        of values: [[UInt8]], transaction: UInt32, to endpoint: Endpoint, at now: Instant
    ) {
        guard !values.isEmpty else { return }
        let limit = configuration.fragmentQueueLimit
        guard fragments.append(values, transaction: transaction, to: endpoint, limit: limit) else { return }
        sendFragments(at: now)
    }

    /// Sends the fragments that may leave now.
    mutating func sendFragments(at now: Instant) {
        while let (endpoint, transaction, fragment) = fragments.pop(configuration: configuration, at: now) {
            send(encode(.fragments([fragment]), transaction: transaction), to: endpoint)
        }
        guard !fragments.isEmpty else { return timers.cancel(.fragments) }
        timers.set(.fragments, at: now.advanced(by: configuration.fragmentPause))
    }

    /// Whether so many values of `size` bytes together travel inside their message, not behind it as fragments.
    func travelsInside(count: Int, size: Int) -> Bool {
        count < configuration.inlineCountLimit && size < configuration.inlineLimit
    }

    /// Removes a pending request with its timers.
    mutating func drop(_ transaction: UInt32) -> PendingRequest? {
        guard let request = pending.removeValue(forKey: transaction) else { return nil }
        timers.cancel(.request(transaction))
        if let node = request.node {
            unlink(request, from: node)
        } else {
            networks[request.endpoint.address.family].bootstrapPings -= 1
        }
        return request
    }

    /// A request was answered in full.
    mutating func finish(_ request: PendingRequest, with reply: Reply, at now: Instant) {
        guard drop(request.transaction) != nil else { return }
        switch request.purpose {
        case .ping, .challenge, .proof, .maintenance, .push: break
        case .reunion: reunite(with: reply.sender, request.endpoint.address.family, at: now)
        case .lookup(let search, let question):
            lookupAnswered(request.transaction, question, by: reply, in: search, at: now)
        case .store(let search, let operation): storeAnswered(operation, by: reply, in: search, at: now)
        case .listen(let search, let operation, _): listenAnswered(operation, by: reply, in: search, at: now)
        }
    }

    /// An answer is overdue: the request is sent again, and the next closest node is asked as well.
    mutating func requestTimedOut(_ transaction: UInt32, at now: Instant) {
        guard var request = pending[transaction] else { return }
        guard request.attempt < request.attempts(configuration),
            request.sent.duration(to: now) < configuration.requestLifetime
        else { return giveUp(request, at: now) }
        request.attempt += 1
        pending[transaction] = request
        awaitAnswer(to: request, at: now)
        counters.requestsRepeated += 1
        transmit(request, at: now)
        guard let node = request.node else { return }
        let isFirst = request.attempt == 2
        networks[request.endpoint.address.family].nodes.update(node) { node in
            node.isSlow = true
            if isFirst { node.roundTrip.missed() }
        }
        guard let search = request.search else { return }
        searches[search]?.update(node) { ($0.isSlow, $0.isVerySlow) = (true, $0.isVerySlow || !isFirst) }
        step(search, at: now)
    }

    /// A node that moved meanwhile is not to blame for the silence where it was: it is asked anew where it is.
    private mutating func forget(_ request: PendingRequest, at now: Instant) {
        guard let search = request.search, let node = request.node else { return }
        searches[search]?.update(node) { node in
            node.lookups.removeAll { $0.transaction == request.transaction }
            switch request.purpose {
            case .store(_, let operation): node.stores.removeAll { $0.operation == operation && $0.isPending }
            case .listen(_, let operation, _):
                for index in node.subscriptions.indices where node.subscriptions[index].operation == operation {
                    node.subscriptions[index].isPending = false
                    node.subscriptions[index].renewed = Instant(nanoseconds: .min)
                }
            case .ping, .reunion, .challenge, .proof, .maintenance, .push, .lookup: break
            }
        }
        step(search, at: now)
    }

    mutating func giveUp(_ request: PendingRequest, at now: Instant) {
        counters.requestsExpired += 1
        let name = Transfers.Name(source: request.endpoint, transaction: request.transaction)
        let family = request.endpoint.address.family
        guard let node = request.node else {
            _ = drop(request.transaction)
            return updateStatus(of: family, at: now)
        }
        if case .proof = request.purpose {
            _ = (drop(request.transaction), withheld.remove(request.endpoint.address))
            return
        }
        guard transfers.expects(name), let search = request.search else {
            _ = drop(request.transaction)
            if case .push(let key) = request.purpose { listeners.remove(node, at: key, reachedAt: request.endpoint) }
            guard networks[family].nodes[node]?.endpoint == request.endpoint else { return forget(request, at: now) }
            expireNode(node, family, at: now)
            return nodeIsSilent(family, at: now)
        }
        // It answered, but its values never came complete: the node lives, the answer is worth nothing.
        transfers.remove(name)
        guard case .lookup(_, let question) = request.purpose, drop(request.transaction) != nil else { return }
        lookupEnded(request.transaction, question, of: node, in: search)
        step(search, at: now)
    }
}
