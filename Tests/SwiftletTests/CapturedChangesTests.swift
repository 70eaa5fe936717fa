import MediaRTP
import SIPLite
import SansIO
import SwiftICE
import TestVectors
import Testing

@testable import Swiftlet

/// Hold and resume as two stock daemons made them: one side is the capture, the other side is ours.
@Suite struct CapturedChangesTests {
    private static let sip = SIPLite.CallID(rawValue: 1)
    private static let flow = FlowID(rawValue: 1)

    /// The description a captured message carries.
    private func description(_ file: String) throws -> [UInt8] {
        try SIPLite.Message(decoding: TestVectors.bytes("jami/sip/\(file)")).body
    }

    private func bases(_ session: Int) -> [ICEAgent.Finding] {
        [1, 2].map { .socket($0, Endpoint(.v4(0x0A4D_000C), port: UInt16(5000 + 10 * session + $0))) }
    }

    /// A call of captured alice that we answered, and our answer.
    private func answered() throws -> (CallMachine, String) {
        let offer = try SIPLite.SessionDescription(decoding: description("001-alice-INVITE.sip"))
        var call = CallMachine(
            from: CallPair.peer, leg: Self.sip, flow: Self.flow, traits: PeerTraits(), offer: offer,
            setting: CallPair.setting(2),
            random: .seeded(2))
        _ = call.start(at: .zero)
        _ = call.gathered(bases(0), session: 0, at: .zero)
        let answer = try #require(sent(call.answer(at: .zero)).first)
        _ = call.confirmed(Self.sip, at: .zero)
        return (call, answer)
    }

    /// A call of ours that captured bob answered, and our offer.
    private func calling() throws -> (CallMachine, String) {
        var call = CallMachine(calling: CallPair.peer, setting: CallPair.setting(1), random: .seeded(1))
        _ = call.start(at: .zero)
        _ = call.reached("bob", on: Self.flow, as: Self.sip, traits: PeerTraits(), at: .zero)
        let offer = try #require(sent(call.gathered(bases(0), session: 0, at: .zero)).first)
        let effects = call.answered(Self.sip, description: try description("004-bob-200-OK-for-INVITE.sip"), at: .zero)
        #expect(Doings(effects).events == [.answered])
        return (call, offer)
    }

    /// The descriptions among effects.
    private func sent(_ effects: [CallMachine.Effect]) -> [String] {
        Doings(effects).sip.compactMap { command in
            switch command {
            case .invite(_, _, _, let bytes), .answer(_, let bytes), .reinvite(_, let bytes):
                String(decoding: bytes, as: UTF8.self)
            default: nil
            }
        }
    }

    /// Lets a fifth of a second pass.
    private func pass(_ call: inout CallMachine, _ doings: inout Doings) {
        let end = Instant.zero.advanced(by: .milliseconds(200))
        while let next = call.deadline, next <= end { doings.add(call.advance(to: next)) }
    }

    private func value(_ name: String, _ text: String) -> String? { CallChangesTests.value(name, in: text) }

