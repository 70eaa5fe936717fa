import SIPLite
import SansIO
import TestVectors
import Testing

@Suite("Session descriptions")
struct SessionDescriptionTests {
    static func captured() throws -> [(name: String, body: [UInt8])] {
        try MessageTests.captured().compactMap { entry in
            let message = try Message(decoding: entry.bytes)
            guard try message.contentType()?.mediaType == "application/sdp" else { return nil }
            return (entry.name, message.body)
        }
    }

    @Test("Captured descriptions come out of the writer as they went into the reader")
    func roundTrip() throws {
        let all = try Self.captured()
        #expect(all.count == 12)
        for (name, body) in all {
            let description = try SessionDescription(decoding: body)
            #expect(description.encoded() == body, "\(name)")
        }
    }

    @Test("A captured offer says what it means")
    func meaning() throws {
        let offer = try Self.offer("045-alice-INVITE.sip")
        #expect(offer.media.map(\.kind) == [.audio, .video])
        #expect(offer.media[0].codecs.map(\.name) == ["opus", "telephone-event"])
        #expect(offer.media[0].codecs[0] == .opus && offer.media[0].codecs[1].parameters == "0-15")
        #expect(offer.media[1].codecs.first?.parameters == "profile-level-id=428029")
        #expect(offer.media[0].candidates.count == 6 && offer.media[1].candidates.count == 6)
        #expect(offer.media[1].candidates[0].hasPrefix("Ha4d000b 3 UDP "))
        #expect(offer.media[0].keys.first?.keyAndSalt.count == 30)
        #expect(offer.credentials(forMedia: 1) == offer.attributes.credentials && offer.attributes.credentials != nil)
        #expect(offer.direction(ofMedia: 0) == .sendReceive && !offer.isHeld)
    }

    private static func offer(_ file: String) throws -> SessionDescription {
        try SessionDescription(decoding: try Message(decoding: try TestVectors.bytes("jami/sip/\(file)")).body)
    }

    private static func party(_ last: UInt32) -> OfferAnswer.Party {
        OfferAnswer.Party(
            sessionID: "4004412952", username: "vm", name: "Call ID 1", address: .v4(0x0A4D_0000 + last),
            credentials: .init(usernameFragment: "0123abcd", password: "0123456789abcdef01234567"))
    }

    private static func audio(_ filler: UInt8, codecs: [Codec] = [.opus, .telephoneEvent]) -> OfferAnswer.LocalMedia {
        OfferAnswer.LocalMedia(
            port: 22_380, codecs: codecs,
            key: KeyAttribute(keyAndSalt: Array(repeating: filler, count: KeyAttribute.size)),
            candidates: ["Ha4d000c 1 UDP 2130706431 10.77.0.12 33279 typ host"])
    }

    @Test("Our answer to a stock offer takes the sound and declines the pictures as a stock peer does")
    func answersStock() throws {
        let offer = try Self.offer("045-alice-INVITE.sip")
        let stock = try Self.offer("048-bob-200-OK-for-INVITE.sip")
        let (answer, agreements) = try OfferAnswer.answer(to: offer, from: Self.party(12), media: [Self.audio(1)])
        #expect(answer.media.count == 2 && answer.media[1] == stock.media[1])
        #expect(answer.media[0].formats == stock.media[0].formats)
        func shape(_ list: AttributeList) -> [String] { list.all.map(\.name).filter { $0 != "candidate" } }
        #expect(shape(answer.media[0].attributes) == shape(stock.media[0].attributes))
        #expect(shape(answer.attributes) == shape(stock.attributes))
        let agreement = try #require(agreements.first)
        #expect(agreements.count == 1 && agreement.codec == .opus && agreement.receivedPayloadType == 104)
        #expect(agreement.remoteKey == offer.media[0].keys[0] && agreement.candidates.count == 6)
        #expect(agreement.localKey?.tag == 1 && agreement.credentials == offer.attributes.credentials)
    }

    @Test("Both sides of an exchange agree on the same things")
    func agreement() throws {
        let g722Offer = Codec(payloadType: 96, name: "g722", clockRate: 8_000)
        let offer = OfferAnswer.offer(
            from: Self.party(11), media: [Self.audio(1, codecs: [g722Offer, .telephoneEvent])])
        let (answer, theirs) = try OfferAnswer.answer(
            to: offer, from: Self.party(12), media: [Self.audio(2, codecs: [.opus, .g722])])
        let ours = try OfferAnswer.agreements(offer: offer, answer: try SessionDescription(decoding: answer.encoded()))
        #expect(ours[0].codec.payloadType == 96 && theirs[0].codec.payloadType == 96)
        #expect(ours[0].localKey == theirs[0].remoteKey && ours[0].remoteKey == theirs[0].localKey)
        #expect(ours[0].remoteKey?.keyAndSalt.first == 2)
    }

