import EventLoop
import Glibc
import SansIO

/// Keeps a number of requests unanswered at one node, and counts what comes back.
///
/// Every answer is checked: its transaction, the node's identifier, a token where there must be one, for `get` exactly the
/// bytes stored, for `find` a list of nodes. The requests are those of a client, so that the node does not ask back.
final class Load {
    enum Mode: String {
        case ping, get, find
    }

    private enum Stage {
        case greeting
        case storing(Int)
        case warmingUp(until: Instant)
        case measuring(since: Instant, cpu: Double, until: Instant)
    }

    private static let valueCount = 64
    private static let patience = Duration.milliseconds(250)

    private let loop: EventLoop
    private let target: Endpoint
    private let mode: Mode
    private let window: Int
    private let duration: Duration
    private let process: pid_t
    private let socket: DatagramSocket
    private let incoming = DatagramBatch(slots: 64, slotSize: 4096)
    private let outgoing = DatagramBatch(slots: 64, slotSize: 4096)
    private var finish: (String) -> Void = { _ in }

    private var stage = Stage.greeting
    private var node: [UInt8] = []
    private var keys: [[UInt8]] = []
    private var values: [[UInt8]] = []
    private var token: [UInt8] = []
    private var lastTransaction: UInt32 = 0x0100_0000
    private var unanswered: [UInt32: (sent: Instant, value: Int)] = [:]
    private var datagrams: [DatagramSocket.Datagram] = []
    private var roundTrips: [Int64] = []
    private var wrong = 0
    private var lost = 0

    init(
        on loop: EventLoop, port: UInt16, mode: Mode, window: Int, duration: Duration, process: pid_t
    ) throws(Errno) {
        (self.loop, self.mode, self.window, self.duration, self.process) = (loop, mode, window, duration, process)
        target = Endpoint(.loopback(.v4), port: port)
        socket = try DatagramSocket(bindingTo: Endpoint(.loopback(.v4), port: 0))
    }

    func start(finish: @escaping (String) -> Void) throws(Errno) {
        self.finish = finish
        try? socket.requestBuffers(receive: 1 << 22, send: 1 << 22)
        try socket.receive(on: loop, into: incoming, drained: { [self] in refill() }) { [self] bytes, _ in
            take(bytes)
        }
        tick()
        refill()
    }

    /// Gives up requests that were not answered, which are repeated by new ones.
    private func tick() {
        let now = loop.now
        for (transaction, request) in unanswered where request.sent.duration(to: now) > Self.patience {
            unanswered[transaction] = nil
            if case .measuring = stage { lost += 1 }
        }
        refill()
        loop.schedule(at: now.advanced(by: .milliseconds(50))) { [self] in tick() }
    }

    // MARK: Out

    private func refill() {
        let now = loop.now
        move(at: now)
        switch stage {
        case .greeting: if unanswered.isEmpty { send(.ping(next(0, now))) }
        case .storing(let index):
            guard unanswered.isEmpty else { break }
            if token.isEmpty {
                send(.get(next(index, now), key: keys[index]))
            } else {
                send(.put(next(index, now), key: keys[index], value: values[index], token: token))
            }
        case .warmingUp, .measuring: while unanswered.count < window { send(request(at: now)) }
        }
        while !datagrams.isEmpty {
            let sent = (try? socket.send(datagrams, through: outgoing)) ?? 0
            datagrams.removeFirst(max(sent, 1))
        }
    }

    private func move(at now: Instant) {
        switch stage {
        case .warmingUp(let end) where now >= end:
            stage = .measuring(since: now, cpu: cpuSeconds, until: now.advanced(by: duration))
        case .measuring(let start, let cpu, let end) where now >= end:
            finish(report(seconds: start.duration(to: now).seconds, cpu: cpuSeconds - cpu))
        default: break
        }
    }

    private func request(at now: Instant) -> Request {
        let index = Int(lastTransaction) % Self.valueCount
        return switch mode {
        case .ping: .ping(next(index, now))
        case .get: .get(next(index, now), key: keys[index])
        case .find: .find(next(index, now), target: (0..<20).map { _ in UInt8.random(in: 0...255) })
        }
    }

    private func next(_ value: Int, _ now: Instant) -> UInt32 {
        lastTransaction += 1
        unanswered[lastTransaction] = (now, value)
        return lastTransaction
    }

    private func send(_ request: Request) { datagrams.append(.init(request.packed, to: target)) }

    // MARK: In

    private func take(_ bytes: Span<UInt8>) {
        guard let answer = try? Answer(bytes), let request = unanswered.removeValue(forKey: answer.transaction) else {
            // Too late, or nonsense; the latter shows as lost.
            return
        }
        switch stage {
        case .greeting:
            guard !answer.node.isEmpty else { return }
            node = answer.node
            for index in 0..<Self.valueCount {
                keys.append(Array(node.dropLast(2)) + [0x55, UInt8(index)])
                values.append(Request.value(id: UInt64(index + 1), data: [UInt8](repeating: UInt8(index), count: 100)))
            }
            let warmUp = loop.now.advanced(by: .milliseconds(300))
            stage = mode == .get ? .storing(0) : .warmingUp(until: warmUp)
        case .storing(let index):
            if token.isEmpty {
                token = answer.token
            } else if index + 1 < Self.valueCount {
                (stage, token) = (.storing(index + 1), [])
            } else {
                stage = .warmingUp(until: loop.now.advanced(by: .milliseconds(300)))
            }
        case .warmingUp: break
        case .measuring:
            if isRight(answer, request.value) {
                roundTrips.append(request.sent.duration(to: loop.now).nanoseconds)
            } else {
                wrong += 1
            }
        }
    }

    private func isRight(_ answer: Answer, _ value: Int) -> Bool {
        guard answer.node == node else { return false }
        return switch mode {
        case .ping: true
        case .get: !answer.token.isEmpty && answer.values == [values[value]]
        case .find: !answer.token.isEmpty && answer.nodeBytes.isMultiple(of: 26)
        }
    }

    // MARK: Result

    /// The processor time of the node's process so far.
    private var cpuSeconds: Double {
        var time = timespec()
        // The clock of another process, as the kernel numbers them.
        clock_gettime(clockid_t(~process << 3 | 2), &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func report(seconds: Double, cpu: Double) -> String {
        let sorted = roundTrips.sorted()
        let median = sorted.isEmpty ? 0 : Double(sorted[sorted.count / 2]) / 1e3
        let answers = Double(sorted.count)
        return "{\"per_second\": \(answers / seconds), \"per_cpu_second\": \(answers / max(cpu, 1e-9)), "
            + "\"median_us\": \(median), \"wrong\": \(wrong), \"lost\": \(lost)}"
    }
}
