import SansIO
import SecureChannel

extension FuzzTarget {
    /// A multiplexer: the bytes choose what the peer writes, where reads end, and what the embedder and the clock do.
    static let multiplexer = FuzzTarget(name: "multiplexer") { bytes throws(Finding) in
        var fuzz = MultiplexerFuzz(Choices(bytes))
        try fuzz.run()
    }
}

private struct MultiplexerFuzz {
    private typealias ChannelID = Multiplexer.ChannelID

    private enum Phase {
        case requested, offered, open
    }

    private static let limits = {
        var limits = Multiplexer.Configuration()
        limits.channelLimit = 8
        limits.pendingRequestLimit = 3
        limits.nameLimit = 16
        limits.earlyDataLimit = 1024
        return limits
    }()

    private var choices: Choices
    private var multiplexer: Multiplexer
    /// The same one, but what it receives comes byte by byte.
    private var twin: Multiplexer
    private var now = Instant.zero
    private var phases: [ChannelID: Phase] = [:]
    private var isAsking = false
    private var isOver = false

    init(_ choices: Choices) {
        self.choices = choices
        let side: Multiplexer.Side = self.choices.byte() & 1 == 0 ? .client : .server
        multiplexer = Multiplexer(side: side, configuration: Self.limits)
        twin = multiplexer
    }

    mutating func run() throws(Finding) {
        for _ in 0..<512 where !choices.isAtEnd {
            try step()
            let later = now.advanced(by: choices.duration())
            let effects = try pass(&multiplexer, until: later)
            try require(try pass(&twin, until: later) == effects, "time does not depend on where reads ended")
            try take(effects)
            now = later
            try checkLimits()
        }
    }

    private mutating func step() throws(Finding) {
        let id = ChannelID(rawValue: choices.byte() & 0x40 == 0 ? UInt16(choices.byte() & 15) : choices.word())
        switch choices.byte() % 12 {
        case 0: try receive(choices.bytes())
        case 1: try receive(ChannelFrame(channel: id, payload: choices.bytes()).bytes)
        case 2, 3: try receive(request(id).frame.bytes)
        case 4: try receive(ChannelFrame(channel: .control, payload: request(id).bytes + request(id).bytes).bytes)
        case 5: try receive(protocolMessage().frame.bytes)
        case 6: try open(choices.bytes())
        case 7: try command(id) { $0.accept($1) }
        case 8: try command(id) { $0.decline($1) }
        case 9: try command(id) { $0.close($1) }
        case 10: try send(choices.bytes(), on: id)
        default: try beacon()
        }
    }

    // MARK: What the peer sends

    private mutating func request(_ id: ChannelID) -> ChannelRequest {
        let shape = choices.byte()
        let name = String(repeating: "n", count: Int(shape >> 3))
        return ChannelRequest(name: name, channel: id, state: ChannelRequest.State(rawValue: shape & 3) ?? .request)
    }

    private mutating func protocolMessage() -> ProtocolMessage {
        let shape = choices.byte()
        return shape & 1 == 0 ? .version(UInt32(shape >> 2)) : shape & 2 == 0 ? .ping : .pong
    }

    private mutating func receive(_ bytes: [UInt8]) throws(Finding) {
        let effects = multiplexer.receive(bytes, at: now)
        var others: [Multiplexer.Effect] = []
        for byte in bytes { others += twin.receive([byte], at: now) }
        // Behind the end of the stream each byte is refused on its own.
        others.removeAll { $0 == .ignored(.over) }
        try require(effects.filter { $0 != .ignored(.over) } == others, "effects do not depend on where reads end")
        try take(effects)
    }

    // MARK: What the embedder does

    private mutating func open(_ name: [UInt8]) throws(Finding) {
        let name = String(decoding: name, as: UTF8.self)
        let (id, effects) = multiplexer.open(name, at: now)
        try require(twin.open(name, at: now).0 == id, "numbers do not depend on where reads ended")
        if let id {
            try require(phases[id] == nil && id.rawValue != 0 && id.rawValue != 0xFFFF, "\(id) is free")
            phases[id] = .requested
        }
        try take(effects)
    }

    private mutating func command(
        _ id: ChannelID, _ body: (inout Multiplexer, ChannelID) -> [Multiplexer.Effect]
    ) throws(Finding) {
        let wasOffered = phases[id] == .offered
        let effects = body(&multiplexer, id)
        try require(body(&twin, id) == effects, "commands do not depend on where reads ended")
        if !effects.contains(.ignored(.noSuchChannel(id))) {
            let isAccepted = wasOffered && multiplexer.isOpen(id)
            phases[id] = isAccepted ? .open : multiplexer.isOpen(id) ? phases[id] : nil
        }
        try take(effects)
    }

    private mutating func send(_ bytes: [UInt8], on id: ChannelID) throws(Finding) {
        let effects = multiplexer.send(bytes, on: id)
        let isSent = phases[id] == .open && !bytes.isEmpty
        let expected = Multiplexer.Effect.send(ChannelFrame(channel: id, payload: bytes).bytes)
        try require((effects == [expected]) == isSent, "data is sent on open channels")
    }

    private mutating func beacon() throws(Finding) {
        let effects = multiplexer.ping(at: now) + multiplexer.start(at: now)
        try require(twin.ping(at: now) + twin.start(at: now) == effects, "beacons do not depend on where reads ended")
        if !isOver { isAsking = true }
        try take(effects)
    }

    // MARK: What the multiplexer does

    private mutating func take(_ effects: [Multiplexer.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            try require(!isOver || effect.isRefusal, "nothing happens after a failure, not \(effect)")
            switch effect {
            case .send(let bytes): try checkFrame(bytes)
            case .requested(let id, _): try move(id, from: nil, to: .offered)
            case .opened(let id): try move(id, from: .requested, to: .open)
            case .declined(let id): try move(id, from: .requested, to: nil)
            case .received(let bytes, let id):
                try require(phases[id] == .open && !bytes.isEmpty, "data comes on open channels")
            case .closed(let id):
                try require(phases[id] == .open || phases[id] == .offered, "what is closed was there")
                phases[id] = nil
            case .alive, .unresponsive:
                try require(isAsking, "a beacon was asked for")
                isAsking = false
            case .failed: (isOver, phases) = (true, [:])
            case .ignored: break
            }
        }
    }

    private mutating func move(_ id: ChannelID, from old: Phase?, to new: Phase?) throws(Finding) {
        try require(phases[id] == old, "\(id) is not \(String(describing: phases[id]))")
        phases[id] = new
    }

    private func checkFrame(_ bytes: [UInt8]) throws(Finding) {
        var deframer = ChannelDeframer()
        deframer.append(bytes)
        guard let frame = try? deframer.next() else { throw Finding(fact: "what is sent is a frame") }
        try require(frame.bytes == bytes && deframer.unfinishedCount == 0, "what is sent is one frame")
    }

    private func checkLimits() throws(Finding) {
        let pending = phases.values.count { $0 == .offered }
        try require(multiplexer.channelCount == phases.count, "channels are those the effects tell of")
        try require(phases.count <= Self.limits.channelLimit, "channels are bounded")
        try require(pending <= Self.limits.pendingRequestLimit, "requests are bounded")
        try require(multiplexer.unfinishedByteCount <= ChannelFrame.payloadLimit, "what is kept is bounded")
        try require(!isOver || multiplexer.deadline == nil, "a multiplexer that failed waits for nothing")
    }
}

extension Multiplexer.Effect {
    fileprivate var isRefusal: Bool { if case .ignored = self { true } else { false } }
}
