import SIPLite
import SansIO

extension FuzzTarget {
    /// A SIP user agent with a stream and a flow of records: the bytes choose messages, commands and times.
    static let sipUserAgent = FuzzTarget(name: "sip-user-agent") { bytes throws(Finding) in
        var fuzz = UserAgentFuzz(Choices(bytes))
        try fuzz.run()
    }
}

private struct UserAgentFuzz {
    private static let account = String(repeating: "a", count: 40)
    private static let peer = String(repeating: "b", count: 40)
    private static let description = Array("v=0\r\no=- 1 0 IN IP4 10.0.0.2\r\ns=-\r\nt=0 0\r\n".utf8)

    private var choices: Choices
    private var agent = UserAgent(random: .seeded(1))
    private var now = Instant.zero
    /// Requests the agent sent last, to be answered.
    private var asked: [Message] = []
    /// Calls that began and did not end.
    private var calls: [CallID] = []
    private var lastCall: UInt64 = 0
    private var lastMessage: UInt64 = 0
    private var lastSequence: UInt32 = 0
    private var openMessages: Set<MessageID> = []
    /// The tags of the last message of the agent, so that requests of the peer can be inside a call.
    private var dialog: (callID: String, local: String, remote: String)?

    init(_ choices: Choices) { self.choices = choices }

    mutating func run() throws(Finding) {
        for flow in 0..<2 { try open(FlowID(rawValue: UInt64(flow))) }
        for _ in 0..<256 where !choices.isAtEnd {
            try step()
            let later = now.advanced(by: choices.duration())
            try take(try pass(&agent, until: later))
            now = later
        }
        // Without a flow nothing goes on for ever.
        for flow in 0..<2 { try take(agent.close(FlowID(rawValue: UInt64(flow)), at: now)) }
        try take(try pass(&agent, until: now.advanced(by: .seconds(3600))))
        try require(agent.deadline == nil, "without flows there is nothing to wait for")
        try require(calls.isEmpty && openMessages.isEmpty, "calls and messages end with their flow")
    }

    private mutating func open(_ flow: FlowID) throws(Finding) {
        let local = Endpoint(.v4(0x0A00_0001), port: 1000)
        let description = Flow(
            isReliable: flow.rawValue == 0, isByteStream: flow.rawValue == 0, local: local, remote: local,
            accountID: Self.account, deviceID: Self.account, remoteAccountID: Self.peer)
        try take(agent.open(flow, description))
    }

    private mutating func step() throws(Finding) {
        switch choices.byte() % 8 {
        case 0: try receive(choices.bytes())
        case 1, 2: try receive(request().encoded())
        case 3, 4:
            guard let response = response() else { return }
            try receive(response.encoded())
        case 5: try call()
        case 6: try send()
        default:
            let flow = self.flow()
            guard choices.byte() < 32 else { return }
            try take(agent.close(flow, at: now))
            try open(flow)
        }
    }

    private mutating func call() throws(Finding) {
        guard let id = choices.element(of: calls), choices.byte() % 8 != 0 else {
            lastCall += 1
            calls.append(CallID(rawValue: lastCall))
            return try take(
                agent.invite(CallID(rawValue: lastCall), on: flow(), to: Self.peer, offer: Self.description, at: now))
        }
        switch choices.byte() % 5 {
        case 0: try take(agent.ring(id, at: now))
        case 1: try take(agent.answer(id, with: Self.description, at: now))
        case 2: try take(agent.decline(id, status: Int(choices.word()), at: now))
        case 3: try take(agent.hangUp(id, at: now))
        default: try take(agent.reinvite(id, with: Self.description, at: now))
        }
    }

    private mutating func send() throws(Finding) {
        let body = Body(contentType: "text/plain", bytes: choices.bytes())
        lastMessage += 1
        let message = MessageID(rawValue: lastMessage)
        switch choices.byte() % 3 {
        case 0:
            openMessages.insert(message)
            try take(agent.sendMessage(body, on: flow(), to: Self.peer, as: message, at: now))
        case 1:
            guard let id = choices.element(of: calls) else { return }
            openMessages.insert(message)
            try take(agent.sendMessage(body, in: id, as: message, at: now))
        default:
            guard let id = choices.element(of: calls) else { return }
            try take(agent.sendInformation(body, in: id, at: now))
        }
    }

