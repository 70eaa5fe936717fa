import EventLoop
import SansIO
import SwiftICE

/// NAT behavior discovery over real sockets.
actor BehaviorStage {
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let loop: EventLoop
    private let batch = DatagramBatch()
    private var discovery: NATBehaviorDiscovery
    private var sockets: [NATBehaviorDiscovery.Socket: DatagramSocket] = [:]
    private var outcome: NATBehaviorDiscovery.Effect?
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        self?.assumeIsolated { $0.perform($0.discovery.advance(to: $0.loop.now)) }
    }

    init(on loop: EventLoop, server: Endpoint) {
        self.loop = loop
        discovery = NATBehaviorDiscovery(server: server, random: .system)
    }

    func run(from local: IPAddress, server: Endpoint) async throws -> String {
        for name in [NATBehaviorDiscovery.Socket.first, .second] {
            let socket = try DatagramSocket(bindingTo: Endpoint(local, port: 0))
            try socket.receive(on: loop, into: batch) { [weak self] bytes, source in
                let bytes = [UInt8](bytes)
                self?.assumeIsolated {
                    $0.perform($0.discovery.receive(bytes.span, on: name, from: source, at: $0.loop.now))
                }
            }
            sockets[name] = socket
        }
        discovery = NATBehaviorDiscovery(server: server, local: sockets[.first]?.localEndpoint, random: .system)
        perform(discovery.start(at: loop.now))
        for _ in 0..<5000 where outcome == nil { try await Task.sleep(for: .milliseconds(2)) }
        alarm.set(nil)
        for socket in sockets.values { socket.close() }
        guard case .finished(let behavior) = outcome else {
            throw Disappointment(what: "\(String(describing: outcome))")
        }
        guard behavior.isDirect == true, behavior.mapping == .endpointIndependent,
            behavior.filtering == .endpointIndependent
        else { throw Disappointment(what: "\(behavior)") }
        return "no NAT, nothing filtered, seen as \(behavior.mapped)"
    }

    private func perform(_ effects: [NATBehaviorDiscovery.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let destination, let name): try? sockets[name]?.send(bytes, to: destination)
            case .finished, .failed: outcome = effect
            case .ignored: break
            }
        }
        alarm.set(discovery.deadline)
    }
}
