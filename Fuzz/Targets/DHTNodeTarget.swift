import SansIO
import SwiftDHT

extension FuzzTarget {
    /// A node of the DHT: the bytes choose what others send and from where, what its user asks for, and the time. Some of
    /// the others answer by themselves, so that searches come to their ends.
    static let dhtNode = FuzzTarget(name: "dht-node") { bytes throws(Finding) in
        var fuzz = DHTNodeFuzz(Choices(bytes))
        try fuzz.run()
    }
}

/// Believes every second signature and finds a key in every certificate.
private struct CoinVerifier: ValueVerifier {
    func isValid(signature: [UInt8], of bytes: [UInt8], by owner: [UInt8]) -> Bool { signature.count.isMultiple(of: 2) }

    func publicKey(inCertificate data: [UInt8]) -> [UInt8]? { data.isEmpty ? nil : data }
}

private struct DHTNodeFuzz {
    private var choices: Choices
    private var node: DHT
    private var now = Instant.zero
    /// What the node sent last and to whom, to be answered.
    private var asked: [(packet: Packet, to: Endpoint)] = []
    private var lastOperation: UInt64 = 0
    /// Examinations the node waits for.
    private var unexamined: [(Value, ExaminationID)] = []
    private var finished: Set<OperationID> = []

    init(_ choices: Choices) {
        self.choices = choices
        var configuration = Configuration()
        configuration.storageLimit = 4_096
        configuration.valuesPerKeyLimit = 8
        configuration.operationLimit = 8
        configuration.nodeLimit = 24
        configuration.nodesPerPrefix = 16
        configuration.pendingRequestLimit = 48
        configuration.withheldRequestLimit = 4
        configuration.withheldPerAddress = 2
        configuration.provenAddressLimit = 2
        configuration.rateSourceLimit = 2
        configuration.banLimit = 2
        configuration.formerNodeLimit = 4
        configuration.searchNodeLimit = 16
        node = DHT(
            configuration: configuration, id: Self.hash(0),
            clock: WallClock(epochOffset: 1_800_000_000_000_000_000), random: .seeded(1))
    }

    mutating func run() throws(Finding) {
        for _ in 0..<256 where !choices.isAtEnd {
            try step()
            let later = now.advanced(by: choices.duration())
            try take(try pass(&node, until: later))
            now = later
            try require(node.counters.valuesStored <= node.counters.datagramsReceived * 4_096 + 256, "values add up")
            for family in IPAddress.Family.allCases {
                let good = node.goodNodes(family, limit: .max, at: now)
                try require(good.count <= 24, "nodes are limited")
                try require(Set(good.map(\.id)).count == good.count, "a node is known once")
                try require(good.isEmpty || node.estimatedSize(of: family, at: now) > 1, "good nodes are counted")
            }
        }
    }

    private mutating func step() throws(Finding) {
        switch choices.byte() % 12 {
        case 0: try receive(choices.bytes(), from: endpoint())
        case 10, 11: try examine()
        case 1, 2:
            let source = endpoint()
            // Under the identifier that belongs to the source, or under somebody else's.
            let sender = choices.byte() < 200 ? Self.identifier(at: source) : hash()
            try receive(Packet(.request(request(from: sender)), transaction: UInt32(choices.byte())), from: source)
        case 3, 4, 5: try answer()
        case 6: try operate()
        case 7: try take(node.cancel(operation(), at: now))
        case 8:
            let endpoint = endpoint()
            let nodes = [KnownNode(id: Self.identifier(at: endpoint), endpoint: endpoint)]
            try take(choices.byte() & 1 == 0 ? node.insert(nodes, at: now) : node.bootstrap([endpoint], at: now))
        default:
            let endpoint = endpoint()
            switch choices.byte() % 4 {
            case 0: try take(node.sendFailed(to: endpoint, at: now))
            case 1, 3: try take(node.connectivityChanged(at: now))
            default: try take(node.refused(by: endpoint, at: now))
            }
        }
    }

    private mutating func operate() throws(Finding) {
        lastOperation += 1
        let (operation, key) = (OperationID(lastOperation), hash())
        switch choices.byte() % 4 {
        case 0: try take(node.get(key, as: operation, at: now))
        case 1: try take(node.listen(key, as: operation, at: now))
        case 2: try take(node.put(value(), at: key, as: operation, at: now))
        default: try take(node.put(value(), at: key, permanently: true, as: operation, at: now))
        }
    }

    /// Reports the result of an examination, in any order, or that it could not be made.
    private mutating func examine() throws(Finding) {
        guard !unexamined.isEmpty else { return }
        let (value, id) = unexamined.remove(at: Int(choices.byte()) % unexamined.count)
        let result = choices.byte() < 16 ? nil : Examination(of: value, by: CoinVerifier())
        try take(node.examined(id, result, at: now))
    }

    // MARK: What others send

    private mutating func receive(_ packet: Packet, from source: Endpoint) throws(Finding) {
        try receive(packet.encoded, from: source)
    }

    private mutating func receive(_ datagram: [UInt8], from source: Endpoint) throws(Finding) {
        try take(node.receive(datagram.span, from: source, at: now))
    }

    /// Answers something the node asked, from where it was asked.
    private mutating func answer() throws(Finding) {
        guard let (packet, source) = choices.element(of: asked) else { return }
        let sender = Self.identifier(at: source)
        switch choices.byte() % 8 {
        case 0:
            let codes: [UInt64] = [203, 401, 404, 421]
            let failure = Packet.Message.failure(code: choices.element(of: codes) ?? 0, text: "", sender: sender)
            try receive(Packet(failure, transaction: packet.transaction), from: source)
        case 1:
            // Fragments for what was announced, as whole messages that the fuzzer writes.
            try receive(choices.bytes(), from: source)
        default:
            try receive(Packet(.reply(reply(from: sender)), transaction: packet.transaction), from: source)
        }
    }

