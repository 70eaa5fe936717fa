public import EventLoop
public import SansIO
public import SwiftICE

/// One ICE session over real sockets: what an ``ICEAgent`` decides, done on an event loop.
///
/// Order of use: create, ``gather()``, hand ``localDescription`` to the peer once `gathered` is called, ``connect(to:)``
/// with the peer's, and ``send(_:component:)`` once `writable` is called. The peer's checks are answered all along. Loop
/// thread only; a session that is let go is closed.
///
/// What the session makes refers to it without owning it, and ends with it: weak references would slow down every packet.
public final class ICESession {
    /// Where data of a component go, kept so that a datagram costs no look-up.
    private struct Route {
        let base: Endpoint
        let peer: Endpoint
        let socket: DatagramSocket
    }

    /// Where data of a component came from.
    private struct Origin {
        let base: Endpoint
        let peer: Endpoint
        let component: Int
    }

    let loop: EventLoop
    let batch: DatagramBatch
    let configuration: Configuration
    let handlers: Handlers
    var agent: ICEAgent
    private let surroundings: Surroundings
    /// What happened so far.
    public internal(set) var counters = Counters()

    private lazy var network = SessionNetwork(
        components: Array(1...agent.components),
        transports: (configuration.usesUDP ? [.udp] : []) + (configuration.usesTCP ? [.tcp] : []), in: surroundings,
        handlers: networkHandlers())
    private lazy var alarm = Alarm(on: loop) { [unowned self] in advance() }
    /// Tells of changes of the network, where the session chose its addresses itself.
    private var monitor: InterfaceMonitor?
    /// Once a name was to be resolved.
    private var names: LocalNames?
    private var waiting: [ICEAgent.Effect] = []
    private var isPerforming = false
    private var hasBegun = false
    private var isClosed = false
    /// By component, counted from 0.
    private var sending: [Route?]
    private var isWritable: [Bool]
    private var lastOrigin: Origin?

    /// Prepares a session.
    ///
    /// - Parameter batch: memory for datagrams, which all sessions of a loop may share.
    public init(
        role: Role, configuration: Configuration = Configuration(), on loop: EventLoop, batch: DatagramBatch,
        random: RandomSource = .system, handlers: Handlers
    ) {
        self.loop = loop
        self.batch = batch
        self.configuration = configuration
        self.handlers = handlers
        var agentConfiguration = configuration.agent
        if configuration.namesHosts, agentConfiguration.policy == .all { agentConfiguration.policy = .noHost }
        let addresses = configuration.addresses
        surroundings = Surroundings(
            configuration, on: loop, batch: batch, addresses: { Self.usable(addresses ?? Self.localAddresses) })
        agent = ICEAgent(
            configuration: agentConfiguration, role: role, components: configuration.components, random: random)
        sending = Array(repeating: nil, count: agent.components)
        isWritable = Array(repeating: false, count: agent.components)
        surroundings.distrusted = { [unowned self] _ in counters.distrustedServers += 1 }
    }

    deinit {
        // Nothing was opened before, and what is made on first use must not be made here.
        if hasBegun { closeSockets() }
    }

    private static var localAddresses: [Endpoint] { (try? Interfaces.addresses())?.map(\.endpoint) ?? [] }

    /// A peer on the same link is reached at the other addresses as well, and each pair delays those behind it.
    private static func usable(_ addresses: [Endpoint]) -> [Endpoint] {
        let wider = addresses.filter { !$0.address.isLinkLocal }
        return wider.isEmpty ? addresses : wider
    }

    /// What to tell the peer.
    public var localDescription: SessionDescription { agent.localDescription }

    /// The host's candidates with names in place of their addresses, where ``Configuration/namesHosts`` is set: to be told
    /// beside ``localDescription``, as ``Candidate/line(named:)`` for one. The names end with the session.
    public var namedCandidates: [(host: String, candidate: Candidate)] {
        guard configuration.namesHosts, configuration.agent.policy != .relayOnly else { return [] }
        return agent.hostCandidates.compactMap { candidate in
            guard !candidate.endpoint.address.isLoopback,
                let host = localNames().publish(candidate.endpoint.address)
            else { return nil }
            return (host, candidate)
        }
    }

    /// Where the session stands.
    public var state: ICEAgent.State { agent.state }

    /// The pair a component uses, if one is selected.
    public func selectedPair(component: Int = 1) -> ICEAgent.SelectedPair? { agent.selectedPair(component: component) }

    /// Opens the sockets and looks for the addresses they are seen at; legal once.
    public func gather() {
        guard !hasBegun, !isClosed else { return }
        hasBegun = true
        if configuration.addresses == nil {
            // Without news of the network, the session lasts as long as its addresses do.
            monitor = try? InterfaceMonitor(on: loop) { [unowned self] in surroundings.networkChanged() }
        }
        network.gather()
        setAlarm()
    }

