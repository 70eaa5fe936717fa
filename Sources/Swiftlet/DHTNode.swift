internal import EventLoop
internal import Logging
public import SansIO
internal import SecureChannel
public import SwiftDHT

/// A node of the DHT alone, without an account: stores for others, and asks for its user.
///
/// Runs on one thread of its own, or on that of its ``DHTGroup``; ``close()`` ends it.
public actor DHTNode {
    /// What an operation yields.
    public enum Update: Hashable, Sendable {
        /// A value was found, new or in place of one with the same identifier.
        case value(Value)
        /// A query found fields of a value, which nobody vouches for: signatures cannot be checked.
        case row(FieldRow)
        /// A value that was reported is gone.
        case expired(Value.ID)
        /// The operation came to its end.
        case finished(DHT.Outcome)
    }

    let group: DHTGroup
    /// Whether the group is this node's alone, and ends with it.
    private let ownsGroup: Bool
    let configuration: Configuration
    private var driver: DHTDriver?
    private var lastOperation: UInt64 = 0
    /// Operations that go on after `finished`.
    private var lastingOperations: Set<OperationID> = []
    private var operations: [OperationID: AsyncStream<Update>.Continuation] = [:]
    /// Certificates that were found, for those who are written to.
    var knownChains = CertificateCache()
    /// Held for as long as the node lives, since a permanent put ends with its reader.
    private var publications: [AsyncStream<Update>] = []
    private var networkWaiters: [CheckedContinuation<Bool, Never>] = []
    private var isOnline = false
    /// The hosts of ``Node/Configuration/bootstrap`` that have no address.
    public private(set) var unresolvedHosts: [Node.Configuration.Bootstrap] = []

    /// The node's identifier.
    public nonisolated let nodeID: NodeID
    /// The addresses its sockets are bound to.
    public nonisolated let localEndpoints: [Endpoint]
    /// How well it is connected, whenever that changes.
    public nonisolated let connections: AsyncStream<(family: IPAddress.Family, isConnected: Bool)>
    private let connectionsInput: AsyncStream<(family: IPAddress.Family, isConnected: Bool)>.Continuation

    /// The node's thread, on which everything isolated to it runs.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        // The loop lives as long as this node, which holds its group.
        unsafe group.loop.asUnownedSerialExecutor()
    }

    private var loop: EventLoop { group.loop }

    /// Binds the sockets and enters the network.
    ///
    /// - Parameter group: The thread to run on, shared with other nodes; `nil` for one of the node's own.
    public init(
        configuration: Configuration = Configuration(), in group: DHTGroup? = nil
    ) async throws(NodeError) {
        self.configuration = configuration
        (connections, connectionsInput) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
        let sockets: DHTSockets
        do throws(Errno) {
            sockets = try DHTSockets(addresses: configuration.boundAddresses, port: configuration.port)
        } catch { throw NodeError.binding(error, port: configuration.port) }
        self.group = if let group { group } else { try DHTGroup() }
        ownsGroup = group == nil
        localEndpoints = sockets.endpoints
        nodeID = configuration.chooseNodeID()
        let driver = DHTDriver(
            id: nodeID, configuration: configuration.dht, sockets: sockets, group: self.group,
            log: configuration.logger)
        self.driver = driver
        do throws(Errno) {
            try driver.start(findsNeighbours: configuration.findsNeighbours) { [weak self] event in
                self?.assumeIsolated { $0.happened(event) }
            }
        } catch { throw NodeError(error) }
        takeUp()
        for host in configuration.bootstrap where await !bootstrap(from: host) { unresolvedHosts.append(host) }
    }

    /// Goes on where an earlier run ended, and makes the identity known.
    private func takeUp() {
        if let state = configuration.state { driver?.restore(state) }
        // Certificates were among the permanent puts of the earlier run.
        var begun: [(key: InfoHash, id: Value.ID)] = []
        for record in certificates + (configuration.state?.puts ?? []) {
            guard !begun.contains(where: { $0 == (record.key, record.value.id) }) else { continue }
            begun.append((record.key, record.value.id))
            publications.append(put(record.value, at: record.key, permanently: true))
        }
    }

    /// The identity's certificates, at the keys where releases look for them.
    private var certificates: [DHT.State.PermanentPut] {
        guard let identity = configuration.identity else { return [] }
        let value = Value(id: Value.ID(1), data: PackedCertificate.encode(identity.chain), type: .certificate)
        return [InfoHash(identity.id), InfoHash(hashing: identity.longID.bytes)].map { .init(key: $0, value: value) }
    }

    /// Enters the network through one more host; `false` when it has no address.
    @discardableResult
    public func bootstrap(from host: Node.Configuration.Bootstrap) async -> Bool {
        guard let endpoints = await group.endpoints(of: host) else {
            configuration.logger.info("bootstrap has no address", metadata: ["name": "\(host)"])
            return false
        }
        driver?.bootstrap(endpoints)
        return true
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

    /// Looks for the values of a key; the stream ends after `finished`.
    public func get(_ key: InfoHash, matching query: ValueQuery = .all) -> AsyncStream<Update> {
        begin { driver, operation in driver.get(key, matching: query, as: operation) }
    }

    /// Stores a value; the stream ends after `finished`, of a permanent put with the node.
    ///
    /// A permanent put goes on until the stream's reader stops.
    public func put(_ value: Value, at key: InfoHash, permanently: Bool = false) -> AsyncStream<Update> {
        begin(lasting: permanently) { driver, operation in
            driver.put(value, at: key, permanently: permanently, as: operation)
        }
    }

    /// Reports the values of a key as they come and go, until the stream's reader stops.
    public func listen(_ key: InfoHash, matching query: ValueQuery = .all) -> AsyncStream<Update> {
        begin { driver, operation in driver.listen(key, matching: query, as: operation) }
    }

    /// Looks for fields of the values of a key, which costs less than the values; each row comes once, and the stream ends
    /// after `finished`.
    public func query(_ key: InfoHash, _ query: ValueQuery) -> AsyncStream<Update> {
        begin { driver, operation in driver.query(key, query, as: operation) }
    }

    /// Nodes that may be asked where they see a socket; see ``DHT/observers(of:limit:at:)``.
    func observers(of family: IPAddress.Family, limit: Int) -> [Endpoint] {
        driver?.observers(of: family, limit: limit) ?? []
    }

    /// What happened since the node began.
    public var counters: DHT.Counters { driver?.counters ?? DHT.Counters() }

    /// What the node knows and does now; `nil` once it is closed.
    public var snapshot: DHT.Snapshot? { driver?.snapshot }

    /// What to keep for the next run; `nil` once the node is closed.
    public var state: DHT.State? { driver?.state }

    /// Gives what is stored here for others to the nodes closest to it, for ``close()`` to lose nothing; returns when that
    /// is done, or after `patience`.
    public func handOver(within patience: Duration) async {
        driver?.handOver()
        let end = loop.now.advanced(by: patience)
        while let driver, driver.pendingHandovers > 0, loop.now < end {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Ends the node.
    public func close() {
        guard let driver else { return }
        driver.close()
        self.driver = nil
        wakeNetworkWaiters()
        for input in operations.values { input.finish() }
        operations = [:]
        connectionsInput.finish()
        if ownsGroup { group.close() }
    }

    private func begin(
        lasting isLasting: Bool = false, _ order: (DHTDriver, OperationID) -> Void
    ) -> AsyncStream<Update> {
        let (stream, input) = AsyncStream<Update>.makeStream(bufferingPolicy: .bufferingNewest(16_384))
        guard let driver else {
            input.finish()
            return stream
        }
        lastOperation += 1
        let operation = OperationID(lastOperation)
        operations[operation] = input
        if isLasting { lastingOperations.insert(operation) }
        input.onTermination = { [weak self] reason in
            guard case .cancelled = reason else { return }
            Task { await self?.cancel(operation) }
        }
        order(driver, operation)
        return stream
    }

    private func cancel(_ operation: OperationID) {
        operations[operation] = nil
        lastingOperations.remove(operation)
        driver?.cancel(operation)
    }

    private func happened(_ event: DHTDriver.Event) {
        switch event {
        case .value(let value, let operation): operations[operation]?.yield(.value(value))
        case .row(let row, let operation): operations[operation]?.yield(.row(row))
        case .expired(let id, let operation): operations[operation]?.yield(.expired(id))
        case .finished(let operation, let outcome): finished(operation, outcome)
        case .connection(let family, let isConnected):
            connectionsInput.yield((family, isConnected))
            isOnline = isOnline || isConnected
            if isOnline || isHopeless { wakeNetworkWaiters() }
        }
    }

    /// Ends the stream of an operation, unless it goes on: a permanent put after its first round.
    private func finished(_ operation: OperationID, _ outcome: DHT.Outcome) {
        operations[operation]?.yield(.finished(outcome))
        guard !lastingOperations.contains(operation) else { return }
        operations.removeValue(forKey: operation)?.finish()
    }

    private var isHopeless: Bool { !configuration.bootstrap.isEmpty && driver?.isDisconnected ?? true }

    private func wakeNetworkWaiters() {
        let waiters = networkWaiters
        networkWaiters = []
        for waiter in waiters { waiter.resume(returning: isOnline) }
    }
}
