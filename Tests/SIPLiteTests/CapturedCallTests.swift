import SIPLite
import SansIO
import TestVectors
import Testing

/// Plays the part of one captured stock peer against an agent; names the agent makes up are put into the capture.
private struct Replay {
    static let alice = "3a920aead9c8eb1b4d7fe8b19862b58b57e1501c"
    static let bob = "af0d1e951233d3b34907fbd8886aca1bd2a1d712"
    static let flow = FlowID(rawValue: 1)

    var agent = UserAgent(random: .seeded(5))
    var now = Instant.zero
    var effects: [UserAgent.Effect] = []
    /// What stands in the capture, and what stands in its place here.
    var names: [(old: String, new: String)] = []

    /// The agent takes bob's part, alice is the capture.
    init() throws {
        let local = try #require(Endpoint("10.77.0.12:54399"))
        let remote = try #require(Endpoint("10.77.0.11:58428"))
        let description = Flow(
            local: local, remote: remote, accountID: Self.bob, deviceID: "fdfa4f236aff661ea22b323f2b563e3f265345be",
            displayName: "bob", remoteAccountID: Self.alice)
        effects = agent.open(Self.flow, description)
    }

    /// Feeds one captured message.
    mutating func feed(_ file: String) throws {
        var text = String(decoding: try TestVectors.bytes("jami/sip/\(file)"), as: UTF8.self)
        for (old, new) in names { text = text.replacing(old, with: new) }
        effects = agent.receive(Array(text.utf8).span, on: Self.flow, at: now)
        now = now.advanced(by: .milliseconds(50))
    }

    /// The messages of the last effects.
    var sent: [Message] {
        get throws {
            try effects.compactMap { effect in
                guard case .send(let bytes, _) = effect else { return nil }
                return try Message(decoding: bytes)
            }
        }
    }

    var statuses: [Int] { get throws { try sent.compactMap(\.status) } }
}

@Suite("Calls as stock peers made them")
struct CapturedCallTests {
    @Test("A stock caller's whole call is served: messages, information, hold, and the end")
    func wholeCall() throws {
        var replay = try Replay()
        try replay.feed("001-alice-INVITE.sip")
        #expect(try replay.statuses == [100])
        guard case .incoming(let call, let incoming)? = replay.effects.last else {
            Issue.record("no call")
            return
        }
        #expect(incoming.from == Replay.alice && incoming.displayName == "alice" && incoming.to == Replay.bob)
        #expect(incoming.peer.userAgent == "Jami Daemon 13.7.0 (linux)" && incoming.peer.allow.count == 12)
        replay.effects = replay.agent.ring(call, at: replay.now)
        replay.effects = replay.agent.answer(call, with: Pair.reply, at: replay.now)
        let tag = try #require(try replay.sent.first?.essentials().to.tag)
        replay.names = [("5e0839cc-45f8-4fe8-a5f2-fb1fccf7c09c", tag)]
        try replay.feed("005-alice-ACK.sip")
        #expect(replay.effects == [.confirmed(call, description: nil)])
        try replay.feed("005-alice-ACK.sip")
        #expect(replay.effects == [.ignored(.repeated(.ack))])
        try replay.feed("010-alice-MESSAGE.sip")
        #expect(try replay.statuses == [200])
        #expect(replay.effects.last == .message(Body(text: "hello bob"), in: call, on: Replay.flow))
        try replay.feed("014-alice-INVITE.sip")
        guard case .reoffered(call, .some(let offer))? = replay.effects.last else {
            Issue.record("no new offer")
            return
        }
        #expect(try SessionDescription(decoding: offer).media.count == 1)
        replay.effects = replay.agent.answer(call, with: Pair.reply, at: replay.now)
        #expect(try replay.statuses == [200])
        try replay.feed("016-alice-ACK.sip")
        #expect(replay.effects == [.confirmed(call, description: nil)])
        try replay.feed("020-alice-INFO.sip")
        guard case .information(let body, call)? = replay.effects.last else {
            Issue.record("no information")
            return
        }
        #expect(MediaControl(body)?.primitive == .muted(true))
        replay.effects = replay.agent.hangUp(call, at: replay.now)
        let bye = try #require(try replay.sent.first)
        #expect(bye.method == .bye)
        #expect(bye.target == "sips:d075d962cb40b898b0d109754dd1049bc0893a8b@10.77.0.11:58428;transport=tls")
        #expect(try bye.essentials().from.uri.user == Replay.bob)
    }

