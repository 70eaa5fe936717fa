internal import SansIO

/// Requests in: what others ask of us.
extension DHT {
    /// The errors releases know; only the number matters to them.
    enum Failure {
        case noKey(String)
        case invalidIdentifier
        case wrongToken(String)
        case unknownKey

        var code: UInt64 {
            switch self {
            case .noKey, .invalidIdentifier: 203
            case .wrongToken: 401
            case .unknownKey: 404
            }
        }

        var text: String {
            switch self {
            case .noKey(let method): "\(method) with no info_hash"
            case .invalidIdentifier: "Put with invalid ID"
            case .wrongToken(let method): "\(method) with incorrect token"
            case .unknownKey: "Access operation for unknown storage"
            }
        }
    }

    /// Serves one request; returns why it was refused without an answer.
    mutating func serve(
        _ method: Request.Method, transaction: UInt32, from sender: KnownNode, at now: Instant
    ) -> Reason? {
        let source = sender.endpoint
        counters.requestsServed += 1
        switch method {
        case .ping: answer(emptyReply(to: source), transaction, to: source)
        case .find(let target, let want):
            answer(nodesReply(near: target, want: want, to: source, at: now), transaction, to: source)
        case .get(let key, let query, let want):
            guard let key else { return fail(.noKey("Get_values"), transaction, to: source) }
            serveGet(key, query ?? .all, want, transaction, from: source, at: now)
        case .put(let key, let values, let token, let created):
            if refusePut(key, token, transaction: transaction, from: source) { return nil }
            guard let key else { return nil }
            servePut(values, at: key, created: created, transaction, from: sender, at: now)
        case .refresh(let key, let id, let token):
            serveRefresh(id, at: key, token, transaction, from: source, at: now)
        case .listen(let key, let token, let socket, let version, let query):
            guard let key else { return fail(.noKey("Listen"), transaction, to: source) }
            guard tokens.isValid(token, from: source) else {
                return fail(.wrongToken("Listen"), transaction, to: source)
            }
            let listener = RemoteListener(
                node: sender.id, endpoint: source, socket: socket, query: query ?? .all,
                acknowledges: (version ?? 0) >= 1, renewed: now)
            serveListen(listener, at: key, transaction, at: now)
        case .update(let update):
            answer(emptyReply(to: source), transaction, to: source)
            return take(update, from: sender, at: now)
        }
        return nil
    }

    private func emptyReply(to source: Endpoint) -> Reply { Reply(sender: nodeID, seeing: source) }

    /// A reply with the good nodes closest to `target`, and the token for a later write.
    private func nodesReply(
        near target: InfoHash, want: Request.Want?, to source: Endpoint, at now: Instant
    ) -> Reply {
        var reply = emptyReply(to: source)
        reply.token = tokens.token(for: source)
        let want = want ?? (source.address.family == .v4 ? .v4 : .v6)
        if want.contains(.v4) { reply.nodes4 = closest(to: target, .v4, at: now) }
        if want.contains(.v6) { reply.nodes6 = closest(to: target, .v6, at: now) }
        return reply
    }

    private func closest(to target: InfoHash, _ family: IPAddress.Family, at now: Instant) -> [CompactNode] {
        let freshness = Freshness(configuration, at: now)
        let limit = configuration.replication
        let closest = networks[family].nodes.closestGood(to: target, limit: limit, freshness)
        let few = Self.unsuspiciousCount
        guard closest.count > few, isCrowded(closest[few].id, around: target, family, at: now) else { return closest }
        let nodes = networks[family].nodes.closest(to: target, limit: limit) { $0.isGood(freshness) }
        return mixing(nodes, around: target, family, at: now, where: { $0.isGood(freshness) })
            .map { CompactNode(id: $0.id, endpoint: $0.endpoint) }
    }

    mutating func answer(
        _ reply: Reply, stored: [Storage.Entry] = [], _ transaction: UInt32, to source: Endpoint
    ) {
        send(frame(transaction).encode(reply, stored), to: source)
    }

    @discardableResult
    private mutating func fail(_ failure: Failure, _ transaction: UInt32, to source: Endpoint) -> Reason? {
        let message = Packet.Message.failure(code: failure.code, text: failure.text, sender: nodeID)
        send(encode(message, transaction: transaction), to: source)
        return nil
    }

