import SansIO
import SwiftDHT

/// Signatures that tests can make by hand: the owner's bytes followed by a checksum of what is signed.
struct FakeKey: ValueVerifier, ValueSealer, ValueEncryptor {
    let name: String

    var publicKey: [UInt8] { Array("key of \(name)".utf8) }
    var recipient: InfoHash { InfoHash(hashing: publicKey) }

    func sign(_ bytes: [UInt8]) throws -> [UInt8] { InfoHash(hashing: publicKey + bytes).bytes }

    func isValid(signature: [UInt8], of bytes: [UInt8], by owner: [UInt8]) -> Bool {
        InfoHash(hashing: owner + bytes).bytes == signature
    }

    func publicKey(inCertificate data: [UInt8]) -> [UInt8]? {
        let mark = Array("CERT".utf8)
        guard let start = data.indices.first(where: { data[$0...].starts(with: mark) }) else { return nil }
        return Array(data[(start + mark.count)...])
    }

    struct WrongKey: Error {}

    func encrypt(_ bytes: [UInt8]) throws -> [UInt8] { recipient.bytes + bytes.map { $0 ^ 0x55 } }

    func decrypt(_ cypher: [UInt8]) throws -> [UInt8] {
        guard cypher.starts(with: recipient.bytes) else { throw WrongKey() }
        return cypher.dropFirst(InfoHash.byteCount).map { $0 ^ 0x55 }
    }
}

/// A network of nodes in virtual time, with delay and loss drawn from a seed.
struct World {
    struct Event {
        enum Content {
            case datagram([UInt8], from: Endpoint, to: Int)
            case refusal(by: Endpoint, to: Int)
            case wake(Int)
        }
        let time: Instant
        let serial: Int
        let content: Content
    }

    /// One effect that is not a datagram.
    struct Note {
        let time: Instant
        let node: Int
        let effect: DHT.Effect
    }

    var nodes: [DHT] = []
    /// Where each node is.
    private(set) var endpoints: [Endpoint] = []
    private var indices: [Endpoint: Int] = [:]
    /// Those who are at an endpoint without being nodes of ours: given what comes and from where, they say what to send.
    var strangers: [Endpoint: (Packet, Endpoint) -> [Packet]] = [:]
    var dead: Set<Int> = []
    /// Whether the machines of dead nodes say that nobody listens any more.
    var refusesForTheDead = false
    /// Nodes that run, but whose datagrams go nowhere.
    var severed: Set<Int> = []
    /// Nodes that reach each other only, as all others do.
    var island: Set<Int> = []
    /// Sees every datagram that leaves a node.
    var tap: ((_ bytes: [UInt8], _ sender: Int, _ target: Endpoint) -> Void)?
    var notes: [Note] = []
    var now = Instant.zero
    var lossPercent = 0
    var delay: ClosedRange<Duration> = .milliseconds(1)...(.milliseconds(20))
    private var random: RandomSource
    private var events: [Event] = []
    private var serial = 0
    private var wakes: [Instant?] = []
    static let clock = WallClock(epochOffset: 1_800_000_000 * 1_000_000_000)

    init(seed: UInt64) { random = .seeded(seed) }

    static func endpoint(_ index: Int) -> Endpoint {
        Endpoint(.v4(0x0A00_0001 + UInt32(index)), port: 4222)
    }

    @discardableResult
    mutating func addNode(
        _ configuration: Configuration = Configuration(), at endpoint: Endpoint? = nil, id: NodeID? = nil
    ) -> Int {
        var source = random.split()
        let id = id ?? NodeID.random(using: &source)
        let endpoint = endpoint ?? Self.endpoint(nodes.count)
        endpoints.append(endpoint)
        indices[endpoint] = nodes.count
        nodes.append(
            DHT(
                configuration: configuration, id: id, verifier: FakeKey(name: "any"), clock: Self.clock, random: source)
        )
        wakes.append(nil)
        return nodes.count - 1
    }

    /// `count` nodes that bootstrap from the first, given time to settle.
    mutating func grow(
        to count: Int, _ configuration: Configuration = Configuration(), settle: Duration = .seconds(20),
        at endpoint: (Int) -> Endpoint = World.endpoint
    ) {
        for _ in nodes.count..<count {
            let index = addNode(configuration, at: endpoint(nodes.count))
            guard index > 0 else { continue }
            let contact = endpoints[Int.random(in: 0..<index, using: &random)]
            perform(index) { $0.bootstrap([contact], at: $1) }
            run(for: .milliseconds(100))
        }
        run(for: settle)
    }

    mutating func perform(_ index: Int, _ input: (inout DHT, Instant) -> [DHT.Effect]) {
        let effects = input(&nodes[index], now)
        carryOut(effects, of: index)
    }