    @Test("A stock caller's cancellation is answered as a stock callee does")
    func cancellation() throws {
        var replay = try Replay()
        try replay.feed("031-alice-INVITE.sip")
        guard case .incoming(let call, _)? = replay.effects.last else {
            Issue.record("no call")
            return
        }
        replay.effects = replay.agent.ring(call, at: replay.now)
        let tag = try #require(try replay.sent.first?.essentials().to.tag)
        try replay.feed("034-alice-CANCEL.sip")
        #expect(try replay.statuses == [200, 487] && replay.effects.last == .ended(call, .remoteCancelled))
        replay.names = [("b871afb8-04de-4627-992e-86848df1b602", tag)]
        try replay.feed("037-alice-ACK.sip")
        #expect(replay.effects.isEmpty && replay.agent.deadline == nil)
    }

    @Test("A refused stock caller acknowledges, and nothing remains")
    func refusal() throws {
        var replay = try Replay()
        try replay.feed("026-alice-INVITE.sip")
        guard case .incoming(let call, _)? = replay.effects.last else {
            Issue.record("no call")
            return
        }
        replay.effects = replay.agent.decline(call, at: replay.now)
        let tag = try #require(try replay.sent.first?.essentials().to.tag)
        replay.names = [("c360485c-51a0-4dbf-93e7-1ccd8df089e0", tag)]
        try replay.feed("030-alice-ACK.sip")
        #expect(replay.effects.isEmpty && replay.agent.deadline == nil)
    }

    @Test("A stock message outside calls is answered and delivered")
    func message() throws {
        var replay = try Replay()
        try replay.feed("054-alice-MESSAGE.sip")
        #expect(try replay.statuses == [200])
        #expect(replay.effects.last == .message(Body(text: "outside a call"), in: nil, on: Replay.flow))
    }

    @Test("A stock callee's responses carry our call through to its end")
    func calling() throws {
        var agent = UserAgent(random: .seeded(9))
        let flow = FlowID(rawValue: 1)
        let call = CallID(rawValue: 4)
        let local = try #require(Endpoint("10.77.0.11:58428"))
        let remote = try #require(Endpoint("10.77.0.12:54399"))
        _ = agent.open(
            flow,
            Flow(
                local: local, remote: remote, accountID: Replay.alice,
                deviceID: "d075d962cb40b898b0d109754dd1049bc0893a8b", displayName: "alice",
                remoteAccountID: Replay.bob))
        let started = agent.invite(call, on: flow, to: Replay.bob, offer: Pair.offer, at: .zero)
        guard case .send(let bytes, _)? = started.first else {
            Issue.record("nothing sent")
            return
        }
        let invite = try Message(decoding: bytes).essentials()
        func feed(_ file: String) throws -> [UserAgent.Effect] {
            let names = [
                ("z9hG4bKPj28a26ed7-9fb5-4812-b96c-34bab7247c3c", invite.via.branch ?? ""),
                ("5a85ca92-82e9-42ce-b352-a52c3d01382f", invite.from.tag ?? ""),
                ("6e309b21-5ce3-433c-8b8a-c9fcc7600214", invite.callID), ("3813 INVITE", "\(invite.cSeq)"),
            ]
            var text = String(decoding: try TestVectors.bytes("jami/sip/\(file)"), as: UTF8.self)
            for (old, new) in names { text = text.replacing(old, with: new) }
            return agent.receive(Array(text.utf8).span, on: flow, at: .zero)
        }
        #expect(try feed("002-bob-100-Trying-for-INVITE.sip") == [.trying(call)])
        #expect(try feed("003-bob-180-Ringing-for-INVITE.sip") == [.ringing(call)])
        let answered = try feed("004-bob-200-OK-for-INVITE.sip")
        guard case .send(let ack, _)? = answered.first, case .answered(call, let description, let peer)? = answered.last
        else {
            Issue.record("not answered")
            return
        }
        #expect(peer.userAgent.contains("Jami Daemon 13.7.0"))
        #expect(try SessionDescription(decoding: description).media.count == 1)
        let acknowledgement = try Message(decoding: ack)
        #expect(
            acknowledgement.target == "sips:fdfa4f236aff661ea22b323f2b563e3f265345be@10.77.0.12:54399;transport=tls")
        let information = try feed("006-bob-INFO.sip")
        #expect(information.count == 2)
        #expect(try feed("012-bob-MESSAGE.sip").last == .message(Body(text: "hello alice"), in: call, on: flow))
        let goodbye = try feed("024-bob-BYE.sip")
        #expect(goodbye.last == .ended(call, .remoteHungUp))
    }
}
