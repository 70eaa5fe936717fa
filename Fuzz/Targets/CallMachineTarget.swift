import SIPLite
import SansIO
import SecureChannel
import SwiftICE
import Swiftlet

extension FuzzTarget {
    /// A call: the bytes choose what its user, SIP, the network and the clock do.
    static let callMachine = FuzzTarget(name: "call-machine") { bytes throws(Finding) in
        guard let peer = AccountID(String(repeating: "b", count: 40)) else { return }
        var fuzz = CallMachineFuzz(Choices(bytes), peer)
        try fuzz.run()
    }
}

private struct CallMachineFuzz {
    private static let legs: UInt64 = 3

    private var choices: Choices
    private var call: CallMachine
    private var now = Instant.zero
    /// Sessions whose sockets were asked for and not yet opened.
    private var wanted: [Int] = []
    /// Sessions whose sockets were asked for and not given back.
    private var open: [Int] = []
    private var lastSession = -1
    /// Checks the call sent last, to be answered.
    private var asked: [(session: Int, bytes: [UInt8])] = []
    /// What the call described last: what the peer makes its checks with.
    private var local: ICECredentials?
    /// SIP calls that began and did not end.
    private var sips: [SIPLite.CallID] = []
    private var isIncoming: Bool
    private var isTalking = false
    private var hasPeersOffer = false
    private var hasOwnOffer = false
    private var isRunning = false
    private var hasEnded = false
    private var isFinished = false

    init(_ choices: Choices, _ peer: AccountID) {
        self.choices = choices
        var random = RandomSource.seeded(1)
        let shape = self.choices.byte()
        isIncoming = shape & 1 != 0
        let setting = CallMachine.Setting(
            ice: SwiftICE.Configuration(),
            negotiation: MediaNegotiation(
                sizeLimit: 6_000, clock: WallClock(epochOffset: 0), random: &random, at: .zero),
            profile: shape & 2 == 0 ? "" : "BEGIN:VCARD\nEND:VCARD\n")
        let offer = Self.description(0, fragment: "peer0000", hasCandidates: true)
        guard isIncoming, let offer = try? SIPLite.SessionDescription(decoding: offer) else {
            call = CallMachine(calling: peer, setting: setting, random: .seeded(2))
            return
        }
        sips = [SIPLite.CallID(rawValue: 1)]
        call = CallMachine(
            from: peer, leg: sips[0], flow: FlowID(rawValue: 1), traits: PeerTraits(isSwiftlet: shape & 4 != 0),
            offer: shape & 8 == 0 ? offer : nil, setting: setting, random: .seeded(2))
    }

    mutating func run() throws(Finding) {
        try take(call.start(at: now))
        for _ in 0..<256 where !choices.isAtEnd {
            try step()
            let later = now.advanced(by: choices.duration())
            try take(try pass(&call, until: later))
            now = later
            try require(!isFinished || call.deadline == nil, "a call that is over waits for nothing")
        }
        try finish()
    }

    /// Whatever happened, hanging up ends the call and gives every socket back.
    private mutating func finish() throws(Finding) {
        try take(call.hangUp(at: now))
        for sip in sips { try take(call.ended(sip, because: .hungUp)) }
        try take(call.noMoreDevices(because: .notFound, at: now))
        try require(isFinished, "a call that was hung up is over")
        try require(open.isEmpty, "a call that is over holds no sockets")
        try require(!isRunning, "a call that is over has no media")
    }

    private mutating func step() throws(Finding) {
        switch choices.byte() % 8 {
        case 0: try act()
        case 1: try gather()
        case 2: try begin()
        case 3, 4: try negotiate()
        case 5: try network(response())
        case 6: try network(request())
        default: try talk()
        }
    }

    // MARK: The user and the driver

    private mutating func act() throws(Finding) {
        switch choices.byte() % 8 {
        case 0: try take(call.answer(at: now))
        case 1: try take(call.hold(at: now))
        case 2: try take(call.resume(at: now))
        case 3: try take(call.restartMedia(at: now))
        case 4: try take(call.mute(choices.byte() & 1 == 0))
        case 5: try take(call.send(Message(text: "hello")))
        case 6: try take(call.decline(because: String(decoding: choices.bytes(), as: UTF8.self), at: now))
        default: if choices.byte() < 16 { try take(call.hangUp(at: now)) }
        }
    }

    private mutating func gather() throws(Finding) {
        guard let session = choices.element(of: wanted) else { return }
        wanted.removeAll { $0 == session }
        let isPossible = choices.byte() % 16 != 0
        let bases = [1, 2].map {
            ICEAgent.Finding.base(ICEAgent.Base(component: $0, endpoint: Self.base(session, $0), transport: .udp))
        }
        try take(call.gathered(isPossible ? bases : [], session: session, at: now))
    }