    private mutating func carryOut(_ effects: [DHT.Effect], of index: Int) {
        for effect in effects {
            guard case .send(let bytes, let target) = effect else {
                notes.append(Note(time: now, node: index, effect: effect))
                continue
            }
            tap?(bytes, index, target)
            send(bytes, from: index, to: target)
        }
        guard let deadline = nodes[index].deadline, wakes[index].map({ deadline < $0 || $0 <= now }) ?? true else {
            return
        }
        wakes[index] = deadline
        schedule(.wake(index), at: max(deadline, now))
    }

    private mutating func send(_ bytes: [UInt8], from index: Int, to target: Endpoint) {
        guard !severed.contains(index), Int.random(in: 0..<100, using: &random) >= lossPercent else { return }
        if let stranger = strangers[target], let packet = try? Packet(decoding: bytes) {
            for answer in stranger(packet, endpoints[index]) { inject(answer.encoded, from: target, to: index) }
        }
        guard let receiver = indices[target], !severed.contains(receiver),
            island.contains(index) == island.contains(receiver)
        else { return }
        inject(bytes, from: endpoints[index], to: receiver)
    }

    /// Lets a datagram arrive as if from `source`.
    mutating func inject(_ bytes: [UInt8], from source: Endpoint, to index: Int) {
        let arrival = now.advanced(by: random.duration(in: delay))
        schedule(.datagram(bytes, from: source, to: index), at: arrival)
    }

    private mutating func refuse(for index: Int, to source: Endpoint) {
        guard refusesForTheDead, let sender = indices[source] else { return }
        let arrival = now.advanced(by: random.duration(in: delay))
        schedule(.refusal(by: endpoints[index], to: sender), at: arrival)
    }

    private mutating func schedule(_ content: Event.Content, at time: Instant) {
        serial += 1
        events.append(Event(time: time, serial: serial, content: content))
        var child = events.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            events.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (events[left].time, events[left].serial) < (events[right].time, events[right].serial)
    }

    private mutating func popEvent() -> Event {
        events.swapAt(0, events.count - 1)
        let event = events.removeLast()
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < events.count else { return event }
            if least + 1 < events.count, isBefore(least + 1, least) { least += 1 }
            guard isBefore(least, parent) else { return event }
            events.swapAt(least, parent)
            parent = least
        }
    }

    mutating func run(for duration: Duration) { run(until: now.advanced(by: duration)) { _ in false } }

    /// Runs until `isDone` holds after an event, or the time is over; returns whether it held.
    @discardableResult
    mutating func run(until end: Instant, _ isDone: (borrowing World) -> Bool) -> Bool {
        while let first = events.first, first.time <= end {
            let event = popEvent()
            now = event.time
            switch event.content {
            case .datagram(let bytes, let source, let index):
                guard !dead.contains(index) else {
                    refuse(for: index, to: source)
                    continue
                }
                let effects = nodes[index].receive(bytes.span, from: source, at: now)
                carryOut(effects, of: index)
            case .refusal(let endpoint, let index):
                guard !dead.contains(index) else { continue }
                let effects = nodes[index].refused(by: endpoint, at: now)
                carryOut(effects, of: index)
            case .wake(let index):
                guard !dead.contains(index), wakes[index] == event.time else { continue }
                wakes[index] = nil
                let effects = nodes[index].advance(to: now)
                carryOut(effects, of: index)
            }
            if isDone(self) { return true }
        }
        now = end
        return false
    }

    /// The values reported to an operation.
    func values(of operation: OperationID, at node: Int) -> [Value] {
        notes.compactMap { note in
            guard note.node == node, case .value(let value, operation) = note.effect else { return nil }
            return value
        }
    }

    func outcome(of operation: OperationID, at node: Int) -> DHT.Outcome? {
        notes.lazy.compactMap { note -> DHT.Outcome? in
            guard note.node == node, case .finished(operation, let outcome) = note.effect else { return nil }
            return outcome
        }.first
    }

    func time(of isWanted: (Note) -> Bool) -> Instant? { notes.first(where: isWanted)?.time }

    mutating func put(
        _ value: Value, at key: InfoHash, permanently: Bool = false, as id: OperationID, from node: Int,
        within limit: Duration = .seconds(30)
    ) -> DHT.Outcome? {
        perform(node) { $0.put(value, at: key, permanently: permanently, as: id, at: $1) }
        run(until: now.advanced(by: limit)) { $0.outcome(of: id, at: node) != nil }
        return outcome(of: id, at: node)
    }

    mutating func get(
        _ key: InfoHash, matching query: ValueQuery = .all, as id: OperationID, from node: Int,
        within limit: Duration = .seconds(30)
    ) -> [Value] {
        perform(node) { $0.get(key, matching: query, as: id, at: $1) }
        run(until: now.advanced(by: limit)) { $0.outcome(of: id, at: node) != nil }
        return values(of: id, at: node)
    }
}
