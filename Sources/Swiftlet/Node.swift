internal import EventLoop
internal import Logging
internal import SansIO
public import SecureChannel

/// A device on the network: reachable by its account's id, able to call others.
///
/// All of a node runs on one thread of its own, where its sockets, timers and protocols are. ``close()`` ends it.
public actor Node {
    private let loop: EventLoop
    private let worker: Worker
    private let resolver: Resolver
    private var driver: NodeDriver?
    /// Held while the node runs: two of one folder would answer the same requests, and undo each other's changes.
    private var lock: FileLock?
    private let account: Account
    private let configuration: Configuration

    /// What happens to the node.
    public nonisolated let events: AsyncStream<NodeEvent>
    /// Calls from others, each to be accepted or declined.
    public nonisolated let incomingCalls: AsyncStream<IncomingCall>
    /// The addresses the DHT's sockets are bound to.
    public nonisolated let localEndpoints: [String]

    private let eventsInput: AsyncStream<NodeEvent>.Continuation
    private let incomingInput: AsyncStream<IncomingCall>.Continuation
    private var callInputs: [CallID: AsyncStream<CallEvent>.Continuation] = [:]
    private var messageWaiters: [MessageNumber: CheckedContinuation<MessageOutcome, Never>] = [:]
    private var finishedMessages: [MessageNumber: MessageOutcome] = [:]
    private var networkWaiters: [CheckedContinuation<Bool, Never>] = []
    private var isOnline = false
    /// The hosts of ``Configuration/bootstrap`` that have no address.
    public private(set) var unresolvedHosts: [Configuration.Bootstrap] = []

    /// The node's thread, on which everything isolated to it runs.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        // The loop lives as long as this node, which holds it.
        unsafe loop.asUnownedSerialExecutor()
    }

    /// Binds the DHT's sockets, joins the network and makes the device known.
    public init(account: Account, configuration: Configuration = Configuration()) async throws(NodeError) {
        self.account = account
        self.configuration = configuration
        (events, eventsInput) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(4096))
        (incomingCalls, incomingInput) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
        do throws(AccountError) { lock = try AccountFiles(account.folder).lock() } catch { throw .account(error) }
        let sockets: DHTSockets
        do throws(Errno) {
            sockets = try DHTSockets(addresses: configuration.dhtAddresses, port: configuration.port)
            loop = try EventLoop()
            worker = try Worker(for: loop)
            resolver = try Resolver(for: loop)
        } catch { throw NodeError.binding(error, port: configuration.port) }
        localEndpoints = sockets.endpoints.map(\.description)
        try start(sockets)
        await joinNetwork()
    }

    private func start(_ sockets: DHTSockets) throws(NodeError) {
        let driver = try NodeDriver(
            account: account, configuration: configuration, dhtSockets: sockets, loop: loop, worker: worker
        ) { [weak self] event in
            self?.assumeIsolated { $0.happened(event) }
        }
        self.driver = driver
        try driver.start()
    }

    /// Resolves the bootstrap names and goes on without those that have no address.
    private func joinNetwork() async {
        resolveSTUNServers()
        for name in configuration.bootstrap {
            guard let endpoints = try? await resolver.resolve(name.host, port: name.port) else {
                configuration.logger.info("bootstrap has no address", metadata: ["name": "\(name)"])
                unresolvedHosts.append(name)
                continue
            }
            driver?.bootstrap(endpoints)
        }
    }

    /// Nobody waits for STUN servers: what is asked before they have addresses asks others.
    private func resolveSTUNServers() {
        for server in configuration.stunServers {
            resolver.resolve(server.host, port: server.port) { [weak self] result in
                self?.assumeIsolated { $0.driver?.add(stunServers: (try? result.get()) ?? []) }
            }
        }
    }

    /// Waits until the DHT answers; `false` when it did not within `patience`, or when no host that was to be asked has
    /// an address or answered one of several requests.
    public func waitUntilOnline(patience: Duration = .seconds(15)) async -> Bool {
        if isOnline || isHopeless { return isOnline }
        _ = loop.schedule(at: loop.now.advanced(by: patience)) { [weak self] in
            self?.assumeIsolated { $0.wakeNetworkWaiters() }
        }
        return await withCheckedContinuation { networkWaiters.append($0) }
    }

    // MARK: - Calls and messages

    /// Calls an account: every announced device of it rings, the first that answers takes the call.
    public func call(_ contact: AccountID, audio: Audio = Audio()) async throws(NodeError) -> Call {
        guard let driver else { throw .closed }
        let (events, input) = AsyncStream<CallEvent>.makeStream()
        let id = driver.call(contact, audio: audio) { callInputs[$0] = input }
        return Call(id: id, peer: contact, events: events, node: self)
    }

    /// Sends a text to every announced device of an account; returns once one of them took it.
    public func send(_ text: String, to contact: AccountID) async throws(NodeError) -> MessageOutcome {
        guard let driver else { throw .closed }
        let number = driver.send(Message(text: text), to: contact)
        if let outcome = finishedMessages.removeValue(forKey: number) { return outcome }
        return await withCheckedContinuation { messageWaiters[number] = $0 }
    }

    func accept(_ call: CallID, from peer: AccountID, audio: Audio) throws(NodeError) -> Call {
        guard let driver else { throw .closed }
        let (events, input) = AsyncStream<CallEvent>.makeStream()
        callInputs[call] = input
        driver.answer(call, audio: audio)
        return Call(id: call, peer: peer, events: events, node: self)
    }

    func decline(_ call: CallID, because text: String) { driver?.decline(call, because: text) }

    func hangUp(_ call: CallID) { driver?.hangUp(call) }

    func send(_ text: String, in call: CallID) { driver?.send(Message(text: text), in: call) }

    func mute(_ isMuted: Bool, in call: CallID) { driver?.mute(isMuted, in: call) }

    func hold(_ call: CallID) { driver?.hold(call) }

    func resume(_ call: CallID) { driver?.resume(call) }

    func restartMedia(_ call: CallID) { driver?.restartMedia(call) }

    // MARK: - Contacts

    /// The accounts we know, removed and banned ones among them.
    public var contacts: ContactList { driver?.contacts ?? ContactList() }

    /// Makes an account a contact: each of its devices is asked to agree, or told that we do if it asked first.
    ///
    /// Devices that are away are asked when they appear. Contacts are watched for ``NodeEvent/presence(_:isOnline:)``.
    public func addContact(_ id: AccountID) throws(NodeError) {
        guard let driver else { throw .closed }
        driver.addContact(id)
    }

    /// Makes an account no contact. A banned one can neither call nor write any more.
    public func removeContact(_ id: AccountID, banning isBanned: Bool = false) throws(NodeError) {
        guard let driver else { throw .closed }
        driver.removeContact(id, banning: isBanned)
    }

    // MARK: - The end

    /// Hangs up all calls, gives their last messages a moment to get through, and ends the node.
    public func close() async {
        guard let driver else { return }
        driver.hangUpAll()
        let last = loop.now.advanced(by: configuration.closingTime)
        while driver.isBusy, loop.now < last { await pause(.milliseconds(20)) }
        driver.close()
        (self.driver, lock) = (nil, nil)
        wakeNetworkWaiters()
        for waiter in messageWaiters.values { waiter.resume(returning: .failed(.connectionLost)) }
        messageWaiters = [:]
        for input in callInputs.values { input.finish() }
        callInputs = [:]
        eventsInput.finish()
        incomingInput.finish()
        resolver.shutdown()
        worker.shutdown(waiting: false)
        loop.shutdown()
    }

    private func pause(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            _ = loop.schedule(at: loop.now.advanced(by: duration)) { continuation.resume() }
        }
    }

    // MARK: - What happens

    private func happened(_ event: NodeEvent) {
        eventsInput.yield(event)
        if let call = IncomingCall(event, on: self) { incomingInput.yield(call) }
        switch event {
        case .network(_, let isConnected) where isConnected:
            isOnline = true
            wakeNetworkWaiters()
        case .network: if !isOnline, isHopeless { wakeNetworkWaiters() }
        case .call(let call, let event):
            callInputs[call]?.yield(event)
            if case .ended = event { callInputs.removeValue(forKey: call)?.finish() }
        case .messageOutcome(let number, let outcome):
            if let waiter = messageWaiters.removeValue(forKey: number) {
                waiter.resume(returning: outcome)
            } else {
                finishedMessages[number] = outcome
            }
        case .announced, .requestReceived, .incomingCall, .message, .contactRequested, .contactAsked, .contactConfirmed,
            .presence:
            break
        }
    }

    private var isHopeless: Bool { !configuration.bootstrap.isEmpty && driver?.isDisconnected ?? true }

    private func wakeNetworkWaiters() {
        let waiters = networkWaiters
        networkWaiters = []
        for waiter in waiters { waiter.resume(returning: isOnline) }
    }
}
