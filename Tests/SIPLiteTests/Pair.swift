import SIPLite
import SansIO

/// Two agents, a channel between them, and virtual time.
struct Pair {
    /// What the channel does to messages.
    struct Link {
        var isReliable = true
        var isByteStream = true
        var transport = Flow.Transport.tls
        var loss = 0.0
        /// Whether messages arrive in pieces.
        var cutsMessages = false
        var delay: ClosedRange<Duration> = .milliseconds(5)...(.milliseconds(20))
    }

    enum Side: Int, CaseIterable {
        case alice, bob
        var other: Side { self == .alice ? .bob : .alice }
    }

    struct Packet {
        let time: Instant
        let serial: Int
        let to: Side
        let flow: FlowID
        let bytes: [UInt8]
    }

    static let flow = FlowID(rawValue: 7)
    static let call = CallID(rawValue: 1)
    static let accounts = [String(repeating: "a1", count: 20), String(repeating: "b2", count: 20)]
    static let devices = [String(repeating: "c3", count: 20), String(repeating: "d4", count: 20)]

    var agents: [UserAgent]
    var now = Instant.zero
    /// All effects but sends, by side, in order.
    var events: [[UserAgent.Effect]] = [[], []]
    /// All messages that were sent, by side.
    var sent: [[[UInt8]]] = [[], []]
    /// Answers each incoming call by itself.
    var onIncoming: ((inout Pair, Side, CallID) -> Void)?
    var onReoffer: ((inout Pair, Side, CallID) -> Void)?
    /// Loses whatever is sent.
    var dropsAll = false
    private var packets: [Packet] = []
    private var lastArrival = [Instant.zero, Instant.zero]
    private var link: Link
    private var random: RandomSource
    private var serial = 0

    init(seed: UInt64 = 1, link: Link = Link(), configuration: UserAgent.Configuration = .init()) {
        self.link = link
        random = .seeded(seed)
        agents = [1, 2].map { UserAgent(configuration: configuration, random: .seeded(seed &* 1_000 &+ $0)) }
        open(Self.flow)
    }

    /// Opens a flow between the two.
    ///
    /// - Parameter accounts: whom each side takes the other one for, by side; they are right if left out.
    mutating func open(_ flow: FlowID, takenFor accounts: [String] = Self.accounts.reversed()) {
        let endpoints = ["10.0.0.1:4001", "10.0.0.2:4002"].compactMap { Endpoint($0) }
        for side in Side.allCases {
            let index = side.rawValue
            let description = Flow(
                isReliable: link.isReliable, isByteStream: link.isByteStream, local: endpoints[index],
                remote: endpoints[1 - index], transport: link.transport, accountID: Self.accounts[index],
                deviceID: Self.devices[index], displayName: index == 0 ? "alice" : "bob",
                remoteAccountID: accounts[index])
            perform(agents[index].open(flow, description), by: side)
        }
    }

    /// Gives an agent a command.
    mutating func command(_ side: Side, _ body: (inout UserAgent, Instant) -> [UserAgent.Effect]) {
        let effects = body(&agents[side.rawValue], now)
        perform(effects, by: side)
    }

    /// Delivers bytes to an agent as they are.
    mutating func deliver(_ bytes: [UInt8], to side: Side, on flow: FlowID = Self.flow) {
        let effects = agents[side.rawValue].receive(bytes.span, on: flow, at: now)
        perform(effects, by: side)
    }

