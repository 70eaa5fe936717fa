internal import EventLoop
internal import SansIO
internal import SwiftICE

/// The sockets of one component of a session, one at each local address, and what is known of the way from them into the
/// world: the addresses others see them at, ports that gateways map to them, and a relay.
///
/// It may be prepared before a session wants it, and then is kept ready: others are asked again and again, which also
/// keeps mappings of NATs alive. Lives on the loop's thread.
final class Outlet {
    /// What became known, in the words of a session.
    struct Owner {
        /// Something became known; the component of bases is not set yet.
        var found: (ICEAgent.Finding) -> Void
        /// What is waited for may have changed.
        var progressed: () -> Void
        /// What the sockets hear.
        var sockets: SessionSockets.Handlers
    }

    let transport: ICEAgent.Base.Transport
    let surroundings: Surroundings
    private var owner: Owner?
    private(set) var bases: [Endpoint] = []
    /// Sockets a session asked for beside them, known to nobody else.
    private var furtherSockets: Set<Endpoint> = []
    private(set) var relay: RelayDriver?
    /// Where the TURN server sees our connections come from.
    private var seen: IPAddress?
    /// Connections that go over the relay, by the names of both.
    private var relayedConnections: [(id: TURNClient.ConnectionID, connection: ICEAgent.ConnectionID)] = []
    /// When others are asked again, while no session has the outlet.
    private var nextRound: Instant?
    private(set) var isClosed = false
    private lazy var sockets = SessionSockets(on: surroundings.loop, handlers: socketHandlers())
    private lazy var inquiry = AddressInquiry(on: surroundings.loop, handlers: inquiryHandlers())
    private lazy var ports = mappedPorts()
    private lazy var alarm = Alarm(on: surroundings.loop) { [weak self] in self?.advance() }

    init(_ transport: ICEAgent.Base.Transport, in surroundings: Surroundings) {
        self.transport = transport
        self.surroundings = surroundings
    }

    private var loop: EventLoop { surroundings.loop }
    var configuration: ICESession.Configuration { surroundings.configuration }
    private var opensSimultaneously: Bool { configuration.agent.opensSimultaneously }

    // MARK: - What is waited for

    /// Whether an answer of a server, or a relay, is still to come.
    var awaitsServers: Bool { !inquiry.isIdle || relay.map { !$0.isSettled } ?? false }
    /// Until when a session that began at `start` waits for gateways; `nil` when all have answered.
    func gatewayDeadline(since start: Instant) -> Instant? { ports.deadline(since: start) }
    var hasRelay: Bool { relay.map { !$0.relayed.isEmpty } ?? false }
    /// Whether every socket that asked somebody has one answer at least.
    var knowsAddresses: Bool { inquiry.hasAnswers }

    // MARK: - Beginning and end

    /// Opens the sockets and asks about them.
    func open() {
        if configuration.agent.policy != .relayOnly { openSockets() }
        startRelay()
    }

    private func openSockets() {
        for address in surroundings.addresses() { openSocket(at: address) }
        ask()
        for base in bases { ports.map(base) }
    }

    func openSocket(at address: Endpoint) {
        let base =
            switch transport {
            case .udp: sockets.openDatagram(at: address, batch: surroundings.batch, buffer: configuration.socketBuffer)
            case .tcp: sockets.openListener(at: address, sharesPort: opensSimultaneously)
            }
        guard let base else { return }
        bases.append(base)
        owner?.found(.base(self.base(base)))
    }

    /// Closes the socket of a base, and tells the session that it is gone.
    func close(_ base: Endpoint) {
        bases.removeAll { $0 == base }
        inquiry.forget(base)
        owner?.found(.gone(self.base(base)))
        sockets.close(base, transport)
    }

    /// Gives the outlet to a session, which is told at once what is known.
    func serve(_ owner: Owner) {
        self.owner = owner
        nextRound = nil
        for base in bases { owner.found(.base(self.base(base))) }
        for view in inquiry.views { owner.found(finding(view)) }
        for relayed in relay?.relayed ?? [] { owner.found(.base(relayedBase(relayed))) }
        tellSeen()
        setAlarm()
    }

    /// Keeps the outlet ready until a session wants it.
    func keepReady() {
        nextRound = loop.now.advanced(by: surroundings.upkeepInterval)
        setAlarm()
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        owner = nil
        alarm.set(nil)
        sockets.close()
        relay?.close()
        ports.close()
        inquiry.close()
        (relay, relayedConnections) = (nil, [])
    }

    private func base(_ endpoint: Endpoint) -> ICEAgent.Base {
        ICEAgent.Base(component: 1, endpoint: endpoint, transport: transport)
    }

    private func relayedBase(_ endpoint: Endpoint) -> ICEAgent.Base {
        ICEAgent.Base(component: 1, endpoint: endpoint, transport: transport, kind: .relayed)
    }

    // MARK: - Addresses

    /// Asks servers and other hosts about every socket.
    func ask() {
        guard transport == .udp else { return askConnected() }
        for base in bases where !base.address.isLinkLocal {
            inquiry.ask(surroundings.questions(about: base), about: base)
        }
        setAlarm()
    }

