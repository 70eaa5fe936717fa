import EventLoop
import Glibc
import SansIO
import SwiftDHT

/// The line to the driver of all nodes of the process. Lives on the first loop's thread.
final class Host {
    private let crews: [Crew]
    private let input = Descriptor(owning: 0)
    private var unread: [UInt8] = []

    private init(_ crews: [Crew]) { self.crews = crews }

    /// Serves until standard input ends, which ends the process. Each loop hosts a part of the nodes.
    static func run(on loops: [EventLoop]) throws(Errno) {
        let host = Host(loops.map(Crew.init))
        // The handler keeps the host, and with it everything, for as long as the process lives.
        _ = try loops.first?.register(host.input, for: .readable) { _ in host.readOrders() }
    }

    private func readOrders() {
        let chunk = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
            count = max(0, read(0, buffer.baseAddress, buffer.count))
        }
        guard !chunk.isEmpty else { exit(0) }
        unread += chunk
        var orders: [[Order]] = crews.map { _ in [] }
        var start = 0
        while let end = unread[start...].firstIndex(of: UInt8(ascii: "\n")) {
            guard let order = Order(unread[start..<end]) else { exit(64) }
            orders[(Int(order.node) ?? 0) % crews.count].append(order)
            start = end + 1
        }
        unread.removeSubrange(..<start)
        for (crew, orders) in zip(crews, orders) where !orders.isEmpty { crew.hand(orders) }
    }
}

/// The nodes of one loop, on whose thread it lives.
actor Crew {
    private nonisolated let loop: EventLoop
    private let memory: NodeMemory
    private var nodes: [String: HostedNode] = [:]
    private var answers: [UInt8] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(on loop: EventLoop) {
        self.loop = loop
        memory = NodeMemory(loop)
    }

    /// Has orders carried out, at once when called on the loop's thread. Callable from any thread.
    nonisolated func hand(_ orders: [Order]) {
        let start = loop.now
        guard !loop.isCurrent else { return assumeIsolated { $0.carryOut(orders, since: start) } }
        loop.execute { self.assumeIsolated { $0.carryOut(orders, since: start) } }
    }

    private func carryOut(_ orders: [Order], since start: Instant) {
        for order in orders { carryOut(order, since: start) }
    }

    private func carryOut(_ order: Order, since start: Instant) {
        let reply = Reply(tag: order.tag, start: start)
        switch order.verb {
        case .nothing: done(reply, true)
        case .node(let port, let bootstrap, let id, let isLimited):
            var configuration = Configuration()
            configuration.limitsRequestRate = isLimited
            let node = HostedNode(id: id, configuration: configuration, memory: memory) { [weak self] event in
                self?.assumeIsolated { $0.report(event) }
            }
            let isBound = node.start(port: port, bootstrap: bootstrap)
            if isBound { nodes[order.node] = node }
            done(reply, isBound)
        case .put(let key, let data): nodes[order.node]?.put(data, at: key, for: reply)
        case .get(let key): nodes[order.node]?.get(key, for: reply)
        case .listen(let key): nodes[order.node]?.listen(key, for: reply)
        case .kill:
            nodes.removeValue(forKey: order.node)?.close()
            done(reply, true)
        }
    }

    private func report(_ event: HostedNode.Event) {
        switch event {
        case .value(let data, let reply): say("value \(reply.tag) \(Hexadecimal.encode(data))", since: reply.start)
        case .done(let reply, let isGood): done(reply, isGood)
        }
    }

    private func done(_ reply: Reply, _ isGood: Bool) { say("done \(reply.tag) \(isGood ? 1 : 0)", since: reply.start) }

    /// Lines leave in pieces that a pipe takes as one, as other threads write there, too; one write for all of a turn.
    private func say(_ text: String, since start: Instant) {
        let line = "\(text) \(Int(start.duration(to: loop.now) / .microseconds(1)))\n".utf8
        if answers.count + line.count > Int(PIPE_BUF) { writeAnswers() }
        if answers.isEmpty { loop.execute { self.assumeIsolated { $0.writeAnswers() } } }
        answers += line
    }

    private func writeAnswers() {
        guard !answers.isEmpty else { return }
        var written = 0
        while written < answers.count {
            let count = answers.withUnsafeBytes { write(1, $0.baseAddress?.advanced(by: written), $0.count - written) }
            guard count > 0 else { exit(0) }
            written += count
        }
        answers.removeAll(keepingCapacity: true)
    }
}

/// What an answer names.
struct Reply: Sendable {
    let tag: String
    let start: Instant
}