    private mutating func serveGet(
        _ key: InfoHash, _ query: ValueQuery, _ want: Request.Want?, _ transaction: UInt32, from source: Endpoint,
        at now: Instant
    ) {
        var reply = nodesReply(near: key, want: want, to: source, at: now)
        var matching = storage.entries(at: key)
        if !query.conditions.isEmpty { matching.removeAll { !query.matches($0.value) } }
        guard query.select.isEmpty else {
            if !matching.isEmpty { reply.fields = FieldTable(selecting: query.select, of: matching.map(\.value)) }
            return answer(reply, transaction, to: source)
        }
        if matching.isEmpty { return answer(reply, transaction, to: source) }
        var room = configuration.answerLimit
        for index in matching.indices {
            room -= matching.span[index].packedSize
            guard room < 0 else { continue }
            matching.removeSubrange(index...)
            break
        }
        if travelInside(matching) { return answer(reply, stored: matching, transaction, to: source) }
        let (items, fragments) = layout(matching)
        reply.values = items
        answer(reply, transaction, to: source)
        sendFragments(of: fragments, transaction: transaction, to: source, at: now)
    }

    /// Answers a put that has no key or no valid token with an error; `false` when it may go on.
    mutating func refusePut(_ key: InfoHash?, _ token: [UInt8], transaction: UInt32, from source: Endpoint) -> Bool {
        guard key != nil else {
            fail(.noKey("Put"), transaction, to: source)
            return true
        }
        guard tokens.isValid(token, from: source) else {
            fail(.wrongToken("Put"), transaction, to: source)
            return true
        }
        return false
    }

    /// Stores what the rules allow. Every value is acknowledged once that is clear, also a refused one:
    /// senders must not retry.
    private mutating func servePut(
        _ items: [ValueItem], at key: InfoHash, created: Int64?, _ transaction: UInt32, from sender: KnownNode,
        at now: Instant
    ) {
        let values = items.compactMap { item -> Value? in
            if case .whole(let value) = item { value } else { nil }
        }
        guard !values.contains(where: { $0.id.rawValue == 0 }) else {
            fail(.invalidIdentifier, transaction, to: sender.endpoint)
            return
        }
        let isFar = isTooFar(from: key, sender.endpoint.address.family, at: now)
        let arrival = Examinations.Arrival(
            key: key, created: created, source: sender.endpoint, transaction: transaction)
        for value in values {
            guard !isFar, !isKept(value, arrival, at: now) else { acknowledge(value.id, arrival); continue }
            if !examine(value, for: .store(arrival), at: now) { outbox.append(.ignored(.overLimit)) }
        }
    }

    /// Tells the sender of a value that it was treated.
    mutating func acknowledge(_ id: Value.ID, _ arrival: Examinations.Arrival) {
        var reply = emptyReply(to: arrival.source)
        reply.valueID = id
        answer(reply, arrival.transaction, to: arrival.source)
    }

    /// Whether enough good nodes are closer to `key` than we are, those not counted that may be there to hide it.
    private func isTooFar(from key: InfoHash, _ family: IPAddress.Family, at now: Instant) -> Bool {
        let freshness = Freshness(configuration, at: now)
        // Mostly we are one of the closest, and there is nothing to judge about those that are closer.
        guard networks[family].nodes.holds(configuration.replication, closerTo: key, than: nodeID, freshness) else {
            return false
        }
        var spread = spread(family, at: now)
        let closest = networks[family].closestGood(
            to: key, limit: configuration.searchNodeLimit, configuration: configuration, at: now
        ).filter { spread.counts(AddressPrefix($0.endpoint.address), fraction: $0.id.distance(to: key).fraction) }
            .prefix(configuration.searchWidth)
        guard closest.count >= configuration.replication, let last = closest.last else { return false }
        return last.id.isCloser(to: key, than: nodeID)
    }

    private mutating func serveRefresh(
        _ id: Value.ID, at key: InfoHash?, _ token: [UInt8], _ transaction: UInt32, from source: Endpoint,
        at now: Instant
    ) {
        guard let key else { return _ = fail(.noKey("Put"), transaction, to: source) }
        guard tokens.isValid(token, from: source) else { return _ = fail(.wrongToken("Put"), transaction, to: source) }
        guard storage.knows(key) else { return _ = fail(.unknownKey, transaction, to: source) }
        refresh(Storage.Slot(key: key, id: id), created: now, at: now)
        var reply = emptyReply(to: source)
        reply.valueID = id
        answer(reply, transaction, to: source)
    }

    private mutating func serveListen(
        _ listener: RemoteListener, at key: InfoHash, _ transaction: UInt32, at now: Instant
    ) {
        let isNew = listeners.insert(listener, at: key, configuration: configuration)
        var reply = emptyReply(to: listener.endpoint)
        reply.token = tokens.token(for: listener.endpoint)
        answer(reply, transaction, to: listener.endpoint)
        if isNew == nil { outbox.append(.ignored(.overLimit)) }
        guard isNew == true else { return }
        let known = storage.entries(at: key).filter { listener.query.matches($0.value) }
        push(known, at: key, to: listener, at: now)
    }
}
