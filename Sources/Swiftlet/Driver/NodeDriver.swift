internal import EventLoop
internal import ICEDriver
internal import Logging
internal import MediaRTP
internal import SansIO
internal import SecureChannel
internal import SwiftDHT
internal import SwiftICE

/// Carries out what a ``NodeCore`` wants: the one place where a node meets the world.
///
/// Lives on the loop's thread, where every socket, timer and worker result arrives as a plain call.
final class NodeDriver {
    private let loop: EventLoop
    private let configuration: Node.Configuration
    private let identity: Identity
    private let credentials: SecureChannel.Credentials
    private let worker: Worker
    private let log: Logger
    private let memory: RequestMemory
    private let files: AccountFiles
    private var core: NodeCore
    private var waiting: [NodeCore.Effect] = []
    private var isPerforming = false

    private let dhtSockets: DHTSockets
    private var discovery: LocalDiscovery?
    private var monitor: InterfaceMonitor?
    private let batch = DatagramBatch()
    private var sessions: [SessionID: SessionNetwork] = [:]
    /// What was found of sessions that are not gathered yet.
    private var findings: [SessionID: [ICEAgent.Finding]] = [:]
    private var random = RandomSource.system
    private lazy var surroundings = Surroundings(
        configuration.session, on: loop, batch: batch, addresses: configuration.localAddresses,
        reserve: configuration.reserve,
        isUntranslated: { [unowned self] address in core.dht.observedAddress(of: address.family) == address },
        questions: { [unowned self] base in addressQuestions(about: base) })
    private var links: [LinkID: LinkSecurity] = [:]
    private var media: [CallID: MediaEngine] = [:]
    private var audio: [CallID: Audio] = [:]
    private lazy var alarm = Alarm(on: loop) { [weak self] in self?.advance() }
    private let report: (NodeEvent) -> Void

    init(
        account: Account, configuration: Node.Configuration, dhtSockets: DHTSockets, loop: EventLoop, worker: Worker,
        report: @escaping (NodeEvent) -> Void
    ) throws(NodeError) {
        self.loop = loop
        self.configuration = configuration
        self.worker = worker
        self.report = report
        self.dhtSockets = dhtSockets
        identity = account.identity
        log = configuration.logger
        memory = try RequestMemory(folder: account.folder)
        files = AccountFiles(account.folder)
        let contacts: ContactList
        do { contacts = try files.contacts() } catch { throw .account(error) }
        do throws(SecureChannelError) {
            credentials = try SecureChannel.Credentials(account.identity)
        } catch { throw .identity(error) }
        core = NodeCore(
            account: NodeCore.Account(account.identity, displayName: account.displayName),
            configuration: configuration.core(displayName: account.displayName), contacts: contacts,
            treatedRequests: memory.requests, clock: loop.wallClock, random: .system)
    }

    func start() throws(NodeError) {
        do {
            try dhtSockets.start(
                on: loop,
                failed: { [weak self] endpoint in
                    guard let self else { return }
                    perform(core.sendDHTFailed(to: endpoint, at: loop.now))
                },
                refused: { [weak self] endpoint in
                    guard let self else { return }
                    perform(core.refusedDHT(by: endpoint, at: loop.now))
                },
                received: { [weak self] bytes, peer in
                    guard let self else { return }
                    perform(core.receiveDHT(bytes, from: peer, at: loop.now))
                })
        } catch { throw NodeError(error) }
        worker.run {
            AudioSession.prepare()
        } completion: { _ in
            // Nobody waits for it: the first call just finds the libraries ready.
        }
        surroundings.findGateways()
        do throws(Errno) {
            monitor = try InterfaceMonitor(on: loop) { [weak self] in self?.networkChanged() }
        } catch { log.info("changes of the network are not noticed", metadata: ["error": "\(error)"]) }
        perform(core.publish(at: loop.now))
        if configuration.findsNeighbours { startDiscovery() }
    }

    private func networkChanged() {
        surroundings.networkChanged()
        perform(core.networkChanged(at: loop.now))
        discovery?.followLinks()
    }

    private func startDiscovery() {
        discovery = LocalDiscovery(
            id: core.dht.nodeID, configuration: core.dht.configuration, endpoints: dhtSockets.endpoints, loop: loop,
            log: log,
            found: { [weak self] node in
                guard let self else { return }
                perform(core.meet(node, at: loop.now))
            })
        discovery?.start()
    }

    func bootstrap(_ endpoints: [Endpoint]) { perform(core.bootstrap(endpoints, at: loop.now)) }

    /// Has sessions ask one more STUN server, at its first address of each family.
    func add(stunServers endpoints: [Endpoint]) {
        for family in IPAddress.Family.allCases {
            guard let server = endpoints.first(where: { $0.address.family == family }) else { continue }
            surroundings.configuration.stunServers.append(server)
        }
        surroundings.keepReady()
    }

    /// Whether the DHT waits for no answer, having none.
    var isDisconnected: Bool {
        IPAddress.Family.allCases.allSatisfy { core.dht.status(of: $0) == .disconnected }
    }

