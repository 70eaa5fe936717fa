import SIPLite
import SansIO

extension FuzzTarget {
    /// SIP messages, and everything that is understood of them on access.
    static let sipMessage = FuzzTarget(name: "sip-message") { bytes throws(Finding) in
        guard let message = try? Message(decoding: bytes) else { return }
        if case .accepted(let essentials) = message.validate(Message.Policy(allow: [.invite, .bye, .message])) {
            try require((try? message.essentials()) == essentials, "what is accepted has its essentials")
        }
        if let essentials = try? message.essentials() { try survives(essentials) }
        _ = try? message.contacts()
        _ = (try? message.contentType(), message.allow)
        if let reason = message.reason() {
            try require((try? Reason(reason.description)) == reason, "a reason survives")
        }
        let again = try? Message(decoding: message.encoded())
        try require(again?.body == message.body, "the body survives")
        try require(again?.startLine == message.startLine, "the start line survives")
        try require(again?.encoded() == message.encoded(), "what was written once stays as it is")
    }

    private static func survives(_ essentials: Essentials) throws(Finding) {
        for via in essentials.vias { try require((try? Via(via.description)) == via, "\(via) survives") }
        for address in [essentials.from, essentials.to] {
            // Line ends and NULs that were escaped in a name are written as blanks, so names settle on the first writing.
            let again = try? NameAddress(address.description)
            try require(again?.uri == address.uri && again?.parameters == address.parameters, "\(address) survives")
            try require(again?.description == address.description, "\(address) is written as before")
        }
    }

    /// A stream of SIP messages: the same whether it comes at once or in pieces.
    static let sipFramer = FuzzTarget(name: "sip-framer") { bytes throws(Finding) in
        guard let width = bytes.first.map({ Int($0 % 64) + 1 }) else { return }
        let stream = Array(bytes.dropFirst())
        var (whole, pieces) = (StreamFramer(), StreamFramer())
        let frames = whole.receive(stream.span)
        var collected: [StreamFramer.Frame] = []
        for start in stride(from: 0, to: stream.count, by: width) {
            collected += pieces.receive(stream[start..<min(start + width, stream.count)].span)
        }
        try require(collected == frames, "frames do not depend on where reads end")
        try require(whole.isUnfinished == pieces.isUnfinished, "nor does what is left")
    }

    /// Session descriptions, and the attributes calls are made of.
    static let sdp = FuzzTarget(name: "sdp") { bytes throws(Finding) in
        guard let description = try? SessionDescription(decoding: bytes) else { return }
        for (index, medium) in description.media.enumerated() {
            _ = (medium.codecs, description.credentials(forMedia: index), description.direction(ofMedia: index))
            for key in medium.keys { try require(KeyAttribute(key.value) == key, "a key survives") }
        }
        _ = description.isHeld
        let party = OfferAnswer.Party(sessionID: "1", name: "-", address: .loopback(.v4), credentials: nil)
        let media = [OfferAnswer.LocalMedia(port: 9, codecs: [.opus], key: nil, candidates: [])]
        if let (answer, _) = try? OfferAnswer.answer(to: description, from: party, media: media) {
            try require(answer.media.count == description.media.count, "an answer has the lines of its offer")
            _ = try? OfferAnswer.agreements(offer: description, answer: answer)
        }
        // Lines that are only kept are written in the order of the grammar.
        let again = try? SessionDescription(decoding: description.encoded())
        try require(again?.encoded() == description.encoded(), "what was written once stays as it is")
    }

    /// Media control within a call.
    static let mediaControl = FuzzTarget(name: "media-control") { bytes throws(Finding) in
        guard let control = MediaControl(Body(contentType: MediaControl.contentType, bytes: bytes)) else { return }
        try require(MediaControl(control.body) == control, "\(control) survives")
    }

    /// Profile cards in pieces: the first byte says where the content type ends.
    static let profileCard = FuzzTarget(name: "profile-card") { bytes throws(Finding) in
        var choices = Choices(bytes)
        var assembler = ProfileCardAssembler()
        while !choices.isAtEnd {
            let parameters = String(decoding: choices.bytes(), as: UTF8.self)
            let body = Body(contentType: "\(ProfileCard.contentType);\(parameters)", bytes: choices.bytes())
            guard let card = assembler.receive(body) else { continue }
            try require(card.count <= ProfileCardAssembler.maximumSize, "a card stays within its limit")
        }
    }
}
