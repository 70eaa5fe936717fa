import SansIO
import SwiftDHT

/// One node without a verifier, asked by hand; its examinations are made when the test says so.
struct AskedNode {
    var dht: DHT
    /// What was sent since the last question, with whom it went to.
    var sent: [(packet: Packet, to: Endpoint)] = []
    /// Other effects since the last question.
    var effects: [DHT.Effect] = []
    /// Examinations that were asked for and not made.
    var open: [(value: Value, id: ExaminationID)] = []
    private var transaction: UInt32 = 100

    static let peer = Endpoint(.v4(0x7F00_0001), port: 5000)

    init(_ configuration: Configuration = Configuration(), id: NodeID = InfoHash(hashing: "node")) {
        dht = DHT(configuration: configuration, id: id, clock: World.clock, random: .seeded(1))
    }

    mutating func take(_ effects: [DHT.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let target):
                if let packet = try? Packet(decoding: bytes) { sent.append((packet, target)) }
            case .examine(let value, let id): open.append((value, id))
            default: self.effects.append(effect)
            }
        }
    }

    /// Sends a request from `source`; its answers are in ``sent``.
    mutating func ask(_ method: Request.Method, from source: Endpoint = peer, at now: Instant = .zero) {
        (sent, effects) = ([], [])
        transaction += 1
        let request = Packet(
            .request(Request(sender: InfoHash(hashing: "\(source)"), method: method)), transaction: transaction,
            isClient: true)
        take(dht.receive(request.encoded.span, from: source, at: now))
        answerProof(from: source, at: now)
    }

    /// Answers the ping to an address of the Internet that waits for it.
    private mutating func answerProof(from source: Endpoint, at now: Instant) {
        guard replies.isEmpty, sent.count == 1, sent[0].to == source, case .request = sent[0].packet.message else {
            return
        }
        let reply = Reply(sender: InfoHash(hashing: "\(source)"))
        let pong = Packet(.reply(reply), transaction: sent[0].packet.transaction)
        sent = []
        take(dht.receive(pong.encoded.span, from: source, at: now))
    }

    mutating func token(for source: Endpoint = peer, at now: Instant = .zero) -> [UInt8] {
        ask(.find(target: InfoHash(hashing: "any"), want: nil), from: source, at: now)
        return replies.first?.token ?? []
    }

    mutating func put(
        _ values: [Value], at key: InfoHash, from source: Endpoint = peer, created: Int64? = nil,
        now: Instant = .zero
    ) {
        let token = token(for: source, at: now)
        ask(
            .put(key: key, values: values.map(ValueItem.whole), token: token, created: created), from: source, at: now)
    }

    /// Makes the oldest open examination, or fails to.
    mutating func examine(succeeds: Bool = true, at now: Instant = .zero) {
        guard !open.isEmpty else { return }
        let (value, id) = open.removeFirst()
        let result = succeeds ? Examination(of: value, by: FakeKey(name: "any")) : nil
        take(dht.examined(id, result, at: now))
    }

    var replies: [Reply] {
        sent.compactMap { if case .reply(let reply) = $0.packet.message { reply } else { nil } }
    }

    /// The identifiers of values that were acknowledged.
    var acknowledged: [Value.ID] { replies.compactMap(\.valueID) }

    /// The identifiers of the values at a key.
    mutating func stored(at key: InfoHash, now: Instant = .zero) -> [UInt64] {
        ask(.get(key: key, query: ValueQuery(select: [.id]), want: nil), at: now)
        let cells = replies.first?.fields?.cells ?? []
        return cells.compactMap { if case .number(let id) = $0 { id } else { nil } }.sorted()
    }
}