    // MARK: - The user

    /// - Parameter begun: told the call's name before anything happens in it.
    func call(_ peer: AccountID, audio: Audio, begun: (CallID) -> Void) -> CallID {
        let (call, effects) = core.call(peer, at: loop.now)
        self.audio[call] = audio
        begun(call)
        perform(effects)
        return call
    }

    func answer(_ call: CallID, audio: Audio) {
        self.audio[call] = audio
        perform(core.answer(call, at: loop.now))
    }

    func decline(_ call: CallID, because text: String) { perform(core.decline(call, because: text, at: loop.now)) }

    func hangUp(_ call: CallID) { perform(core.hangUp(call, at: loop.now)) }

    func send(_ message: Message, in call: CallID) { perform(core.send(message, in: call, at: loop.now)) }

    func mute(_ isMuted: Bool, in call: CallID) { perform(core.mute(isMuted, in: call, at: loop.now)) }

    func hold(_ call: CallID) { perform(core.hold(call, at: loop.now)) }

    func resume(_ call: CallID) { perform(core.resume(call, at: loop.now)) }

    func restartMedia(_ call: CallID) { perform(core.restartMedia(call, at: loop.now)) }

    func send(_ message: Message, to peer: AccountID) -> MessageNumber {
        let (number, effects) = core.send(message, to: peer, at: loop.now)
        perform(effects)
        return number
    }

    var contacts: ContactList { core.contacts }

    func addContact(_ id: AccountID) { perform(core.addContact(id, at: loop.now)) }

    func removeContact(_ id: AccountID, banning isBanned: Bool) {
        perform(core.removeContact(id, banning: isBanned, at: loop.now))
    }

    func hangUpAll() {
        for call in core.callOrder { perform(core.hangUp(call, at: loop.now)) }
    }

    /// Whether last messages still have to get through.
    var isBusy: Bool { core.isBusy }

    func close() {
        alarm.set(nil)
        for engine in media.values { engine.stop() }
        for link in links.keys { closeSecurity(link) }
        for session in sessions.values { session.close() }
        surroundings.close()
        (media, links, sessions) = ([:], [:], [:])
        discovery?.close()
        monitor?.close()
        dhtSockets.close()
    }

    // MARK: - Effects

    private func advance() { perform(core.advance(to: loop.now)) }

    /// Carries out effects in the order they were wanted: those wanted meanwhile wait for the ones before them.
    private func perform(_ effects: [NodeCore.Effect]) {
        waiting += effects
        guard !isPerforming else { return }
        isPerforming = true
        var next = 0
        while next < waiting.count {
            perform(waiting[next])
            next += 1
        }
        waiting.removeAll(keepingCapacity: true)
        isPerforming = false
        alarm.set(core.deadline)
    }

    /// The only code of a node that does anything.
    private func perform(_ effect: NodeCore.Effect) {
        switch effect {
        case .sendDHT(let bytes, let endpoint):
            guard !dhtSockets.send(bytes, to: endpoint) else { return }
            perform(core.sendDHTFailed(to: endpoint, at: loop.now))
        case .gather(let session, let components): gather(session, components: components)
        case .network(let session, let action): sessions[session]?.perform(action)
        case .release(let session): release(session)
        case .secure(let link, let role, let transport, let peer):
            secure(link, as: role, over: transport, expecting: peer)
        case .secureInput(let link, let bytes): links[link]?.receive(bytes)
        case .secureSend(let link, let bytes): links[link]?.send(bytes)
        case .secureClose(let link): closeSecurity(link)
        case .work(let id, let work): start(work, as: id)
        case .startMedia(let call, let plan): startMedia(plan, of: call)
        case .expectMedia(let call, let key): media[call]?.expect(key)
        case .directMedia(let call, let flow): media[call]?.direct(flow)
        case .stopMedia(let call): stopMedia(of: call)
        case .remember(let request): memory.append(request)
        case .saveContacts(let contacts): save(contacts)
        case .event(let event): tell(event)
        case .ignored(let reason): log.debug("ignored", metadata: ["reason": "\(reason)"])
        }
    }

    private func save(_ contacts: ContactList) {
        do throws(AccountError) { try files.write(contacts) } catch {
            log.warning("contacts not kept", metadata: ["error": "\(error)"])
        }
    }

    private func tell(_ event: NodeEvent) {
        if case .call(let call, .ended) = event { audio[call] = nil }
        if case .network(let family, let isConnected) = event {
            discovery?.connectionChanged(of: family, isConnected: isConnected)
            // Now there is somebody to ask.
            if isConnected { surroundings.keepReady() }
        }
        report(event)
    }

    private func start(_ work: Work, as id: WorkID) {
        worker.run { [identity] in
            work.perform(as: identity)
        } completion: { [weak self] result in
            guard let self else { return }
            let result = (try? result.get()) ?? .failed
            perform(core.worked(id, result, at: loop.now))
        }
    }

    // MARK: - Sockets

