internal import SansIO

extension UserAgent {
    /// What a request of ours will be matched by.
    func clientKey(of request: Message, on flow: FlowID) -> ClientKey? {
        guard let method = request.method, let via = request.fields.text(.via), let branch = try? Via(via).branch else {
            return nil
        }
        return ClientKey(flow: flow, branch: branch, method: method)
    }

    /// Sends a request of ours and watches over it.
    mutating func start(_ request: Message, as key: ClientKey, for purpose: Purpose, at now: Instant) -> [Effect] {
        let isReliable = flows[key.flow]?.description.isReliable ?? true
        let timing = configuration.timing
        let machine: any ClientTransaction =
            key.method == .invite
            ? InviteClient(request, isReliable: isReliable, timing: timing)
            : RequestClient(request, isReliable: isReliable, timing: timing)
        nextSerial += 1
        clients[key] = Client(purpose: purpose, machine: machine, serial: nextSerial)
        return drive(key, at: now) { $0.start(at: now) }
    }

    /// Moves a client transaction, and carries out what it asks.
    mutating func drive(
        _ key: ClientKey, at now: Instant, _ move: (inout any ClientTransaction) -> [ClientTransactionEffect]
    ) -> [Effect] {
        guard var client = clients.removeValue(forKey: key) else { return [] }
        let produced = move(&client.machine)
        setTimer(.client(key), at: client.machine.deadline)
        clients[key] = client
        var effects: [Effect] = []
        for effect in produced {
            switch effect {
            case .send(let bytes): effects.append(transmit(bytes, on: key.flow))
            case .response(let response):
                if let status = response.status, status >= 200 { clients[key]?.isAnswered = true }
                effects += take(response, of: key, for: client.purpose, at: now)
            case .timedOut:
                forget(key)
                effects += lose(client.purpose, at: now)
            case .finished: forget(key)
            }
        }
        return effects
    }

    /// Starts watching over a request of the peer.
    mutating func accept(_ key: ServerKey, for call: CallID?) {
        let isReliable = flows[key.flow]?.description.isReliable ?? true
        let machine: any ServerTransaction =
            key.method == .invite
            ? InviteServer(isReliable: isReliable, timing: configuration.timing)
            : RequestServer(isReliable: isReliable, timing: configuration.timing)
        servers[key] = Server(machine: machine, call: call)
        flows[key.flow]?.transactions += 1
    }

    /// Responds to a request of the peer.
    mutating func respond(_ response: Message, to key: ServerKey, at now: Instant) -> [Effect] {
        drive(key, at: now) { $0.respond(response, at: now) }
    }

    /// Moves a server transaction, and carries out what it asks.
    mutating func drive(
        _ key: ServerKey, at now: Instant, _ move: (inout any ServerTransaction) -> [ServerTransactionEffect]
    ) -> [Effect] {
        guard var server = servers.removeValue(forKey: key) else { return [] }
        let produced = move(&server.machine)
        setTimer(.server(key), at: server.machine.deadline)
        servers[key] = server
        var effects: [Effect] = []
        for effect in produced {
            switch effect {
            case .send(let bytes): effects.append(transmit(bytes, on: key.flow))
            case .unacknowledged, .finished: forget(key)
            }
        }
        return effects
    }

    /// The one place where bytes leave: nothing goes out that would make the peer drop the channel.
    func transmit(_ bytes: [UInt8], on flow: FlowID) -> Effect {
        guard bytes.count <= configuration.maximumMessageSize else {
            return .ignored(.overLimit(.message, limit: configuration.maximumMessageSize))
        }
        return .send(bytes, on: flow)
    }

    /// Drops a request of ours.
    mutating func forget(_ key: ClientKey) {
        clients[key] = nil
        timers.cancel(.client(key))
    }

    /// Drops a request of the peer.
    mutating func forget(_ key: ServerKey) {
        guard servers.removeValue(forKey: key) != nil else { return }
        timers.cancel(.server(key))
        flows[key.flow]?.transactions -= 1
    }

    private mutating func setTimer(_ timer: Timer, at deadline: Instant?) {
        if let deadline { timers.set(timer, at: deadline) } else { timers.cancel(timer) }
    }
}