    /// Lets time pass.
    mutating func run(for duration: Duration) {
        let end = now.advanced(by: duration)
        var steps = 0
        while let next = nextTime, next <= end, steps < 20_000 {
            steps += 1
            now = max(now, next)
            if let index = packets.indices.min(by: {
                (packets[$0].time, packets[$0].serial) < (packets[$1].time, packets[$1].serial)
            }),
                packets[index].time <= now
            {
                let packet = packets.remove(at: index)
                let cut = link.cutsMessages ? Int.random(in: 0...packet.bytes.count, using: &random) : 0
                if cut > 0 { deliver(Array(packet.bytes[..<cut]), to: packet.to, on: packet.flow) }
                if cut < packet.bytes.count {
                    deliver(Array(packet.bytes[cut...]), to: packet.to, on: packet.flow)
                }
                continue
            }
            for side in Side.allCases {
                let effects = agents[side.rawValue].advance(to: now)
                perform(effects, by: side)
            }
        }
        precondition(steps < 20_000, "the agents never come to rest")
        now = end
    }

    private var nextTime: Instant? {
        (agents.compactMap(\.deadline) + packets.map(\.time)).min()
    }

    private mutating func perform(_ effects: [UserAgent.Effect], by side: Side) {
        for effect in effects {
            guard case .send(let bytes, let flow) = effect else {
                events[side.rawValue].append(effect)
                if case .incoming(let id, _) = effect { onIncoming?(&self, side, id) }
                if case .reoffered(let id, _) = effect { onReoffer?(&self, side, id) }
                continue
            }
            sent[side.rawValue].append(bytes)
            guard !dropsAll, Double.random(in: 0..<1, using: &random) >= link.loss else { continue }
            let to = side.other
            // A channel keeps the order even where it loses.
            let arrival = max(now.advanced(by: random.duration(in: link.delay)), lastArrival[to.rawValue])
            lastArrival[to.rawValue] = arrival
            serial += 1
            packets.append(Packet(time: arrival, serial: serial, to: to, flow: flow, bytes: bytes))
        }
    }

    // MARK: Reading what happened

    func ends(_ side: Side) -> [UserAgent.EndReason] {
        events[side.rawValue].compactMap { if case .ended(_, let reason) = $0 { reason } else { nil } }
    }

    func incoming(_ side: Side) -> CallID? {
        events[side.rawValue].lazy.compactMap { if case .incoming(let id, _) = $0 { id } else { nil } }.first
    }

    func has(_ side: Side, _ isWanted: (UserAgent.Effect) -> Bool) -> Bool {
        events[side.rawValue].contains(where: isWanted)
    }

    func wasAnswered(_ side: Side) -> Bool { has(side) { if case .answered = $0 { true } else { false } } }
    func wasConfirmed(_ side: Side) -> Bool { has(side) { if case .confirmed = $0 { true } else { false } } }

    /// The start lines an agent sent.
    func startLines(_ side: Side) -> [String] {
        sent[side.rawValue].map { String(decoding: $0.prefix { $0 != 13 }, as: UTF8.self) }
    }
}

extension Pair {
    /// What each side learns of the other.
    static let peer = UserAgent.PeerFacts(
        userAgent: UserAgent.Configuration().userAgent, allow: UserAgent.Configuration().allow)
    static let offer = Array("v=0\r\no=- 1 0 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n".utf8)
    static let reply = Array("v=0\r\no=- 2 0 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n".utf8)

    /// A pair with a call under way from alice to bob.
    static func calling(
        seed: UInt64 = 1, link: Link = Link(), configuration: UserAgent.Configuration = .init(),
        onIncoming: ((inout Pair, Side, CallID) -> Void)? = nil
    ) -> Pair {
        var pair = Pair(seed: seed, link: link, configuration: configuration)
        pair.onIncoming = onIncoming
        pair.command(.alice) { $0.invite(call, on: flow, to: accounts[1], offer: offer, at: $1) }
        return pair
    }

    /// A pair in a call that bob answered after ringing.
    static func talking(seed: UInt64 = 1, link: Link = Link()) -> Pair {
        var pair = calling(seed: seed, link: link) { pair, side, id in
            pair.command(side) { $0.ring(id, at: $1) }
        }
        pair.run(for: .seconds(3))
        if let id = pair.incoming(.bob) { pair.command(.bob) { $0.answer(id, with: reply, at: $1) } }
        pair.run(for: .seconds(2))
        return pair
    }
}