    private mutating func reply(from sender: NodeID) -> Reply {
        let shape = choices.byte()
        var reply = Reply(sender: sender, observed: endpoint().address)
        if shape & 1 == 0 { reply.token = [1, 2, 3, 4] }
        if shape & 2 == 0 { reply.valueID = Value.ID(UInt64(choices.byte())) }
        for _ in 0..<Int(shape >> 5) {
            let other = endpoint()
            reply.nodes4.append(CompactNode(id: Self.identifier(at: other), endpoint: other))
        }
        if shape & 4 != 0 { reply.values = items() }
        return reply
    }

    private mutating func request(from sender: NodeID) -> Request {
        let (shape, key) = (choices.byte(), hash())
        let method: Request.Method
        switch shape % 8 {
        case 0: method = .ping
        case 1: method = .find(target: key, want: [.v4, .v6])
        case 2: method = .get(key: key, query: nil, want: nil)
        case 3: method = .put(key: key, values: items(), token: token(), created: nil)
        case 4: method = .refresh(key: key, id: Value.ID(UInt64(choices.byte())), token: token())
        case 5:
            method = .listen(key: key, token: token(), socket: UInt32(choices.byte()), version: 1, query: nil)
        default:
            var update = Update(socket: UInt32(choices.byte()))
            update.values = items()
            update.expired = [Value.ID(UInt64(choices.byte()))]
            method = .update(update)
        }
        return Request(sender: sender, method: method)
    }

    /// The last token the node gave, or another one.
    private mutating func token() -> [UInt8] { choices.byte() < 200 ? lastToken : choices.bytes() }

    private var lastToken: [UInt8] = []

    private mutating func items() -> [ValueItem] {
        (0..<Int(choices.byte() % 4)).map { _ in
            choices.byte() < 200 ? .whole(value()) : .announced(Int(choices.word()) * 16)
        }
    }

    private mutating func value() -> Value {
        let shape = choices.byte()
        let data = Array(repeating: shape, count: Int(choices.byte()) * Int(shape & 7))
        let owner: [UInt8]? = shape & 8 == 0 ? nil : [shape]
        let body = ValueBody(type: ValueType(rawValue: UInt16(shape >> 4)), data: data, owner: owner)
        let content = Value.Content.plain(body, signature: owner.map { _ in choices.bytes() })
        return Value(id: Value.ID(UInt64(choices.byte())), content: content)
    }

    /// One of a few addresses, so that they meet again: of the Internet in both families, and of a private network.
    private mutating func endpoint() -> Endpoint {
        let choice = choices.byte()
        let address: IPAddress =
            switch choice >> 6 {
            case 0: .v4(0x0A00_0001)
            case 1: .v4(0x0808_0800)
            case 2: .v4(0x0808_0900 + UInt32(choice & 7))
            default: .v6(high: 0x2001_4860_0000_0000, low: 1)
            }
        return Endpoint(address, port: 4000 + UInt16(choice & 0x3F))
    }

    /// The identifier of whoever is at an endpoint.
    private static func identifier(at endpoint: Endpoint) -> NodeID { hash(UInt8(truncatingIfNeeded: endpoint.port)) }

    /// Every fourth of the others is an honest node.
    private static func isHonest(_ endpoint: Endpoint) -> Bool { endpoint.port.isMultiple(of: 4) }

    private mutating func hash() -> InfoHash { Self.hash(choices.byte()) }

    private static func hash(_ choice: UInt8) -> InfoHash { InfoHash(hashing: [choice]) }

    private mutating func operation() -> OperationID { OperationID(UInt64(choices.byte())) }

    // MARK: What the node does

    /// Takes effects, and what honest nodes say to them: at once, so that time means nothing to the exchange.
    private mutating func take(_ effects: [DHT.Effect]) throws(Finding) {
        var (effects, rounds) = (effects, 0)
        while !effects.isEmpty, rounds < 64 {
            try require(effects.count <= effectLimit, "the effects of an input are bounded")
            rounds += 1
            var next: [DHT.Effect] = []
            for effect in effects {
                switch effect {
                case .send(let bytes, let target):
                    try require(target.port != 0, "nothing is sent to nobody")
                    let packet = try remember(bytes, target)
                    guard let packet, let answer = Self.answer(to: packet, at: target) else { continue }
                    next += node.receive(answer.span, from: target, at: now)
                case .finished(let operation, _):
                    try require(finished.insert(operation).inserted, "an operation ends once")
                case .examine(let value, let id): unexamined.append((value, id))
                case .value, .row, .expired, .status, .observedAddress, .ignored: break
                }
            }
            effects = next
        }
    }

    /// What an honest node says.
    private static func answer(to packet: Packet, at endpoint: Endpoint) -> [UInt8]? {
        guard isHonest(endpoint), case .request(let request) = packet.message else { return nil }
        var reply = Reply(sender: identifier(at: endpoint))
        reply.token = [7]
        if case .put(_, let values, _, _) = request.method, case .whole(let value)? = values.first {
            reply.valueID = value.id
        }
        return Packet(.reply(reply), transaction: packet.transaction).encoded
    }

    /// Keeps what was asked, to be answered later; returns it when it is a request.
    private mutating func remember(_ bytes: [UInt8], _ target: Endpoint) throws(Finding) -> Packet? {
        guard let packet = try? Packet(decoding: bytes) else { throw Finding(fact: "what is sent can be read") }
        if case .reply(let reply) = packet.message, !reply.token.isEmpty { lastToken = reply.token }
        guard case .request = packet.message else { return nil }
        asked.append((packet, target))
        if asked.count > 16 { asked.removeFirst() }
        return packet
    }
}