    @Test func anAnswerToStockHasItsForm() throws {
        let (_, answer) = try answered()
        let lines = answer.split(separator: "\r\n").map(String.init)
        let media = try #require(lines.firstIndex { $0.hasPrefix("m=") })
        #expect(lines[media] == "m=audio 5001 RTP/SAVP 104")
        #expect(
            lines[..<media].filter { $0.hasPrefix("a=") }.map { $0.prefix { $0 != ":" } } == [
                "a=ice-ufrag", "a=ice-pwd",
            ])
        let attributes = lines[media...].dropFirst()
        #expect(attributes.prefix(3) == ["a=rtpmap:104 opus/48000/2", "a=rtcp:5002 IN IP4 10.77.0.12", "a=sendrecv"])
        #expect(attributes.filter { $0.hasPrefix("a=candidate:Ha4d000c 1 UDP") }.count == 1)
        #expect(attributes.filter { $0.hasPrefix("a=candidate:Ha4d000c 2 UDP") }.count == 1)
        #expect(value("a=crypto", answer)?.hasPrefix("1 AES_CM_128_HMAC_SHA1_80 inline:") == true)
    }

    @Test func aStockHoldKeepsPathAndKeys() throws {
        var (call, first) = try answered()
        let effects = call.reoffered(Self.sip, description: try description("014-alice-INVITE.sip"), at: .zero)
        let answer = try #require(sent(effects).first)
        let doings = Doings(effects)
        #expect(doings.gathers.isEmpty && doings.expected.isEmpty && doings.events.isEmpty, "it cannot be seen")
        #expect(value("a=ice-ufrag", answer) == nil && !answer.contains("a=candidate"))
        #expect(value("a=crypto", answer) == value("a=crypto", first), "our key stays, and so does the peer's")
        #expect(answer.contains("m=audio 5001 RTP/SAVP 104\r\n") && answer.contains("a=sendrecv\r\n"))
        let origins = [first, answer].compactMap { CallChangesTests.origin(in: $0) }
        #expect(origins.count == 2 && origins[0].sessionID == origins[1].sessionID)
        #expect(origins.map(\.version) == [0, 1])
    }

    @Test func aStockResumeIsAnsweredOverANewSession() throws {
        var (call, first) = try answered()
        _ = call.reoffered(Self.sip, description: try description("014-alice-INVITE.sip"), at: .zero)
        _ = call.confirmed(Self.sip, at: .zero)
        let asked = Doings(call.reoffered(Self.sip, description: try description("017-alice-INVITE.sip"), at: .zero))
        #expect(asked.gathers == [1] && asked.sip.isEmpty, "the answer waits for the sockets")
        let effects = call.gathered(bases(1), session: 1, at: .zero)
        let answer = try #require(sent(effects).first)
        for name in ["a=ice-ufrag", "a=ice-pwd", "a=crypto"] {
            #expect(value(name, answer) != nil && value(name, answer) != value(name, first), "\(name)")
        }
        #expect(answer.contains("m=audio 5011 RTP/SAVP 104\r\n") && answer.contains(" 10.77.0.12 5011 typ host\r\n"))
        var doings = Doings(effects)
        pass(&call, &doings)
        let checks = doings.network.filter { $0.session == 1 }.compactMap { entry -> Endpoint? in
            if case .send(_, _, let peer) = entry.action { peer } else { nil }
        }
        #expect(!checks.isEmpty && Set(checks) == [Endpoint("10.77.0.11:59413")], "the other one is frozen as yet")
        let remote = try #require(call.next?.agreement?.remote)
        #expect(remote.candidates.map(\.endpoint) == [Endpoint("10.77.0.11:59413"), Endpoint("10.77.0.11:53157")])
    }

    @Test func ourHoldTowardStockKeepsPathAndKeys() throws {
        var (call, first) = try calling()
        let offer = try #require(sent(call.hold(at: .zero)).first)
        #expect(offer.contains("a=sendonly\r\n") && !offer.contains("a=ice-") && !offer.contains("a=candidate"))
        #expect(value("a=crypto", offer) == value("a=crypto", first))
        // Stock answers with a new key that it does not use.
        let answer = try description("015-bob-200-OK-for-INVITE.sip")
        let doings = Doings(call.reanswered(Self.sip, description: answer, at: .zero))
        #expect(doings.events == [.held(true)] && doings.expected.isEmpty && doings.gathers.isEmpty)
    }

    @Test func ourResumeTowardStockLooksForANewPath() throws {
        var (call, first) = try calling()
        _ = call.hold(at: .zero)
        _ = call.reanswered(Self.sip, description: try description("015-bob-200-OK-for-INVITE.sip"), at: .zero)
        #expect(Doings(call.resume(at: .zero)).gathers == [1])
        let offer = try #require(sent(call.gathered(bases(1), session: 1, at: .zero)).first)
        for name in ["a=ice-ufrag", "a=ice-pwd", "a=crypto"] {
            #expect(value(name, offer) != nil && value(name, offer) != value(name, first), "\(name)")
        }
        #expect(offer.contains("a=sendrecv\r\n"))
        let answer = try description("018-bob-200-OK-for-INVITE.sip")
        var doings = Doings(call.reanswered(Self.sip, description: answer, at: .zero))
        #expect(doings.events == [.held(false)])
        pass(&call, &doings)
        #expect(doings.network.contains { $0.session == 1 })
        let session = try #require(call.next)
        let key = try SIPLite.SessionDescription(decoding: answer).media[0].keys[0]
        #expect(session.agreement?.remoteKey.bytes == key.keyAndSalt)
        #expect(session.agreement?.remote?.credentials.fragment == "21e15a05")
    }

    @Test func videoIsDeclinedWithPortZero() throws {
        let offer = try SIPLite.SessionDescription(decoding: description("045-alice-INVITE.sip"))
        var call = CallMachine(
            from: CallPair.peer, leg: Self.sip, flow: Self.flow, traits: PeerTraits(), offer: offer,
            setting: CallPair.setting(2),
            random: .seeded(2))
        _ = call.start(at: .zero)
        _ = call.gathered(bases(0), session: 0, at: .zero)
        let answer = try #require(sent(call.answer(at: .zero)).first)
        #expect(answer.hasSuffix("m=video 0 RTP/SAVP 96 97\r\n"), "as stock declines, without attributes")
        #expect(call.current.agreement?.remote?.candidates.count == 6, "those of sound only")
    }
}
