internal import SansIO

extension Endpoint {
    /// Whether no node can be there: port 0, and addresses that name no host.
    var isMartian: Bool {
        guard port != 0 else { return true }
        return switch address {
        case .v4(let word): word >> 24 == 0 || word >> 24 >= 224
        case .v6(let high, let low): address.isMulticast || address.isUnspecified || high == 0 && low >> 32 == 0xFFFF
        }
    }
}

/// Datagrams in: who sent it, and who takes it.
extension DHT {
    /// How we came to know of a node.
    enum Acquaintance: Comparable {
        /// Somebody else named it.
        case named
        /// It sent us something.
        case heard
        /// It answered us.
        case replied
    }

    /// Takes one datagram; returns why it was refused.
    mutating func take(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> Reason? {
        guard !source.isMartian else { return .martian }
        guard !bans.contains(source, at: now) else { return .banned }
        let packet: Packet
        do { packet = try Packet(datagram) } catch { return .malformed(error) }
        guard packet.network == configuration.network else { return .otherNetwork }
        guard packet.sender != nodeID else { return .ownIdentifier }
        switch packet.message {
        case .request(let request):
            return take(request, in: packet, size: datagram.count, from: source, at: now)
        case .reply(let reply): return take(reply, in: packet, from: source, at: now)
        case .failure(let code, _, let sender):
            return take(failure: code, by: sender, in: packet, from: source, at: now)
        case .update(let update):
            noteLifeSign(of: KnownNode(id: update.sender, endpoint: source), at: now)
            return .unsolicited
        case .fragments(let fragments):
            return take(fragments, transaction: packet.transaction, from: source, at: now)
        }
    }

    private mutating func take(
        _ request: Request, in packet: Packet, size: Int, from source: Endpoint, at now: Instant
    ) -> Reason? {
        let isStranger = isStranger(source.address, at: now)
        guard rate.admit(source.address, isStranger: isStranger, configuration: configuration, at: now) else {
            return .rateLimited
        }
        let sender = KnownNode(id: request.sender, endpoint: source)
        if isStranger, !proves(request.method, source, at: now) {
            guard !isGenerous(request.method) else {
                return withhold(request, in: packet, size: size, from: source, at: now)
            }
        } else {
            learn(sender, .heard, isClient: packet.isClient, at: now)
        }
        guard packet.message.announcesFragments else {
            return serve(request.method, transaction: packet.transaction, from: sender, at: now)
        }
        if case .put(let key, _, let token, _) = request.method,
            refusePut(key, token, transaction: packet.transaction, from: source)
        {
            return nil
        }
        return expectFragments(of: packet, from: source, at: now)
    }

    private mutating func expectFragments(of packet: Packet, from source: Endpoint, at now: Instant) -> Reason? {
        let name = Transfers.Name(source: source, transaction: packet.transaction)
        let complete = transfers.begin(
            name, message: packet.message, items: packet.message.values, configuration: configuration, at: now)
        return settle(complete, name, at: now)
    }

    private mutating func take(
        _ fragments: [Fragment], transaction: UInt32, from source: Endpoint, at now: Instant
    ) -> Reason? {
        let name = Transfers.Name(source: source, transaction: transaction)
        if transfers.expects(name) {
            let complete = transfers.receive(fragments, of: name, configuration: configuration, at: now)
            return settle(complete, name, at: now)
        }
        guard rate.admit(source.address, configuration: configuration, at: now) else { return .rateLimited }
        guard transfers.keepEarly(fragments, of: name, configuration: configuration, at: now) else {
            return .strayFragment
        }
        return settle(nil, name, at: now)
    }

    /// Goes on with a message whose fragments are all there, or waits for more of them.
    private mutating func settle(_ complete: Packet.Message?, _ name: Transfers.Name, at now: Instant) -> Reason? {
        guard let complete else {
            guard let deadline = transfers.deadline(of: name, configuration: configuration) else { return .overLimit }
            timers.set(.transfer(name), at: deadline)
            return nil
        }
        timers.cancel(.transfer(name))
        switch complete {
        case .request(let request):
            let sender = KnownNode(id: request.sender, endpoint: name.source)
            return serve(request.method, transaction: name.transaction, from: sender, at: now)
        case .reply(let reply):
            guard let request = pending[name.transaction], request.endpoint == name.source else { return .unsolicited }
            finish(request, with: reply, at: now)
            return nil
        default: return nil
        }
    }

    mutating func transferTimedOut(_ name: Transfers.Name, at now: Instant) {
        guard let deadline = transfers.deadline(of: name, configuration: configuration) else { return }
        if deadline > now { timers.set(.transfer(name), at: deadline) } else { transfers.remove(name) }
    }

    private mutating func take(_ reply: Reply, in packet: Packet, from source: Endpoint, at now: Instant) -> Reason? {
        let sender = KnownNode(id: reply.sender, endpoint: source)
        guard let request = answered(packet.transaction, by: sender, at: now) else {
            noteLifeSign(of: sender, at: now)
            return .unsolicited
        }
        learn(sender, .replied, isClient: packet.isClient, at: now)
        prove(source.address, at: now)
        measure(request, by: reply, at: now)
        if !reply.token.isEmpty {
            let limit = configuration.knownTokenLimit
            networks[source.address.family].tokens.insert(reply.token, of: sender, limit: limit, at: now)
        }
        if let address = reply.observed, address.family == source.address.family,
            let changed = observed.count(address, by: source.address, limit: configuration.observerLimit)
        {
            outbox.append(.observedAddress(changed))
        }
        if case .lookup = request.purpose, reply.token.isEmpty {
            let end = now.advanced(by: configuration.banTime)
            bans.insert(source, until: end, limit: configuration.banLimit)
            expireNode(sender.id, source.address.family, at: now)
            return .banned
        }
        learnNodes(of: reply, for: request.search, from: source, at: now)
        guard packet.message.announcesFragments, case .lookup = request.purpose else {
            finish(request, with: reply, at: now)
            return nil
        }
        timers.set(.request(request.transaction), at: now.advanced(by: configuration.longestWait))
        return expectFragments(of: packet, from: source, at: now)
    }

    /// A node we know is alive where we know it to be. Others prove nothing by what nobody asked them for.
    private mutating func noteLifeSign(of sender: KnownNode, at now: Instant) {
        guard networks[sender.endpoint.address.family].nodes[sender.id]?.endpoint == sender.endpoint else { return }
        learn(sender, .heard, isClient: false, at: now)
    }

    /// The pending request that `sender` may answer. One answered under another identifier is a node that was replaced.
    private mutating func answered(
        _ transaction: UInt32, by sender: KnownNode, at now: Instant
    ) -> PendingRequest? {
        guard let request = pending[transaction], request.endpoint == sender.endpoint else { return nil }
        guard let node = request.node, node != sender.id else { return request }
        let family = sender.endpoint.address.family
        guard networks[family].nodes[node]?.endpoint == sender.endpoint else { return nil }
        expireNode(node, family, at: now)
        return nil
    }

    /// Notes how long an answer took, and what its sender can do.
    private mutating func measure(_ request: PendingRequest, by reply: Reply, at now: Instant) {
        let family = request.endpoint.address.family
        let sample = request.attempt == 1 ? request.sent.duration(to: now) : nil
        networks[family].nodes.update(reply.sender) { node in
            if let sample { node.roundTrip.add(sample) }
            if reply.observedPort != nil { node.tellsPorts = true }
        }
        if let sample { networks[family].roundTrip.add(sample) }
    }

    private mutating func take(
        failure code: UInt64, by sender: NodeID, in packet: Packet, from source: Endpoint, at now: Instant
    ) -> Reason? {
        noteLifeSign(of: KnownNode(id: sender, endpoint: source), at: now)
        guard let request = pending[packet.transaction], request.endpoint == source, request.node == sender else {
            return .unsolicited
        }
        // Only a refused token or a forgotten key says what to do; anything else runs into its timeout.
        guard let search = request.search else { return nil }
        switch code {
        case 401: tokenWasRefused(request, in: search, at: now)
        case 404: valueWasForgotten(request, at: now)
        default: break
        }
        return nil
    }

    /// Offers the nodes of an answer to the search that asked.
    private mutating func learnNodes(of reply: Reply, for search: SearchKey?, from source: Endpoint, at now: Instant) {
        let limit = configuration.namedNodeLimit
        learn(reply.nodes4.prefix(limit), for: search, from: source, at: now)
        learn(reply.nodes6.prefix(limit), for: search, from: source, at: now)
    }

    private mutating func learn(
        _ nodes: ArraySlice<CompactNode>, for search: SearchKey?, from source: Endpoint, at now: Instant
    ) {
        guard !nodes.isEmpty else { return }
        // Most answers name nodes that the search has already.
        let asker = search.flatMap { searches[$0] }
        for node in nodes {
            var endpoint = node.endpoint
            if endpoint.address.isLoopback, endpoint.address.family == source.address.family {
                endpoint = Endpoint(source.address, port: endpoint.port, scope: source.scope)
            }
            guard node.id != nodeID, node.id != .zero, !endpoint.isMartian, !bans.contains(endpoint, at: now) else {
                continue
            }
            let family = endpoint.address.family
            let named = KnownNode(id: node.id, endpoint: endpoint)
            learn(named, .named, isClient: false, at: now)
            if let asker, asker.holds(named) { continue }
            guard let known = networks[family].nodes[node.id], !known.isExpired else { continue }
            guard let search else {
                // The answer looks after a bucket: a newcomer that finds room there is asked whether it lives.
                if known.heard == nil, known.isIdle,
                    networks[family].table.hasRoom(for: node.id, configuration: configuration)
                {
                    ping(known.known, at: now)
                }
                continue
            }
            guard search.family == family else { continue }
            insert(known.known, isSlow: known.isSlow, into: search, at: now)
        }
    }
}