    /// Starts the checks with what the peer told; of its kind what both sides agreed on elsewhere.
    public func connect(to remote: SessionDescription, peer: ICEAgent.PeerOptions = ICEAgent.PeerOptions()) {
        guard !isClosed else { return }
        perform(agent.start(remote: remote, peer: peer, at: loop.now))
    }

    /// Begins anew with other credentials, also after a failure (RFC 8445 §9): hand ``localDescription`` to the peer, and
    /// ``connect(to:peer:)`` with its new one. Data travel on the former path until another one is found.
    public func restart() {
        guard !isClosed else { return }
        perform(agent.restart(at: loop.now))
    }

    /// Whether a description the peer told later asks for a restart of ours before we connect to it.
    public func isRestart(_ remote: SessionDescription) -> Bool { agent.isRestart(remote.credentials) }

    /// Takes a candidate line of the peer's description, or one it told later; a `.local` name in it is asked for on our
    /// links (RFC 6762), and other names are refused.
    public func addRemoteCandidate(_ line: Candidate.Line) {
        guard !isClosed else { return }
        perform(agent.addRemoteCandidate(line, at: loop.now))
    }

    /// Takes candidates the peer told later.
    public func addRemoteCandidates(_ candidates: [Candidate]) {
        guard !isClosed else { return }
        perform(agent.addRemoteCandidates(candidates, at: loop.now))
    }