    /// Has each listener that may open connections from its port ask the servers it is not connected to.
    private func askConnected() {
        guard opensSimultaneously else { return }
        for base in bases where !base.address.isLinkLocal {
            inquiry.ask(overTCP: surroundings.connectedQuestions(about: base), about: base)
        }
    }

    /// Asks about the sockets again if nobody is asked and some have no answer.
    func askIfUnknown() {
        if inquiry.isIdle, bases.contains(where: { !inquiry.isKnown($0) }) { ask() }
    }

    private func inquiryHandlers() -> AddressInquiry.Handlers {
        // Both end with the outlet; weak references would slow down every packet.
        AddressInquiry.Handlers(
            send: { [unowned self] bytes, base, host in sockets.send(bytes, from: base, to: host) },
            learned: { [unowned self] view in owner?.found(finding(view)) },
            progressed: { [unowned self] in owner?.progressed() })
    }

    /// What a view tells a session. A server that a listener asked over TCP has seen a connection; the gateway maps for all.
    private func finding(_ view: AddressInquiry.View) -> ICEAgent.Finding {
        let base = base(view.base)
        return transport == .tcp && view.teller != nil
            ? .seenFromPort(view.mapped, base: base) : .mapped(view.mapped, base: base)
    }

    private func mappedPorts() -> MappedPorts {
        MappedPorts(
            transport == .udp ? .udp : .tcp, in: surroundings,
            mapped: { [weak self] external, base in self?.inquiry.learn(external, of: base, from: nil) },
            progressed: { [weak self] in self?.owner?.progressed() })
    }

    /// Takes a datagram if it answers somebody who was asked.
    private func answers(_ bytes: Span<UInt8>, on base: Endpoint, from source: Endpoint) -> Bool {
        guard inquiry.takes(bytes, on: base, from: source) else { return false }
        setAlarm()
        owner?.progressed()
        return true
    }

    // MARK: - Time

    private func setAlarm() {
        guard !isClosed else { return }
        alarm.set([nextRound, inquiry.deadline].compactMap(\.self).min())
    }

    private func advance() {
        let now = loop.now
        inquiry.advance()
        if let nextRound, nextRound <= now {
            self.nextRound = now.advanced(by: surroundings.upkeepInterval)
            if inquiry.isIdle { ask() }
        }
        setAlarm()
        owner?.progressed()
    }

    // MARK: - Changes of the network

    /// Has ports mapped by the gateways there are now, and forgets what others mapped.
    func renewMappings() {
        for base in ports.renew(for: bases) { inquiry.forgetGateway(of: base) }
    }

    /// Lets the owner see whether what it waits for has come.
    func progressed() {
        setAlarm()
        owner?.progressed()
    }

    // MARK: - The relay

    /// Takes another relay where the one there was, or was looked for, is out of reach.
    func renewRelay() {
        guard let relay, relay.isStranded else { return }
        for endpoint in relay.relayed { owner?.found(.gone(relayedBase(endpoint))) }
        relay.close()
        (relayedConnections, seen) = ([], nil)
        startRelay()
    }

    /// Asks TURN servers for a relay.
    private func startRelay() {
        guard !configuration.turnServers.isEmpty else { return }
        let relay = RelayDriver(
            servers: configuration.turnServers, relaying: transport == .udp ? .udp : .tcp,
            trusting: configuration.turnTrust, on: loop, batch: surroundings.batch, handlers: relayHandlers())
        self.relay = relay
        relay.start()
    }

    private func relayHandlers() -> RelayDriver.Handlers {
        RelayDriver.Handlers(
            allocated: { [weak self] in self?.allocated($0) },
            received: { [weak self] bytes, peer in self?.relayed(bytes, from: peer) },
            permitted: { [weak self] in self?.permitted($0, $1) },
            lost: { [weak self] relayed in
                guard let self else { return }
                for endpoint in relayed { owner?.found(.gone(relayedBase(endpoint))) }
            },
            failed: { [weak self] in self?.owner?.progressed() },
            connected: { [weak self] in self?.connected($0, with: $1) },
            piped: { [weak self] bytes, id in
                guard let self, let connection = connection(of: id) else { return }
                owner?.sockets.bytes(bytes.span, connection)
            },
            disconnected: { [weak self] in self?.disconnected($0) },
            distrusted: { [weak self] in self?.surroundings.distrusted($0) })
    }

    private func allocated(_ allocation: TURNClient.Allocation) {
        for relayed in allocation.relayed { owner?.found(.base(relayedBase(relayed))) }
        seen = transport == .tcp ? allocation.mapped?.address : nil
        tellSeen()
        owner?.progressed()
    }

    /// Tells where connections to the server come from, and so those to peers that are not of one of our links: their
    /// relays need to know whom to let through.
    private func tellSeen() {
        guard let seen, let base = bases.first(where: { $0.address.family == seen.family }), base.address != seen else {
            return
        }
        owner?.found(.seen(seen, base: self.base(base)))
    }

