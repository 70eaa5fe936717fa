import SansIO
import SwiftDHT

extension FuzzTarget {
    /// Fragments of the DHT: pieces of two values from two senders, in whatever order, size and number the bytes choose.
    ///
    /// Whatever came before, a value of which every byte arrived is stored as it was sent, and no other ever is.
    static let dhtReassembly = FuzzTarget(name: "dht-reassembly") { bytes throws(Finding) in
        var fuzz = ReassemblyFuzz(Choices(bytes))
        try fuzz.run()
    }
}

/// What a sender has to send.
private struct Sender {
    let endpoint: Endpoint
    let values: [Value]
    var token: [UInt8] = []
    /// Whether the message that announces the values was sent, and answered.
    var isAnnounced = false
    var acknowledged: [Value.ID] = []

    init(_ port: UInt16) {
        // A private network's: whoever writes from the Internet has to prove its address first.
        endpoint = Endpoint(.v4(0x0A00_0000 + UInt32(port)), port: port)
        values = [700, 3000].map { size in
            Value(
                id: Value.ID(UInt64(port) * 10 + UInt64(size)), data: (0..<size).map { UInt8(truncatingIfNeeded: $0) })
        }
    }
}

private struct ReassemblyFuzz {
    private static let key = InfoHash(hashing: "key")
    private static let transaction: UInt32 = 9

    private var choices: Choices
    private var node: DHT
    private var senders = [Sender(1), Sender(2)]
    private var now = Instant.zero

    init(_ choices: Choices) {
        self.choices = choices
        var configuration = Configuration()
        configuration.transferBytesPerSource = 8_192
        node = DHT(
            configuration: configuration, id: InfoHash(hashing: "node"),
            clock: WallClock(epochOffset: 1_800_000_000_000_000_000), random: .seeded(1))
    }

    mutating func run() throws(Finding) {
        for index in senders.indices {
            try send(.request(request(.find(target: Self.key, want: nil))), from: index)
            try require(!senders[index].token.isEmpty, "a find is answered with a token")
        }
        for _ in 0..<256 where !choices.isAtEnd { try step() }
        // Whoever sends everything anew, in order, succeeds, whatever was before; transfers that linger are given up first.
        now = now.advanced(by: .seconds(11))
        _ = try pass(&node, until: now)
        for index in senders.indices {
            // The first token may be too old by now.
            try send(.request(request(.find(target: Self.key, want: nil))), from: index)
            senders[index].acknowledged = []
            try announce(index)
            for number in senders[index].values.indices {
                let size = senders[index].values[number].packed.count
                for offset in stride(from: 0, to: size, by: 1280) { try piece(index, number, offset, 1280) }
            }
            try require(senders[index].acknowledged.count == 2, "what is sent in order is acknowledged")
        }
        try check()
    }

    private mutating func step() throws(Finding) {
        let choice = choices.byte()
        let index = Int(choice & 1)
        switch choice >> 5 {
        case 0: try announce(index)
        case 1:
            now = now.advanced(by: choices.duration())
            _ = try pass(&node, until: now)
        case 2: try interfere()
        default:
            try piece(index, Int(choice >> 1 & 1), Int(choices.word()) % 3100, Int(choices.word() % 1400))
        }
    }

    private func request(_ method: Request.Method) -> Request {
        Request(sender: InfoHash(hashing: "sender"), method: method)
    }

    private mutating func announce(_ index: Int) throws(Finding) {
        let items = senders[index].values.map { ValueItem.announced($0.packed.count) }
        let method = Request.Method.put(key: Self.key, values: items, token: senders[index].token, created: nil)
        try send(.request(request(method)), from: index)
    }

    /// Sends a true piece of a value, cut where the value ends.
    private mutating func piece(_ index: Int, _ number: Int, _ offset: Int, _ size: Int) throws(Finding) {
        let packed = senders[index].values[number].packed
        guard offset < packed.count else { return }
        let bytes = Array(packed[offset..<min(packed.count, offset + size)])
        try send(.fragments([Fragment(index: number, offset: offset, bytes: bytes)]), from: index)
    }

    /// Somebody else sends pieces of nothing under the same number.
    private mutating func interfere() throws(Finding) {
        let fragment = Fragment(
            index: Int(choices.byte() & 1), offset: Int(choices.word()) % 3100, bytes: choices.bytes())
        let packet = Packet(.fragments([fragment]), transaction: Self.transaction)
        let stranger = Endpoint(.v4(0x0A00_0001), port: 3)
        _ = node.receive(packet.encoded.span, from: stranger, at: now)
        try check()
    }

    private mutating func send(_ message: Packet.Message, from index: Int) throws(Finding) {
        try receive(Packet(message, transaction: Self.transaction, isClient: true).encoded, from: index)
    }

    private mutating func receive(_ datagram: [UInt8], from index: Int) throws(Finding) {
        for case .send(let bytes, let target) in node.receive(datagram.span, from: senders[index].endpoint, at: now) {
            guard let packet = try? Packet(decoding: bytes), case .reply(let reply) = packet.message,
                target == senders[index].endpoint
            else { continue }
            if !reply.token.isEmpty { senders[index].token = reply.token }
            if let id = reply.valueID { senders[index].acknowledged.append(id) }
        }
        try check()
    }

    /// Nothing is stored that was not sent.
    private func check() throws(Finding) {
        let sent = senders.flatMap(\.values)
        for stored in node.state(at: now).values {
            try require(sent.contains(stored.value), "\(stored.value.id) is stored as it was sent")
        }
    }
}