    // MARK: What the peer sends

    private mutating func flow() -> FlowID { FlowID(rawValue: UInt64(choices.byte() & 1)) }

    private mutating func receive(_ bytes: [UInt8]) throws(Finding) {
        try take(agent.receive(bytes.span, on: flow(), at: now))
    }

    /// A request of the peer, inside the dialog seen last or a new one.
    private mutating func request() -> Message {
        let methods: [SIPLite.Method] = [.invite, .ack, .bye, .cancel, .info, .message, .options, .update]
        let method = choices.element(of: methods) ?? .invite
        let shape = choices.byte()
        if method != .ack, method != .cancel { lastSequence += 1 }
        var message = Message(method, to: "sip:\(Self.account)@10.0.0.1")
        let inside = shape & 1 == 0 ? dialog : nil
        let tag = inside.map { ";tag=\($0.local)" } ?? ""
        message.fields.append(.via, "SIP/2.0/TLS 10.0.0.2;branch=z9hG4bK\(shape & 2 == 0 ? lastSequence : 1)")
        message.fields.append(.from, "<sip:\(Self.peer)@10.0.0.2>;tag=\(inside?.remote ?? "\(shape >> 4)")")
        message.fields.append(.to, "<sip:\(Self.account)@10.0.0.1>\(tag)")
        message.fields.append(.callID, inside?.callID ?? "call\(shape >> 4)")
        message.fields.append(.cSeq, "\(lastSequence) \(method)")
        message.fields.append(.maxForwards, "70")
        message.fields.append(.contact, "<sip:\(Self.peer)@10.0.0.2>")
        if shape & 4 == 0 {
            message.fields.append(.contentType, shape & 8 == 0 ? "application/sdp" : "text/plain")
            message.body = shape & 8 == 0 ? Self.description : choices.bytes()
        }
        return message
    }

    /// An answer to one of the agent's requests.
    private mutating func response() -> Message? {
        guard let request = choices.element(of: asked) else { return nil }
        let statuses = [100, 180, 183, 200, 202, 401, 408, 481, 486, 487, 488, 491, 500, 603]
        let (status, shape) = (choices.element(of: statuses) ?? 200, choices.byte())
        var message = Message(status: status)
        for name in [HeaderName.via, .from, .callID, .cSeq] { message.fields.append(name, from: request.fields) }
        let to = request.fields.text(.to) ?? ""
        message.fields.append(.to, to.contains("tag=") || shape & 1 != 0 ? to : "\(to);tag=\(shape >> 6)")
        message.fields.append(.contact, "<sip:\(Self.peer)@10.0.0.2>")
        if shape & 2 == 0 {
            message.fields.append(.contentType, "application/sdp")
            message.body = Self.description
        }
        return message
    }

    // MARK: What the agent does

    private mutating func take(_ effects: [UserAgent.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            switch effect {
            case .send(let bytes, _): try remember(bytes)
            case .incoming(let call, _):
                try require(!calls.contains(call), "incoming calls are new")
                calls.append(call)
            case .ended(let call, _):
                try require(calls.contains(call), "only calls that began end, and once")
                calls.removeAll { $0 == call }
            case .messageOutcome(let message, _):
                try require(openMessages.remove(message) != nil, "a message has one outcome")
            default: break
            }
        }
    }

    private mutating func remember(_ bytes: [UInt8]) throws(Finding) {
        guard bytes != Array("\r\n".utf8) else { return }
        guard let message = try? Message(decoding: bytes) else { throw Finding(fact: "what is sent can be read") }
        guard let essentials = try? message.essentials() else { return }
        let isRequest = message.method != nil
        if let local = (isRequest ? essentials.from : essentials.to).tag,
            let remote = (isRequest ? essentials.to : essentials.from).tag
        {
            dialog = (essentials.callID, local, remote)
        }
        guard isRequest else { return }
        asked.append(message)
        if asked.count > 8 { asked.removeFirst() }
    }
}