    private static func base(_ session: Int, _ component: Int) -> Endpoint {
        Endpoint(.v4(0x0A00_0001), port: UInt16(truncatingIfNeeded: 1_000 + session * 2 + component))
    }

    // MARK: SIP

    /// How a call begins: devices are reached, ring, answer or refuse.
    private mutating func begin() throws(Finding) {
        let known = choices.element(of: sips)
        switch (choices.byte() % 6, known) {
        case (0, _) where !isIncoming && !isTalking && sips.count < Self.legs:
            let sip = SIPLite.CallID(rawValue: UInt64(sips.count) + 1)
            guard !sips.contains(sip) else { return }
            sips.append(sip)
            let traits = PeerTraits(isSwiftlet: choices.byte() & 1 == 0)
            try take(call.reached("device", on: FlowID(rawValue: sip.rawValue), as: sip, traits: traits, at: now))
        case (1, let sip?): try take(call.ringing(sip))
        case (2, let sip?): try take(call.answeredEarly(sip, description: description(), at: now))
        case (3, let sip?) where !isIncoming && !isTalking:
            try take(call.answered(sip, description: description(), at: now))
            // The other legs are no longer the call's.
            if isTalking { sips = [sip] }
        case (4, let sip?): try take(call.explained(sip, "no"))
        case (5, let sip?):
            let reasons: [UserAgent.EndReason] = [
                .rejected(status: 486), .rejected(status: 603), .flowLost, .remoteHungUp, .noAnswer, .remoteCancelled,
            ]
            guard choices.byte() < 64 else { return }
            sips.removeAll { $0 == sip }
            try take(call.ended(sip, because: choices.element(of: reasons) ?? .flowLost))
        default: if choices.byte() < 32 { try take(call.noMoreDevices(because: .noReply, at: now)) }
        }
    }

    /// Offers and answers within the call, as far as SIP lets them come.
    private mutating func negotiate() throws(Finding) {
        guard let sip = choices.element(of: sips) else { return }
        switch choices.byte() % 6 {
        case 0: try take(call.confirmed(sip, description: choices.byte() & 1 == 0 ? description() : nil, at: now))
        case 1, 2:
            guard isTalking, !hasPeersOffer else { return }
            hasPeersOffer = true
            try take(call.reoffered(sip, description: choices.byte() % 8 == 0 ? nil : description(), at: now))
        case 3, 4:
            guard hasOwnOffer else { return }
            hasOwnOffer = false
            guard choices.byte() % 4 == 0 else {
                return try take(call.reanswered(sip, description: description(), at: now))
            }
            try take(call.reofferFailed(sip, status: choices.element(of: [488, 500, nil]) ?? nil, at: now))
        default:
            guard hasPeersOffer else { return }
            hasPeersOffer = false
            try take(call.reofferWithdrawn(sip, at: now))
        }
    }

    private mutating func talk() throws(Finding) {
        guard !isFinished else { return }
        let body = Body(
            contentType: choices.byte() & 1 == 0 ? "text/plain" : MediaControl.contentType, bytes: choices.bytes())
        try take(choices.byte() & 1 == 0 ? call.received(body) : call.informed(body))
    }

    /// A description of the peer: of one of a few sessions, or of none, or bytes without sense.
    private mutating func description() -> [UInt8] {
        let shape = choices.byte()
        guard shape & 0xF0 != 0xF0 else { return choices.bytes() }
        let fragment = shape & 8 == 0 ? "peer000\(shape >> 4 & 3)" : nil
        return Self.description(Int(shape & 3), fragment: fragment, hasCandidates: shape & 4 == 0)
    }

    private static func description(_ direction: Int, fragment: String?, hasCandidates: Bool) -> [UInt8] {
        let credentials = fragment.map { "a=ice-ufrag:\($0)\r\na=ice-pwd:\(password)\r\n" } ?? ""
        let candidates = (1...2).map { "a=candidate:H1 \($0) UDP 2130706431 10.0.0.2 \(2_000 + $0) typ host\r\n" }
        let text =
            "v=0\r\no=- 1 0 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\(credentials)"
            + "m=audio 9000 RTP/SAVP 104\r\na=rtpmap:104 opus/48000/2\r\na=\(MediaDirection.allCases[direction].rawValue)\r\n"
            + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:Lv98XYGPV9r8t73hREtgCOislKe2tigTA2wbqEmA\r\n"
            + (hasCandidates ? candidates.joined() : "")
        return Array(text.utf8)
    }

    private static let password = "0123456789abcdef01234567"

    // MARK: The network

