public import SansIO

extension ICEAgent {
    /// Takes a connection accepted on a TCP base; `nil` when over a limit: close it.
    ///
    /// A check must arrive on it within ``Configuration/identificationTimeout``.
    public mutating func accept(on base: Endpoint, from source: Endpoint, at now: Instant) -> ConnectionID? {
        guard isAlive, let known = bases.first(where: { $0.endpoint == base && $0.transport == .tcp }),
            isAllowed(known),
            connections.count < configuration.connectionLimit,
            connections.count(where: { $0.isAccepted && !$0.isIdentified })
                < configuration.unidentifiedConnectionLimit
        else { return nil }
        let id = nextConnectionID()
        connections.append(
            Connection(
                id: id, component: known.component, base: base, remote: source.unmapped, isAccepted: true, phase: .open)
        )
        arm(.connection(id), after: configuration.identificationTimeout, at: now)
        return id
    }

    /// Reports that a connection of ``Effect/connect(_:from:to:)`` stands; `local` is its own address and port.
    public mutating func connected(_ id: ConnectionID, local: Endpoint, at now: Instant) -> [Effect] {
        guard let index = connections.firstIndex(where: { $0.id == id }), connections[index].phase == .connecting
        else { return [.ignored(.unknownConnection)] }
        connections[index].phase = .open
        connections[index].local = local
        timers.cancel(.connection(id))
        guard let pair = connections[index].pair, checkList[pair]?.connection == id,
            currentSelection(connections[index].component) == nil
        else {
            linger(connections[index].component, at: now)
            return []
        }
        return check(pair, at: now)
    }

    /// Reports that a connection could not be set up, was closed by the peer, or broke.
    ///
    /// Connections that fail are tried again while the component has no pair.
    public mutating func disconnected(_ id: ConnectionID, at now: Instant) -> [Effect] {
        guard connections.contains(where: { $0.id == id }) else { return [] }
        return lose(id, at: now)
    }

    /// Takes bytes read from a connection, cut anywhere.
    public mutating func receive(_ bytes: Span<UInt8>, on id: ConnectionID, at now: Instant) -> [Effect] {
        guard let index = connections.firstIndex(where: { $0.id == id }), connections[index].phase == .open else {
            return [.ignored(.unknownConnection)]
        }
        var effects: [Effect] = []
        for frame in connections[index].deframer.receive(bytes) {
            guard let connection = connections.first(where: { $0.id == id }) else { break }
            if let message = Message.isSTUN(frame.span) ? try? Message(frame.span) : nil {
                let arrival = Arrival(path: .stream(id), source: connection.remote, component: connection.component)
                effects += receive(message, arrival, at: now)
            } else if !frame.isEmpty {
                effects += receiveData(frame, on: connection, at: now)
            }
        }
        return effects
    }

    /// Hands application data up, or keeps it until a pair is selected.
    ///
    /// Any connection with a valid check will do: under aggressive nomination a peer may send on another connection
    /// than we do, each direction being a stream of its own.
    private mutating func receiveData(_ data: [UInt8], on connection: Connection, at now: Instant) -> [Effect] {
        guard connection.isIdentified else { return [.ignored(.unidentifiedData)] }
        guard let index = connections.firstIndex(where: { $0.id == connection.id }) else { return [] }
        connections[index].carriesData = true
        if selections[connection.component - 1] != nil {
            return [.received(data, component: connection.component)]
        }
        guard connection.earlyCount + data.count <= configuration.earlyDataLimit else {
            return [.ignored(.overLimit), .disconnect(connection.id)] + lose(connection.id, at: now)
        }
        connections[index].early.append(data)
        connections[index].earlyCount += data.count
        return []
    }

    /// Hands up what came before the selection.
    mutating func deliverEarlyData(_ component: Int) -> [Effect] {
        var effects: [Effect] = []
        for index in connections.indices where connections[index].component == component {
            effects += connections[index].early.map { Effect.received($0, component: component) }
            connections[index].early = []
            connections[index].earlyCount = 0
        }
        return effects
    }

    private mutating func nextConnectionID() -> ConnectionID {
        lastConnection += 1
        return ConnectionID(rawValue: lastConnection)
    }