    private func gather(_ session: SessionID, components: [Int]) {
        let network = SessionNetwork(
            components: components, transports: [session.transport == .tcp ? .tcp : .udp], in: surroundings,
            handlers: SessionNetwork.Handlers(
                found: { [weak self] finding in self?.found(finding, for: session) },
                gathered: { [weak self] in self?.gathered(session) }, sockets: handlers(for: session)))
        sessions[session] = network
        findings[session] = []
        network.gather()
    }

    private func found(_ finding: ICEAgent.Finding, for session: SessionID) {
        guard findings[session]?.append(finding) == nil else { return }
        perform(core.found(finding, for: session, at: loop.now))
    }

    private func gathered(_ session: SessionID) {
        perform(core.gathered(findings.removeValue(forKey: session) ?? [], for: session, at: loop.now))
    }

    private func release(_ session: SessionID) {
        findings[session] = nil
        sessions.removeValue(forKey: session)?.close()
    }

    /// Whom of the DHT a socket asks where it is seen.
    private func addressQuestions(about base: Endpoint) -> [any AddressQuestion] {
        core.dht.observers(of: base.address.family, limit: Self.observers, at: loop.now)
            .filter { $0.address.isLoopback == base.address.isLoopback }
            .map { DHTAddressQuestion(of: base, to: $0, configuration: core.dht.configuration, random: &random) }
    }

    /// How many nodes of the DHT each socket asks where it is seen.
    private static let observers = 2

    private func handlers(for session: SessionID) -> SessionSockets.Handlers {
        SessionSockets.Handlers(
            datagram: { [weak self] bytes, base, peer in self?.received(bytes, for: session, on: base, from: peer) },
            accept: { [weak self] base, peer in
                guard let self else { return nil }
                return core.accept(for: session, on: base, from: peer, at: loop.now)
            },
            connected: { [weak self] connection, local in
                guard let self else { return }
                perform(core.connected(connection, for: session, local: local, at: loop.now))
            },
            bytes: { [weak self] bytes, connection in
                guard let self else { return }
                perform(core.receive([UInt8](bytes), for: session, on: connection, at: loop.now))
            },
            disconnected: { [weak self] connection in
                guard let self else { return }
                perform(core.disconnected(connection, for: session, at: loop.now))
            })
    }

    /// Media goes straight to its engine; everything else is the core's.
    private func received(_ bytes: Span<UInt8>, for session: SessionID, on base: Endpoint, from peer: Endpoint) {
        if case .media(let call, _) = session, !ICEAgent.isSTUN(bytes) {
            media[call]?.receive(bytes, from: peer)
        } else {
            perform(core.receive([UInt8](bytes), for: session, on: base, from: peer, at: loop.now))
        }
    }

    // MARK: - TLS and DTLS

    private func secure(
        _ link: LinkID, as role: ControlLink.SecureRole, over transport: SessionTransport,
        expecting peer: PeerExpectation
    ) {
        let session: SecureSession
        do throws(SecureChannelError) {
            session = try SecureSession(
                role: role == .client ? .client : .server,
                transport: transport == .tcp ? .stream : .datagram(mtu: Self.datagramMTU), credentials: credentials,
                expecting: peer, trust: core.configuration.trust, clock: loop.wallClock)
        } catch { return perform(core.secureOutput([.failed(error)], for: link, at: loop.now)) }
        let security = LinkSecurity(
            session, key: Worker.Key(rawValue: link.rawValue), worker: worker, loop: loop
        ) { [weak self] effects in
            guard let self else { return }
            perform(core.secureOutput(effects, for: link, at: loop.now))
        }
        links[link] = security
        security.start()
    }

    /// The IPv6 minimum MTU less IPv6 and UDP headers.
    private static let datagramMTU = 1280 - 40 - 8

    private func closeSecurity(_ link: LinkID) {
        guard let security = links.removeValue(forKey: link) else {
            return perform(core.secureOutput([.closed], for: link, at: loop.now))
        }
        security.close()
    }

    // MARK: - Media

    private func startMedia(_ plan: MediaPlan, of call: CallID) {
        let engine: MediaEngine
        do {
            if let running = media[call] { return try running.move(to: plan) }
            engine = try MediaEngine(
                plan, audio: audio[call] ?? Audio(), clock: loop.wallClock, on: loop,
                send: { [weak self] bytes, path, session in
                    self?.sessions[.media(call, session)]?.send(bytes, from: path.local, to: path.remote)
                },
                heard: { [weak self] in self?.report(.call(call, .firstAudio)) },
                recordingFailed: { [log] error in
                    log.warning("recording ended", metadata: ["call": "\(call.rawValue)", "error": "\(error)"])
                })
        } catch {
            log.warning("no media", metadata: ["call": "\(call.rawValue)", "error": "\(error)"])
            return perform(core.hangUp(call, at: loop.now))
        }
        media[call] = engine
        engine.start()
    }

    private func stopMedia(of call: CallID) {
        guard let engine = media.removeValue(forKey: call) else { return }
        engine.stop()
        report(.call(call, .statistics(engine.statistics)))
    }
}
