import EventLoop
import SansIO
import SwiftDHT

/// What all nodes of one loop share.
final class NodeMemory {
    let loop: EventLoop
    let clock: WallClock
    let incoming = DatagramBatch(slots: 64, slotSize: 65_535)
    let outgoing = DatagramBatch(slots: 64, slotSize: 65_535)
    /// What the node at work wants to send; empty between inputs.
    var datagrams: [DatagramSocket.Datagram] = []

    init(_ loop: EventLoop) {
        self.loop = loop
        clock = loop.wallClock
    }
}

/// One node with its socket and its timer.
final class HostedNode {
    enum Event: Sendable {
        case value([UInt8], Reply)
        case done(Reply, Bool)
    }

    private let memory: NodeMemory
    private let report: (Event) -> Void
    private var dht: DHT
    private var socket: DatagramSocket?
    private var lastOperation: UInt64 = 0
    private var replies: [OperationID: Reply] = [:]
    private var random = RandomSource.system
    private lazy var alarm = Alarm(on: memory.loop) { [unowned self] in
        perform(dht.advance(to: memory.loop.now))
        settle()
    }

    init(id: NodeID, configuration: Configuration, memory: NodeMemory, report: @escaping (Event) -> Void) {
        self.memory = memory
        self.report = report
        dht = DHT(
            configuration: configuration, id: id, verifier: NoVerifier(), clock: memory.clock, random: .system)
    }

    /// Binds the socket and enters the network; `false` when the port is taken.
    func start(port: UInt16, bootstrap: UInt16) -> Bool {
        let loopback = IPAddress.loopback(.v4)
        do throws(Errno) {
            let socket = try DatagramSocket(bindingTo: Endpoint(loopback, port: port))
            try? socket.requestBuffers(receive: 1 << 21, send: 1 << 21)
            // Closing the socket lets the handlers go, and with them the node.
            try socket.receive(
                on: memory.loop, into: memory.incoming,
                refused: { [self] in perform(dht.refused(by: $0, at: memory.loop.now)) },
                drained: { [self] in settle() },
                { [self] bytes, source in perform(dht.receive(bytes, from: source, at: memory.loop.now)) })
            self.socket = socket
        } catch { return false }
        if bootstrap != 0 { perform(dht.bootstrap([Endpoint(loopback, port: bootstrap)], at: memory.loop.now)) }
        settle()
        return true
    }

    func put(_ data: [UInt8], at key: InfoHash, for reply: Reply) {
        let value = Value(id: .random(using: &random), data: data)
        perform(dht.put(value, at: key, as: operation(for: reply), at: memory.loop.now))
        settle()
    }

    func get(_ key: InfoHash, for reply: Reply) {
        perform(dht.get(key, as: operation(for: reply), at: memory.loop.now))
        settle()
    }

    func listen(_ key: InfoHash, for reply: Reply) {
        perform(dht.listen(key, as: operation(for: reply), at: memory.loop.now))
        settle()
    }

    func close() {
        alarm.set(nil)
        socket?.close()
    }

    private func operation(for reply: Reply) -> OperationID {
        lastOperation += 1
        replies[OperationID(lastOperation)] = reply
        return OperationID(lastOperation)
    }

    private func perform(_ effects: [DHT.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let endpoint): memory.datagrams.append(.init(bytes, to: endpoint))
            case .value(let value, let operation):
                guard let reply = replies[operation] else { continue }
                report(.value(value.body?.data ?? [], reply))
            case .finished(let operation, let outcome):
                guard let reply = replies.removeValue(forKey: operation) else { continue }
                if case .completed = outcome { report(.done(reply, true)) } else { report(.done(reply, false)) }
            // All values here are plain, and nobody asks how the node is connected.
            default: break
            }
        }
    }

    /// Sends what was collected and follows the machine's deadline: once for each batch of input.
    private func settle() {
        while let first = memory.datagrams.first, let socket {
            do throws(Errno) {
                let sent = try socket.send(memory.datagrams, through: memory.outgoing)
                guard sent < memory.datagrams.count else { break }
                memory.datagrams.removeFirst(sent)
            } catch {
                memory.datagrams.removeFirst()
                // A full queue loses one datagram, as the network may; what cannot be sent to is known from then on.
                guard error != .wouldBlock, error != .noBufferSpace else { continue }
                perform(dht.sendFailed(to: first.destination, at: memory.loop.now))
            }
        }
        memory.datagrams.removeAll(keepingCapacity: true)
        alarm.set(dht.deadline)
    }
}

/// Knows no keys: every value of these measurements is plain.
private struct NoVerifier: ValueVerifier {
    func isValid(signature: [UInt8], of bytes: [UInt8], by owner: [UInt8]) -> Bool { false }
    func publicKey(inCertificate data: [UInt8]) -> [UInt8]? { nil }
}
