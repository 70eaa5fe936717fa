internal import SansIO

/// Requests to a gateway over UDP that wait for their answers, each under a key.
struct PendingRequests<Key: Hashable & Sendable>: Sendable {
    enum Event: Hashable, Sendable {
        case send([UInt8])
        case gaveUp(Key)
    }

    private struct Request: Sendable {
        var packet: [UInt8]
        var attempts: Int
    }

    private let configuration: PortMapper.Configuration
    private var requests: [Key: Request] = [:]
    /// The keys in the order their requests began.
    private(set) var keys: [Key] = []
    private var timers = TimerTable<Key>()
    private var random: RandomSource

    init(configuration: PortMapper.Configuration, random: RandomSource) {
        self.configuration = configuration
        self.random = random
    }

    var deadline: Instant? { timers.deadline }

    func contains(_ key: Key) -> Bool { requests[key] != nil }

    /// Begins a request; one under the same key is replaced.
    mutating func begin(_ key: Key, _ packet: [UInt8], at now: Instant) -> [UInt8] {
        _ = end(key)
        requests[key] = Request(packet: packet, attempts: 1)
        keys.append(key)
        timers.set(key, at: now.advanced(by: wait(after: 1)))
        return packet
    }

    /// Ends a request; `false` when there was none.
    mutating func end(_ key: Key) -> Bool {
        guard requests.removeValue(forKey: key) != nil else { return false }
        timers.cancel(key)
        keys.removeAll { $0 == key }
        return true
    }

    mutating func advance(to now: Instant) -> [Event] {
        var events: [Event] = []
        while let key = timers.popDue(at: now) {
            guard var request = requests[key] else { continue }
            guard request.attempts < configuration.attempts else {
                _ = end(key)
                events.append(.gaveUp(key))
                continue
            }
            request.attempts += 1
            requests[key] = request
            timers.set(key, at: now.advanced(by: wait(after: request.attempts)))
            events.append(.send(request.packet))
        }
        return events
    }

    /// Doubles with each transmission and varies by a tenth, so that hosts do not ask in step (RFC 6887 §8.1.1).
    private mutating func wait(after attempt: Int) -> Duration {
        let mean = configuration.firstWait * (1 << min(max(attempt - 1, 0), 10))
        return max(random.duration(in: mean * 9 / 10...mean * 11 / 10), .milliseconds(1))
    }
}
