public import SansIO

/// A connection to the server that becomes one to a peer (RFC 6062).
struct DataConnection: Sendable {
    enum Phase: Hashable, Sendable {
        /// The server connects to the peer.
        case asking
        /// The driver connects to the server.
        case opening
        /// The server is told which connection to the peer this one belongs to.
        case binding
        /// What is written goes to the peer.
        case bound
    }

    let id: TURNClient.ConnectionID
    let peer: Endpoint
    var phase: Phase
    /// The server's name for the connection to the peer.
    var serverID: UInt32?
    /// The request that binds, while it is open.
    var stun: STUNClient?
    /// What came before it was bound.
    var buffer: [UInt8] = []
}

extension TURNClient {
    /// Asks the relay to connect to a peer (RFC 6062 §4.3); `nil` when it cannot be asked.
    public mutating func connect(to peer: Endpoint, at now: Instant) -> (id: ConnectionID?, effects: [Effect]) {
        guard phase == .allocated, let allocation, request.transport == .tcp else {
            return (nil, [.ignored(.wrongState)])
        }
        guard allocation.relayed.contains(where: { $0.address.family == peer.address.family }) else {
            return (nil, [.ignored(.familyMismatch)])
        }
        guard let id = add(peer, .asking) else { return (nil, [.ignored(.overLimit)]) }
        return (id, ask(.connect, [.xorAddress(.xorPeerAddress, peer)], for: .connect(id), at: now))
    }

    private mutating func add(_ peer: Endpoint, _ phase: DataConnection.Phase) -> ConnectionID? {
        guard connections.count < configuration.connectionLimit else { return nil }
        lastConnection += 1
        let id = ConnectionID(number: lastConnection)
        connections.append(DataConnection(id: id, peer: peer, phase: phase))
        return id
    }

    private func index(_ id: ConnectionID) -> Int? { connections.firstIndex { $0.id == id } }

    /// The relay connected to the peer: now a connection of ours must be bound to that.
    mutating func mayBind(_ id: ConnectionID, _ message: Message, at now: Instant) -> [Effect] {
        guard let index = index(id) else { return [] }
        guard case .connectionID(let number) = message.first(.connectionID) else { return abandon(id, .rejected(nil)) }
        connections[index].serverID = number
        connections[index].phase = .opening
        timers.set(.connection(id), at: now.advanced(by: configuration.bindTimeout))
        return [.open(id)]
    }

    /// A permitted peer connected to the relay (RFC 6062 §4.4).
    mutating func attempted(_ message: Message, at now: Instant) -> [Effect] {
        guard phase == .allocated, request.transport == .tcp else { return [.ignored(.wrongState)] }
        guard case .connectionID(let number) = message.first(.connectionID),
            case .xorAddress(_, let peer) = message.first(.xorPeerAddress)
        else { return [.ignored(.incomplete)] }
        guard isPermitted(peer.address) else { return [.ignored(.notPermitted(peer.address))] }
        guard !connections.contains(where: { $0.serverID == number }), let id = add(peer, .opening) else {
            return [.ignored(.overLimit)]
        }
        connections[connections.count - 1].serverID = number
        timers.set(.connection(id), at: now.advanced(by: configuration.bindTimeout))
        return [.open(id)]
    }

    /// Tells that a connection asked for by ``Effect/open(_:)`` stands.
    public mutating func opened(_ id: ConnectionID, at now: Instant) -> [Effect] {
        guard let index = index(id), connections[index].phase == .opening, let number = connections[index].serverID
        else { return [.ignored(.wrongState)] }
        var client = STUNClient(
            leg: .stream, credentials: credentials, memory: memory, configuration: configuration.stun,
            random: random.split())
        let (_, effects) = client.request(.connectionBind, [.connectionID(number)], at: now)
        connections[index].phase = .binding
        connections[index].stun = client
        return perform(effects, id, at: now)
    }

    /// Takes bytes of a connection asked for by ``Effect/open(_:)``.
    public mutating func receive(_ bytes: Span<UInt8>, on id: ConnectionID, at now: Instant) -> [Effect] {
        guard let index = index(id) else { return [.ignored(.wrongState)] }
        switch connections[index].phase {
        case .bound: return [.piped([UInt8](bytes), on: id)]
        case .binding:
            connections[index].buffer += [UInt8](bytes)
            return readAnswers(id, at: now)
        case .asking, .opening: return [.ignored(.wrongState)]
        }
    }

    /// Takes whole messages out of the buffer until the connection is bound; the rest is the peer's.
    private mutating func readAnswers(_ id: ConnectionID, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let index = index(id), !connections[index].buffer.isEmpty {
            guard connections[index].phase == .binding else {
                effects.append(.piped(connections[index].buffer, on: id))
                connections[index].buffer = []
                break
            }
            let buffer = connections[index].buffer
            guard buffer.count >= Message.headerLength else { break }
            let count = Message.headerLength + Int(buffer[2]) << 8 + Int(buffer[3])
            guard buffer[0] < 0x40, count <= configuration.bindResponseLimit else {
                return effects + abandon(id, .tampered)
            }
            guard buffer.count >= count else { break }
            connections[index].buffer.removeFirst(count)
            let answers = connections[index].stun?.receive(Array(buffer[..<count]).span, at: now) ?? []
            effects += perform(answers, id, at: now)
        }
        return effects
    }

    private mutating func perform(_ effects: [STUNClient.Effect], _ id: ConnectionID, at now: Instant) -> [Effect] {
        var own: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes): own.append(.write(bytes, on: id))
            case .succeeded:
                guard let index = index(id) else { continue }
                connections[index].phase = .bound
                connections[index].stun = nil
                timers.cancel(.connection(id))
                own.append(.connected(id, peer: connections[index].peer))
            case .failed(_, let failure): own += abandon(id, failure)
            case .ignored(let refusal): own.append(.ignored(.stun(refusal)))
            }
        }
        return own
    }

    mutating func advance(_ id: ConnectionID, to now: Instant) -> [Effect] {
        guard let index = index(id) else { return [] }
        return perform(connections[index].stun?.advance(to: now) ?? [], id, at: now)
    }

    /// Tells that a connection is gone, or could not be opened.
    public mutating func closed(_ id: ConnectionID) -> [Effect] {
        guard let index = index(id) else { return [.ignored(.wrongState)] }
        guard connections[index].phase == .bound else { return abandon(id, .noAnswer) }
        connections.remove(at: index)
        return []
    }

    /// Closes a connection, or gives it up before it stands.
    public mutating func disconnect(_ id: ConnectionID) -> [Effect] {
        guard let index = index(id) else { return [.ignored(.wrongState)] }
        let phase = connections[index].phase
        connections.remove(at: index)
        timers.cancel(.connection(id))
        return phase == .asking ? [] : [.close(id)]
    }

    mutating func abandon(_ id: ConnectionID, _ failure: STUNClient.Failure) -> [Effect] {
        guard let index = index(id) else { return [] }
        connections.remove(at: index)
        timers.cancel(.connection(id))
        return [.connectionFailed(id, failure)]
    }
}