    private func relayedBase(of family: IPAddress.Family) -> Endpoint? {
        relay?.relayed.first { $0.address.family == family }
    }

    private func relayed(_ bytes: [UInt8], from peer: Endpoint) {
        guard let base = relayedBase(of: peer.address.family) else { return }
        owner?.sockets.datagram(bytes.span, base, peer)
    }

    private func permitted(_ address: IPAddress, _ isPermitted: Bool) {
        guard let base = relayedBase(of: address.family) else { return }
        owner?.found(isPermitted ? .permitted(address, on: base) : .refused(address, on: base))
    }

    /// Whether a base is the relay's.
    func relays(_ base: Endpoint) -> Bool { relay?.relayed.contains(base) ?? false }

    // MARK: - Connections over the relay

    /// Whether connections from the address of a base are the relay's.
    func relays(connectionsFrom base: Endpoint) -> Bool {
        guard transport == .tcp, let relay, !bases.contains(where: { $0.address == base.address }) else { return false }
        return relay.relayed.contains { $0.address == base.address }
    }

    private func connection(of id: TURNClient.ConnectionID) -> ICEAgent.ConnectionID? {
        relayedConnections.first { $0.id == id }?.connection
    }

    private func id(of connection: ICEAgent.ConnectionID) -> TURNClient.ConnectionID? {
        relayedConnections.first { $0.connection == connection }?.id
    }

    private func connectOverRelay(_ connection: ICEAgent.ConnectionID, to peer: Endpoint) {
        let isAsked = relay?.connect(to: peer) { relayedConnections.append((id: $0, connection: connection)) } ?? false
        guard !isAsked else { return }
        loop.schedule(at: loop.now) { [weak self] in self?.owner?.sockets.disconnected(connection) }
    }

    /// A connection stands: one we asked for, or one of a peer that the relay lets through.
    private func connected(_ id: TURNClient.ConnectionID, with peer: Endpoint) {
        guard let base = relayedBase(of: peer.address.family) else { return }
        if let connection = connection(of: id) {
            owner?.sockets.connected(connection, base)
        } else if let connection = owner?.sockets.accept(base, peer) {
            relayedConnections.append((id: id, connection: connection))
        } else {
            relay?.close(id)
        }
    }

    private func disconnected(_ id: TURNClient.ConnectionID) {
        guard let connection = connection(of: id) else { return }
        relayedConnections.removeAll { $0.id == id }
        owner?.sockets.disconnected(connection)
    }

    // MARK: - Sockets

    /// Sends a datagram from a base of ours.
    func send(_ bytes: [UInt8], from base: Endpoint, to peer: Endpoint) {
        if relays(base) { relay?.send(bytes, to: peer) } else { sockets.send(bytes, from: base, to: peer) }
    }

    /// Whether a socket of ours is bound there.
    func isBound(to base: Endpoint) -> Bool { bases.contains(base) || furtherSockets.contains(base) }

    /// Opens further UDP sockets at the address of a base, as many as can be had.
    func openSockets(_ count: Int, beside base: Endpoint) -> [Endpoint] {
        let opened = (0..<count).compactMap { _ in sockets.openDatagram(at: base, batch: surroundings.batch) }
        furtherSockets.formUnion(opened)
        return opened
    }

    /// Closes such sockets.
    func closeSockets(_ closed: [Endpoint]) {
        for base in closed where furtherSockets.remove(base) != nil { sockets.closeDatagram(at: base) }
    }

    func datagramSocket(at base: Endpoint) -> DatagramSocket? { sockets.datagramSocket(at: base) }

    func connect(_ connection: ICEAgent.ConnectionID, from base: Endpoint, to peer: Endpoint) {
        if relays(connectionsFrom: base) { return connectOverRelay(connection, to: peer) }
        sockets.connect(connection, from: base, to: peer)
    }

    func write(_ bytes: [UInt8], on connection: ICEAgent.ConnectionID) {
        if let id = id(of: connection) { relay?.write(bytes, on: id) } else { sockets.write(bytes, on: connection) }
    }

    func disconnect(_ connection: ICEAgent.ConnectionID) {
        guard let id = id(of: connection) else { return sockets.disconnect(connection) }
        relayedConnections.removeAll { $0.id == id }
        relay?.close(id)
    }

    private func socketHandlers() -> SessionSockets.Handlers {
        SessionSockets.Handlers(
            // The sockets end with the outlet; a weak reference would slow down every packet.
            datagram: { [unowned self] bytes, base, peer in
                guard inquiry.isIdle || !answers(bytes, on: base, from: peer) else { return }
                owner?.sockets.datagram(bytes, base, peer)
            },
            accept: { [weak self] base, peer in self?.owner?.sockets.accept(base, peer) },
            connected: { [weak self] connection, local in self?.owner?.sockets.connected(connection, local) },
            bytes: { [weak self] bytes, connection in self?.owner?.sockets.bytes(bytes, connection) },
            disconnected: { [weak self] connection in self?.owner?.sockets.disconnected(connection) })
    }
}