    /// Ends the session and closes its sockets; no handler is called any more.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        _ = agent.close()
        if hasBegun { closeSockets() }
        forgetRoutes()
    }

    private func closeSockets() {
        alarm.set(nil)
        monitor?.close()
        names?.close()
        network.close()
        surroundings.close()
    }

    // MARK: - Data

    /// Sends one datagram; `false` when it was not sent, because there is no path or the kernel's queue is full.
    @discardableResult
    public func send(_ bytes: Span<UInt8>, component: Int = 1) -> Bool {
        guard sending.indices.contains(component - 1) else { return false }
        guard let route = sending[component - 1] else { return sendThroughAgent([UInt8](bytes), component) > 0 }
        guard (try? route.socket.send(bytes, to: route.peer)) != nil else { return false }
        counters.dataSent += 1
        return true
    }

    /// Sends datagrams with few kernel calls; returns how many were sent, from the front.
    @discardableResult
    public func send(_ datagrams: [[UInt8]], component: Int = 1) -> Int {
        guard sending.indices.contains(component - 1) else { return 0 }
        guard let route = sending[component - 1] else {
            return datagrams.reduce(0) { $0 + sendThroughAgent($1, component) }
        }
        let sent = (try? route.socket.send(datagrams, to: route.peer, through: batch)) ?? 0
        counters.dataSent += sent
        return sent
    }

    /// Sends over a connection, or finds that there is no path.
    private func sendThroughAgent(_ bytes: [UInt8], _ component: Int) -> Int {
        guard agent.usablePair(component: component, at: loop.now) != nil else { return 0 }
        perform(agent.send(bytes, component: component, at: loop.now))
        counters.dataSent += 1
        return 1
    }

    private func received(_ bytes: Span<UInt8>, on base: Endpoint, from peer: Endpoint) {
        // First bytes of STUN are 0 to 3 (RFC 7983 §7), so most data need no closer look.
        if bytes.count > 0, bytes[0] < 4, ICEAgent.isSTUN(bytes) {
            return perform(agent.receive(bytes, on: base, from: peer, at: loop.now))
        }
        guard let component = component(of: base, from: peer) else {
            counters.strangers += 1
            return
        }
        deliver(bytes, component)
    }

    private func deliver(_ bytes: Span<UInt8>, _ component: Int) {
        counters.dataReceived += 1
        handlers.received(bytes, component)
    }

    /// The component of data that came to a base, if they come from the peer.
    private func component(of base: Endpoint, from peer: Endpoint) -> Int? {
        if let lastOrigin, lastOrigin.peer == peer, lastOrigin.base == base { return lastOrigin.component }
        guard agent.isPeer(peer), let component = network.component(of: base) else { return nil }
        lastOrigin = Origin(base: base, peer: peer, component: component)
        return component
    }

    // MARK: - Effects

    private func advance() {
        guard !isClosed else { return }
        perform(agent.advance(to: loop.now))
    }

    /// Carries out effects in the order they were wanted: those wanted meanwhile wait for the ones before them.
    private func perform(_ effects: [ICEAgent.Effect]) {
        waiting += effects
        guard !isPerforming else { return }
        isPerforming = true
        var next = 0
        while next < waiting.count, !isClosed {
            perform(waiting[next])
            next += 1
        }
        waiting.removeAll(keepingCapacity: waiting.capacity <= 64)
        isPerforming = false
        guard !isClosed else { return }
        followPaths()
        setAlarm()
    }

    private func setAlarm() {
        guard !isClosed else { return }
        alarm.set(agent.deadline)
    }

    private func perform(_ effect: ICEAgent.Effect) {
        switch effect {
        case .send(let bytes, let base, let peer): send(bytes, from: base, to: peer)
        case .connect(let connection, let base, let peer): network.connect(connection, from: base, to: peer)
        case .write(let bytes, let connection): network.write(bytes, on: connection)
        case .disconnect(let connection): network.disconnect(connection)
        case .received(let bytes, let component): deliver(bytes.span, component)
        case .selected(let pair, let component):
            if case .datagram(let base, let peer) = pair.path { network.prefer(base, to: peer) }
            handlers.selected(pair, component)
        case .completed: handlers.completed()
        case .lost(let component): lost(component)
        case .permit(let address, let base): network.permit(address, on: base)
        case .openSockets(let base, let count):
            perform(agent.opened(network.openSockets(count, beside: base), beside: base, at: loop.now))
        case .closeSockets(let sockets): network.closeSockets(sockets)
        case .resolve(let host): resolve(host)
        case .failed(let failure):
            forgetRoutes()
            handlers.failed(failure)
        case .ignored: counters.ignored += 1
        }
    }

    private func resolve(_ host: String) { localNames().resolve(host) }

    private func localNames() -> LocalNames {
        if let names { return names }
        let names = LocalNames(on: loop, batch: batch) { [unowned self] name, addresses in
            perform(agent.resolved(name, to: addresses, at: loop.now))
        }
        self.names = names
        return names
    }

    private func send(_ bytes: [UInt8], from base: Endpoint, to peer: Endpoint) {
        counters.controlSent += 1
        network.send(bytes, from: base, to: peer)
    }

    private func lost(_ component: Int) {
        isWritable[component - 1] = false
        lastOrigin = nil
        handlers.lost(component)
    }

    /// Sends data where the agent would, and says so the first time it would.
    private func followPaths() {
        for component in 1...agent.components {
            let path = agent.usablePair(component: component, at: loop.now)?.path
            if case .datagram(let base, let peer) = path, let socket = network.datagramSocket(at: base) {
                let known = sending[component - 1]
                if known?.base != base || known?.peer != peer {
                    sending[component - 1] = Route(base: base, peer: peer, socket: socket)
                }
            } else {
                sending[component - 1] = nil
            }
            if path != nil, !isWritable[component - 1] {
                isWritable[component - 1] = true
                handlers.writable(component)
            }
        }
    }

    private func forgetRoutes() {
        sending = Array(repeating: nil, count: agent.components)
        lastOrigin = nil
    }

    /// Takes up what was found, and tells of candidates that are found after the others were told.
    private func found(_ finding: ICEAgent.Finding) {
        let (known, hosts) = (agent.localCandidates, agent.hostCandidates)
        perform(agent.take(finding, at: loop.now))
        if case .gone(let base) = finding, configuration.namesHosts { names?.withdraw(base.endpoint.address) }
        guard network.hasGathered else { return }
        for candidate in agent.localCandidates where !known.contains(candidate) { handlers.found(candidate) }
        guard configuration.namesHosts, case .base(let base) = finding, base.kind == .host else { return }
        for (host, candidate) in namedCandidates where !hosts.contains(candidate) { handlers.named(host, candidate) }
    }

    private func networkHandlers() -> SessionNetwork.Handlers {
        SessionNetwork.Handlers(
            found: { [unowned self] finding in found(finding) },
            gathered: { [unowned self] in
                if !isClosed { handlers.gathered() }
            },
            sockets: socketHandlers())
    }

    private func socketHandlers() -> SessionSockets.Handlers {
        SessionSockets.Handlers(
            datagram: { [unowned self] bytes, base, peer in received(bytes, on: base, from: peer) },
            accept: { [unowned self] base, peer in
                isClosed ? nil : agent.accept(on: base, from: peer, at: loop.now)
            },
            connected: { [unowned self] connection, local in
                perform(agent.connected(connection, local: local, at: loop.now))
            },
            bytes: { [unowned self] bytes, connection in
                perform(agent.receive(bytes, on: connection, at: loop.now))
            },
            disconnected: { [unowned self] connection in
                perform(agent.disconnected(connection, at: loop.now))
            })
    }
}