    /// Opens the connection of an active pair.
    mutating func open(_ pair: CandidatePair, at now: Instant) -> [Effect] {
        guard connections.count < configuration.connectionLimit else { return pairFailed(pair.id, at: now) }
        let id = nextConnectionID()
        var connection = Connection(
            id: id, component: pair.component, base: pair.local.endpoint, remote: pair.remote.endpoint,
            isAccepted: false, phase: .connecting)
        connection.pair = pair.id
        connections.append(connection)
        checkList.update(pair.id) { pair in
            pair.connection = id
            pair.connectAttempts += 1
        }
        arm(.connection(id), after: configuration.connectTimeout, at: now)
        let isFree = pair.local.transport == .tcp(.active)
        let source = isFree ? pair.local.endpoint.with(port: 0) : pair.local.endpoint
        return [.connect(id, from: source, to: pair.remote.endpoint)]
    }

    /// Marks a connection as the peer's, once a valid message has come on it.
    mutating func identify(_ path: Path) {
        guard case .stream(let id) = path, let index = connections.firstIndex(where: { $0.id == id }) else { return }
        connections[index].isIdentified = true
        timers.cancel(.connection(id))
    }

    /// Closes a connection that took too long to be set up or to identify itself.
    mutating func connectionIsDue(_ id: ConnectionID, at now: Instant) -> [Effect] {
        [.disconnect(id)] + lose(id, at: now)
    }

    /// Draws the conclusions from the end of a connection.
    private mutating func lose(_ id: ConnectionID, at now: Instant) -> [Effect] {
        guard let index = connections.firstIndex(where: { $0.id == id }) else { return [] }
        let connection = connections.remove(at: index)
        timers.cancel(.connection(id))
        earlyChecks.removeAll { $0.path == .stream(id) }
        let isSelected = selections[connection.component - 1]?.pair.path == .stream(id)
        var effects: [Effect] = []
        if let pair = connection.pair.flatMap({ checkList[$0] }), pair.connection == id {
            effects += release(pair, at: now)
        }
        guard isSelected else { return effects }
        guard currentSelection(connection.component) != nil else {
            return effects + losePath(connection.component, at: now)
        }
        selections[connection.component - 1] = nil
        let other = checkList.pairs.filter {
            $0.component == connection.component && $0.isValid && $0.isNominatedByPeer && path(of: $0) != nil
        }
        guard role == .controlled, let other = CheckList.best(other) else { return effects + fail(.disconnected) }
        return effects + select(other.id, at: now)
    }

    /// Parts a pair from its dead connection: an active one is tried again, a passive one cannot come back.
    private mutating func release(_ pair: CandidatePair, at now: Instant) -> [Effect] {
        cancelTransactions(of: pair.id)
        guard pair.opensConnections else {
            checkList.removeAll { $0.id == pair.id }
            return considerNomination(pair.component, at: now)
        }
        checkList.update(pair.id) { pair in
            pair.connection = nil
            pair.validLocal = nil
            pair.transaction = nil
            pair.isNominating = false
            pair.isNominatedByPeer = false
        }
        let isSimultaneous = pair.local.transport == .tcp(.simultaneousOpen)
        let retries = isSimultaneous ? configuration.simultaneousRetries : configuration.connectRetries
        guard state == .checking, currentSelection(pair.component) == nil, pair.connectAttempts <= retries else {
            return pairFailed(pair.id, at: now)
        }
        checkList.update(pair.id) { $0.state = .inProgress }
        let interval =
            isSimultaneous ? simultaneousRetryInterval() : configuration.connectRetryInterval
        arm(.reconnect(pair: pair.id), after: interval, at: now)
        return considerNomination(pair.component, at: now)
    }

    /// Where routers refuse what they do not expect, each attempt is lost that does not cross one of the peer on the line:
    /// equal intervals could miss each other for ever.
    private mutating func simultaneousRetryInterval() -> Duration {
        let interval = configuration.simultaneousRetryInterval
        return random.duration(in: interval * 3 / 4...interval * 5 / 4)
    }

    /// Sets when the connections that lost are closed, if they are.
    mutating func linger(_ component: Int, at now: Instant) {
        guard let linger = configuration.linger, !timers.isSet(.linger(component: component)) else { return }
        arm(.linger(component: component), after: linger, at: now)
    }

    /// Closes all connections of a component but the selected one and those the peer sends data on.
    mutating func closeLosers(_ component: Int) -> [Effect] {
        guard let selection = selections[component - 1] else { return [] }
        let losers = connections.filter {
            $0.component == component && .stream($0.id) != selection.pair.path && !$0.carriesData
        }
        connections.removeAll { connection in losers.contains { $0.id == connection.id } }
        for loser in losers {
            timers.cancel(.connection(loser.id))
            if let pair = loser.pair { checkList.removeAll { $0.id == pair } }
        }
        return losers.map { .disconnect($0.id) }
    }
}
