internal import EventLoop
internal import Logging
internal import SansIO
internal import SwiftDHT

/// Carries out what a lone ``DHT`` wants. Lives on the loop's thread.
final class DHTDriver {
    enum Event {
        case value(Value, OperationID)
        case row(FieldRow, OperationID)
        case expired(Value.ID, OperationID)
        case finished(OperationID, DHT.Outcome)
        case connection(IPAddress.Family, isConnected: Bool)
    }

    private let group: DHTGroup
    private let sockets: DHTSockets
    private var dht: DHT
    private let log: Logger
    private var discovery: LocalDiscovery?
    private var monitor: InterfaceMonitor?
    private var report: (Event) -> Void = { _ in }
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        guard let self else { return }
        perform(dht.advance(to: loop.now))
    }

    init(id: NodeID, configuration: SwiftDHT.Configuration, sockets: DHTSockets, group: DHTGroup, log: Logger) {
        self.group = group
        self.log = log
        self.sockets = sockets
        dht = DHT(configuration: configuration, id: id, clock: group.loop.wallClock, random: .system)
    }

    private var loop: EventLoop { group.loop }

    var counters: DHT.Counters { dht.counters }

    var snapshot: DHT.Snapshot { dht.snapshot(at: loop.now) }

    var state: DHT.State { dht.state(at: loop.now) }

    func restore(_ state: DHT.State) { perform(dht.restore(state, at: loop.now)) }

    /// - Parameter findsNeighbours: Whether nodes on the machine's links are looked for.
    func start(findsNeighbours: Bool, report: @escaping (Event) -> Void) throws(Errno) {
        self.report = report
        try sockets.start(
            on: loop,
            failed: { [weak self] endpoint in
                guard let self else { return }
                perform(dht.sendFailed(to: endpoint, at: loop.now))
            },
            refused: { [weak self] endpoint in
                guard let self else { return }
                perform(dht.refused(by: endpoint, at: loop.now))
            },
            received: { [weak self] bytes, peer in
                guard let self else { return }
                perform(dht.receive(bytes, from: peer, at: loop.now))
            })
        alarm.set(dht.deadline)
        watchNetwork()
        guard findsNeighbours else { return }
        discovery = LocalDiscovery(
            id: dht.nodeID, configuration: dht.configuration, endpoints: sockets.endpoints, loop: loop, log: log,
            found: { [weak self] node in
                guard let self else { return }
                perform(dht.insert([node], at: loop.now))
            })
        discovery?.start()
    }

    /// Follows the machine from network to network, where its addresses can change at all.
    private func watchNetwork() {
        guard !sockets.endpoints.allSatisfy(\.address.isLoopback) else { return }
        do throws(Errno) {
            monitor = try InterfaceMonitor(on: loop) { [weak self] in
                guard let self else { return }
                perform(dht.connectivityChanged(at: loop.now))
                discovery?.followLinks()
            }
        } catch { log.info("changes of the network are not noticed", metadata: ["error": "\(error)"]) }
    }

    func bootstrap(_ endpoints: [Endpoint]) { perform(dht.bootstrap(endpoints, at: loop.now)) }

    /// Whether the DHT waits for no answer, having none.
    var isDisconnected: Bool {
        IPAddress.Family.allCases.allSatisfy { dht.status(of: $0) == .disconnected }
    }

    func get(_ key: InfoHash, matching query: ValueQuery, as operation: OperationID) {
        perform(dht.get(key, matching: query, as: operation, at: loop.now))
    }

    func query(_ key: InfoHash, _ query: ValueQuery, as operation: OperationID) {
        perform(dht.query(key, query, as: operation, at: loop.now))
    }

    func put(_ value: Value, at key: InfoHash, permanently: Bool, as operation: OperationID) {
        perform(dht.put(value, at: key, permanently: permanently, as: operation, at: loop.now))
    }

    func listen(_ key: InfoHash, matching query: ValueQuery, as operation: OperationID) {
        perform(dht.listen(key, matching: query, as: operation, at: loop.now))
    }

    func observers(of family: IPAddress.Family, limit: Int) -> [Endpoint] {
        dht.observers(of: family, limit: limit, at: loop.now)
    }

    var pendingHandovers: Int { dht.pendingHandovers }

    func handOver() { perform(dht.handOver(at: loop.now)) }

    func cancel(_ operation: OperationID) { perform(dht.cancel(operation, at: loop.now)) }

    func close() {
        alarm.set(nil)
        monitor?.close()
        discovery?.close()
        sockets.close()
    }

    private func perform(_ effects: [DHT.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let endpoint):
                guard !sockets.send(bytes, to: endpoint) else { continue }
                perform(dht.sendFailed(to: endpoint, at: loop.now))
            case .value(let value, let operation): report(.value(value, operation))
            case .expired(let id, let operation): report(.expired(id, operation))
            case .finished(let operation, let outcome): report(.finished(operation, outcome))
            case .status(let status, let family):
                discovery?.connectionChanged(of: family, isConnected: status == .connected)
                report(.connection(family, isConnected: status == .connected))
            case .examine(let value, let id): examine(value, as: id)
            case .row(let row, let operation): report(.row(row, operation))
            case .observedAddress, .ignored: break
            }
        }
        alarm.set(dht.deadline)
    }

    private func examine(_ value: Value, as id: ExaminationID) {
        group.run {
            Examination(of: value, by: KeyVerifier())
        } completion: { [weak self] examination in
            guard let self else { return }
            perform(dht.examined(id, examination, at: loop.now))
        }
    }
}