    @Test("Nothing in common is a failure, and so is an answer of another shape")
    func failures() throws {
        let offer = OfferAnswer.offer(from: Self.party(11), media: [Self.audio(1, codecs: [.pcma])])
        #expect(throws: OfferAnswer.Failure.nothingInCommon) {
            try OfferAnswer.answer(to: offer, from: Self.party(12), media: [Self.audio(2)])
        }
        var short = offer
        short.media = []
        #expect(throws: OfferAnswer.Failure.mismatch) { try OfferAnswer.agreements(offer: offer, answer: short) }
        var plain = Self.audio(1, codecs: [.pcma])
        plain.key = nil
        #expect(throws: OfferAnswer.Failure.nothingInCommon) {
            try OfferAnswer.answer(to: offer, from: Self.party(12), media: [plain])
        }
    }

    @Test("Directions answer one another", arguments: MediaDirection.allCases)
    func directions(offered: MediaDirection) throws {
        var local = Self.audio(1)
        local.direction = offered
        let offer = OfferAnswer.offer(from: Self.party(11), media: [local])
        let (answer, agreements) = try OfferAnswer.answer(to: offer, from: Self.party(12), media: [Self.audio(2)])
        #expect(answer.direction(ofMedia: 0) == offered.reversed && agreements[0].direction == offered.reversed)
        #expect(try OfferAnswer.agreements(offer: offer, answer: answer)[0].direction == offered)
    }

    @Test("Key lines tolerate lifetimes, and skip what cannot be used")
    func keys() {
        let text = "lFqtRA1pAB3ECcT820AekzhfU2MzgTezymaU/rZt"
        #expect(
            KeyAttribute("1 AES_CM_128_HMAC_SHA1_80 inline:\(text)")?.value
                == "1 AES_CM_128_HMAC_SHA1_80 inline:\(text)")
        #expect(KeyAttribute("2 AES_CM_128_HMAC_SHA1_32 inline:\(text)|2^48|1:4 -X")?.tag == 2)
        for bad in [
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", "x AES_CM_128_HMAC_SHA1_80 inline:\(text)",
            "1 F8_128_HMAC_SHA1_80 inline:\(text)", "1 AES_CM_128_HMAC_SHA1_80 inline:\(text) UNENCRYPTED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80", "0 AES_CM_128_HMAC_SHA1_80 inline:\(text)", "",
        ] { #expect(KeyAttribute(bad) == nil, "\(bad)") }
        #expect(KeyAttribute(keyAndSalt: [1, 2]) == nil)
    }

    @Test("Trimming drops the candidates of least priority and keeps one for each component")
    func trimming() throws {
        var offer = try Self.offer("045-alice-INVITE.sip")
        for index in 0..<200 {
            let value = "X\(index) \(index % 2 + 1) UDP \(1_000 + index) 10.77.0.11 \(1_000 + index) typ host"
            offer.media[0].attributes.append("candidate", value)
        }
        let fit = try #require(offer.trimmed(toFit: 3_000))
        #expect(fit.encoded().count <= 3_000 && fit.encoded().count > 2_900)
        #expect(fit.media[0].candidates.prefix(6) == offer.media[0].candidates.prefix(6))
        #expect(fit.media[1].candidates == offer.media[1].candidates)
        #expect(offer.trimmed(toFit: 600) == nil)
        #expect(offer.trimmed(toFit: 1 << 20) == offer)
    }

    @Test("What may be missing is tolerated, what may not is refused")
    func tolerance() throws {
        let loose = "v=0\no=- 1 1 IN IP4 h.example\nz=0\nX=?\nm=audio 9 RTP/AVP 0\nc=IN IP6 ::1"
        let description = try SessionDescription(decoding: Array(loose.utf8))
        #expect(description.media[0].codecs == [.pcmu] && description.name == "-" && description.timing == "0 0")
        #expect(description.connection(ofMedia: 0)?.address == .loopback(.v6))
        for bad in [
            "", "o=- 1 1 IN IP4 h\r\n", "v=1\r\n", "v=0\r\n", "v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 9 RTP/AVP 0\r\n",
            "v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 h\r\nm=audio 65536 RTP/AVP 0\r\n",
            "v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 h\r\nm=audio 9 RTP/AVP 128\r\n",
            "v=0\r\no=- 1 1 IN IP4 h\r\ns=\0\r\n", "v=0\r\no=- 99999999999999999999999 x IN IP4 h\r\n",
        ] { #expect(throws: WireError.self, "\(bad)") { try SessionDescription(decoding: Array(bad.utf8)) } }
    }

    @Test("No attribute can make a line of its own")
    func injection() throws {
        var description = try Self.offer("001-alice-INVITE.sip")
        description.name = "x\r\na=evil"
        description.media[0].attributes.append("candidate", "1\r\nm=evil 1 RTP/AVP 0")
        let again = try SessionDescription(decoding: description.encoded())
        #expect(again.media.count == 1 && !again.attributes.contains("evil"))
    }

    @Test("Changed descriptions never trap, and what is read can be written and read again")
    func mutations() throws {
        var random = RandomSource.seeded(8866)
        let corpus = try Self.captured().map(\.body)
        for round in 0..<4_000 {
            let bytes = corpus[round % corpus.count].mutated(using: &random)
            guard let description = try? SessionDescription(decoding: bytes) else { continue }
            let written = description.encoded()
            #expect(try SessionDescription(decoding: written).encoded() == written)
            _ = try? OfferAnswer.answer(to: description, from: Self.party(12), media: [Self.audio(1)])
            _ = description.trimmed(toFit: 700)
        }
    }
}