    private mutating func network(_ datagram: (session: Int, bytes: [UInt8])?) throws(Finding) {
        guard let datagram else { return }
        let component = Int(choices.byte() % 2) + 1
        let peer = Endpoint(.v4(0x0A00_0002), port: UInt16(2_000 + component))
        let base = Self.base(datagram.session, component)
        try take(call.receive(datagram.bytes, session: datagram.session, on: base, from: peer, at: now))
    }

    /// An answer to one of the call's checks.
    private mutating func response() -> (session: Int, bytes: [UInt8])? {
        guard let asked = choices.element(of: asked),
            let request = try? SwiftICE.Message(decoding: asked.bytes)
        else { return nil }
        var builder = MessageBuilder(.success, .binding, request.transaction)
        builder.add(.xorAddress(.xorMappedAddress, Self.base(asked.session, Int(choices.byte() % 2) + 1)))
        builder.addIntegrity(IntegrityKey(shortTerm: Self.password))
        return (asked.session, builder.finishedWithFingerprint())
    }

    /// A check of the peer, or bytes without sense.
    private mutating func request() -> (session: Int, bytes: [UInt8])? {
        guard let session = choices.element(of: open), let local else { return nil }
        let shape = choices.byte()
        guard shape & 0xF0 != 0xF0 else { return (session, choices.bytes()) }
        var builder = MessageBuilder(.request, .binding, TransactionID(high: 1, low: UInt64(shape)))
        builder.add(.username("\(local.usernameFragment):peer000\(shape >> 2 & 3)"))
        builder.add(.priority(1_000))
        builder.add(shape & 1 == 0 ? .iceControlling(1) : .iceControlled(1))
        if shape & 2 == 0 { builder.add(.useCandidate) }
        builder.addIntegrity(IntegrityKey(shortTerm: local.password))
        return (session, builder.finishedWithFingerprint())
    }

    // MARK: What the call does

    private mutating func take(_ effects: [CallMachine.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            if case .ignored = effect { continue }
            try require(!isFinished, "nothing follows the end")
            try take(effect)
        }
    }

    private mutating func take(_ effect: CallMachine.Effect) throws(Finding) {
        switch effect {
        case .gather(let session, _):
            try require(session > lastSession, "sessions are new")
            lastSession = session
            open.append(session)
            wanted.append(session)
            try require(open.count <= 3, "a call has at most three sessions")
        case .release(let session):
            try require(open.contains(session), "only open sessions are released, and once")
            open.removeAll { $0 == session }
            wanted.removeAll { $0 == session }
        case .network(.send(let bytes, _, _), let session):
            try require(open.contains(session), "datagrams leave from open sessions")
            remember(bytes, of: session)
        case .network: throw Finding(fact: "media go over datagrams")
        case .sip(let command): try take(command)
        case .startMedia(let plan):
            try require(open.contains(plan.session) && isTalking, "media run over an open session, after the answer")
            isRunning = true
        case .expectMedia, .directMedia: try require(isRunning, "only media that run are directed")
        case .stopMedia:
            try require(isRunning, "only media that run are stopped")
            isRunning = false
        case .event(.ended):
            try require(!hasEnded, "a call ends once")
            hasEnded = true
        case .event(.answered): isTalking = true
        case .event: try require(!hasEnded, "nothing happens after the end")
        case .finished:
            try require(hasEnded, "a call says why it ends")
            isFinished = true
        case .ignored: break
        }
    }

    private mutating func take(_ command: CallMachine.SIPCommand) throws(Finding) {
        switch command {
        case .invite(_, _, _, let description): try remember(description)
        case .ring(_, let description): if !description.isEmpty { try remember(description) }
        case .answer(_, let description):
            try require(!isTalking || hasPeersOffer, "only offers are answered")
            hasPeersOffer = false
            try remember(description)
        case .decline:
            try require(!isTalking || hasPeersOffer, "only offers are refused")
            hasPeersOffer = false
        case .reinvite(_, let description):
            try require(isTalking && !hasOwnOffer && !hasPeersOffer, "one offer at a time")
            hasOwnOffer = true
            try remember(description)
        case .withdrawOffer:
            try require(hasOwnOffer, "only an offer that was made is withdrawn")
            hasOwnOffer = false
        case .hangUp, .message, .information: break
        }
    }

    private mutating func remember(_ description: [UInt8]) throws(Finding) {
        guard let read = try? SIPLite.SessionDescription(decoding: description) else {
            throw Finding(fact: "what is described can be read")
        }
        local = read.attributes.credentials ?? local
    }

    private mutating func remember(_ bytes: [UInt8], of session: Int) {
        guard let message = try? SwiftICE.Message(decoding: bytes), message.type.messageClass == .request else {
            return
        }
        asked.append((session, bytes))
        if asked.count > 8 { asked.removeFirst() }
    }
}
