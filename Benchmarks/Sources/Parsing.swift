import MediaRTP
import SIPLite
import SansIO
import SwiftDHT
import SwiftICE

/// Reading one message of each wire format; the times are of the whole message, allocations included.
func benchmarkParsing() {
    let check = Samples.check
    cost("parse.stun-check", runs: 20_000) { use(try? SwiftICE.Message(check.span)) }
    let key = IntegrityKey(shortTerm: Samples.password)
    cost("parse.stun-check-authentic", runs: 5_000) {
        guard let message = try? SwiftICE.Message(check.span) else { return expect(false, "the check reads") }
        expect(message.isAuthentic(under: key), "the check is authentic")
    }
    let line = Samples.candidate
    cost("parse.candidate-line", runs: 2_000) { use(Candidate.parse(line: line)) }
    let value = Samples.value
    cost("parse.dht-value", runs: 10_000) { use(try? Value(value.span)) }
    dhtPacket()
    let invite = Samples.invite
    expect((try? SIPLite.Message(decoding: invite)) != nil, "the invitation reads")
    cost("parse.sip-invite", runs: 2_000) { use(try? SIPLite.Message(decoding: invite)) }
    let message = try? SIPLite.Message(decoding: invite)
    cost("parse.sip-invite-essentials", runs: 2_000) { use(try? message?.essentials()) }
    let description = message?.body ?? []
    cost("parse.sdp", runs: 1_000) { use(try? SIPLite.SessionDescription(decoding: description)) }
    let packet = Samples.audio
    cost("parse.rtp", runs: 20_000) { use(try? RTPPacket(packet.span)) }
    guard let audio = try? RTPPacket(packet.span) else { return expect(false, "the packet reads") }
    cost("write.rtp", runs: 20_000) { use(audio.bytes) }
}

/// A reply that nobody waits for: it is read whole and then dropped.
private func dhtPacket() {
    var node = DHT.sample()
    let (reply, source) = (Samples.reply, Samples.peer)
    let first = node.receive(reply.span, from: source, at: .zero)
    expect(first.contains(.ignored(.unsolicited)), "the reply is read and dropped, not \(first)")
    cost("parse.dht-reply", runs: 10_000) { use(node.receive(reply.span, from: source, at: .zero)) }
}
