import SansIO
import SwiftICE

extension FuzzTarget {
    /// STUN messages; what was read is built again attribute by attribute.
    static let stun = FuzzTarget(name: "stun") { bytes throws(Finding) in
        let isSTUN = Message.isSTUN(bytes.span)
        guard let message = try? Message(decoding: bytes) else { return }
        try require(isSTUN, "what reads as STUN looks like STUN")
        _ = message.isAuthentic(under: IntegrityKey(shortTerm: "password"), allowingTruncation: true)
        _ = message.unknownAttributes(knowing: [.username, .priority])
        let attributes = message.allAttributes.filter { $0.type != .fingerprint }
        var builder = MessageBuilder(message.type, message.transaction)
        for attribute in attributes { builder.add(attribute) }
        let again = try? Message(decoding: builder.finished())
        try require(again?.type == message.type && again?.transaction == message.transaction, "the header survives")
        try require(again?.allAttributes == attributes, "the attributes survive")
    }

    /// Candidate lines, in SDP's form and Jami's.
    static let candidate = FuzzTarget(name: "candidate") { bytes throws(Finding) in
        guard var candidate = Candidate.parse(line: String(decoding: bytes, as: UTF8.self)).candidate else { return }
        let again = Candidate.parse(line: candidate.sdpLine).candidate
        try require(again == candidate, "\(candidate) survives SDP, not as \(String(describing: again))")
        candidate.related = nil
        try require(Candidate.parse(line: candidate.jamiLine).candidate == candidate, "\(candidate) survives Jami")
    }

    /// The descriptions of a session: plain text, and the blobs of call requests.
    static let sessionBlob = FuzzTarget(name: "session-blob") { bytes throws(Finding) in
        if let text = try? SessionDescription(text: String(decoding: bytes, as: UTF8.self)) {
            var known = text
            for index in known.candidates.indices { known.candidates[index].related = nil }
            try require((try? SessionDescription(text: known.text)) == known, "the text survives")
        }
        guard let offer = try? SessionOffer(decoding: bytes) else { return }
        for session in [offer.udp, offer.tcp] {
            guard var session else { continue }
            for index in session.candidates.indices { session.candidates[index].related = nil }
            let again = try? SessionOffer(decoding: session.version2)
            try require(again?.udp == session || again?.tcp == session, "version 2 survives")
        }
    }

    /// RFC 4571 frames: the same whether the stream comes at once or byte by byte.
    static let streamFraming = FuzzTarget(name: "stream-framing") { bytes throws(Finding) in
        var (whole, pieces) = (StreamDeframer(), StreamDeframer())
        let payloads = whole.receive(bytes.span)
        var collected: [[UInt8]] = []
        for byte in bytes { collected += pieces.receive([byte].span) }
        try require(collected == payloads, "frames do not depend on where reads end")
        let stream = payloads.flatMap { StreamFraming.frame($0) }
        try require(bytes.starts(with: stream), "frames survive")
    }

    /// Messages on a TURN connection, at once and byte by byte.
    static let turnFraming = FuzzTarget(name: "turn-framing") { bytes throws(Finding) in
        var (whole, pieces) = (TURNDeframer(), TURNDeframer())
        guard let elements = try? whole.receive(bytes.span) else { return }
        var collected: [TURNDeframer.Element] = []
        for byte in bytes {
            guard let more = try? pieces.receive([byte].span) else { throw Finding(fact: "both ways fail alike") }
            collected += more
        }
        try require(collected == elements, "messages do not depend on where reads end")
        for case .channelData(let data) in elements {
            try require((try? ChannelData(decoding: data.framed)) == data, "channel data survives")
        }
    }
}
