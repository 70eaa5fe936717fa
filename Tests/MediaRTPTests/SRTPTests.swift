import MediaRTP
import SansIO
import TestVectors
import Testing

private struct StockCall: Decodable {
    struct Packet: Decodable {
        let packet: String
        let payload: String
        let seq: UInt16
        let ts: UInt32
    }
    struct Report: Decodable {
        let packet: String
    }
    let suite: String
    let master_key_salt: [String: String]
    let rtp: [String: [Packet]]
    let rtcp: [String: [Report]]
}

private struct Collection: Decodable {
    struct Reference: Decodable {
        let suite: String
        let key_and_salt: String
        let roc: Int?
        let rtp: String?
        let srtp: String?
        let rtcp: String?
        let srtcp: String?
        let mki: String?
        let encrypted_extension_ids: [Int]?
    }
    struct Sequence: Decodable {
        struct Packet: Decodable {
            let rtp: String
            let srtp: String
        }
        struct Control: Decodable {
            let index: Int
            let rtcp: String
            let srtcp: String
        }
        let suite: String
        let key_and_salt: String
        let rtp_in_receive_order: [Packet]
        let rtcp: [Control]
    }
    let reference: [Reference]
    let sequences: [Sequence]
}

@Suite struct SRTPTests {
    @Test(arguments: ["alice", "bob"])
    func decryptsAndReproducesAStockCall(side: String) throws {
        let call = try TestVectors.json("jami/srtp-call1.json", as: StockCall.self)
        let suite = try #require(SRTPSuite(rawValue: call.suite))
        let key = try SRTPKey(bytes: hex(try #require(call.master_key_salt[side])), suite: suite)
        let inbound = try SRTPContext(key: key, suite: suite, direction: .inbound)
        let outbound = try SRTPContext(key: key, suite: suite, direction: .outbound)
        let decoder = try OpusDecoder()
        let packets = try #require(call.rtp[side])
        #expect(packets.count == 25)
        for vector in packets {
            var bytes = hex(vector.packet)
            try inbound.unprotect(&bytes)
            let packet = try RTPPacket(decoding: bytes)
            #expect(packet.payload == hex(vector.payload))
            #expect(packet.header.sequence.rawValue == vector.seq)
            #expect(packet.header.timestamp == vector.ts)
            #expect(OpusDecoder.sampleCount(in: packet.payload) == 960)
            #expect(try decoder.decode(packet.payload).count == 960)
            var again = packet.bytes
            try outbound.protect(&again)
            #expect(again == hex(vector.packet))
            var replayed = hex(vector.packet)
            #expect(throws: MediaError.replayed) { try inbound.unprotect(&replayed) }
        }
    }

    @Test func theReportsOfAStockCallArePlain() throws {
        let call = try TestVectors.json("jami/srtp-call1.json", as: StockCall.self)
        let report = try #require(call.rtcp["alice"]?.first)
        guard case .senderReport(let sender)? = try RTCPDatagram(decoding: hex(report.packet)).packets.first else {
            Issue.record("not a sender report")
            return
        }
        #expect(sender.source == 0x5D30_7271)
        #expect(sender.time.rawValue == 0xEEAE_7E1A_EA7E_F9DB)
        #expect(RTCPDatagram([.senderReport(sender)]).bytes == hex(report.packet))
    }

    @Test func agreesWithTheReferencePackets() throws {
        let vectors = try TestVectors.json("sip/srtp/srtp.json", as: Collection.self).reference
        var checked = 0
        // Key identifiers and encrypted header extensions are not negotiated.
        for vector in vectors where vector.mki == nil && vector.encrypted_extension_ids == nil {
            guard let suite = SRTPSuite(rawValue: vector.suite) else { continue }
            let key = try SRTPKey(bytes: hex(vector.key_and_salt), suite: suite)
            let inbound = try SRTPContext(key: key, suite: suite, direction: .inbound)
            let outbound = try SRTPContext(key: key, suite: suite, direction: .outbound)
            if let rtp = vector.rtp, let srtp = vector.srtp {
                var bytes = hex(srtp)
                try inbound.unprotect(&bytes)
                #expect(bytes == hex(rtp))
                try outbound.protect(&bytes)
                #expect(bytes == hex(srtp))
                checked += 1
            }
            if let rtcp = vector.rtcp, let srtcp = vector.srtcp {
                var bytes = hex(srtcp)
                try inbound.unprotectControl(&bytes)
                #expect(bytes == hex(rtcp))
                checked += 1
            }
        }
        #expect(checked >= 4)
    }

    @Test(arguments: SRTPSuite.allCases)
    func acceptsEachPacketOfASequenceOnceAroundTheWrap(suite: SRTPSuite) throws {
        let vectors = try TestVectors.json("sip/srtp/srtp.json", as: Collection.self).sequences
        let vector = try #require(vectors.first { $0.suite == suite.rawValue })
        let key = try SRTPKey(bytes: hex(vector.key_and_salt), suite: suite)
        let context = try SRTPContext(key: key, suite: suite, direction: .inbound)
        for packet in vector.rtp_in_receive_order {
            var bytes = hex(packet.srtp)
            try context.unprotect(&bytes)
            #expect(bytes == hex(packet.rtp))
            var repeated = hex(packet.srtp)
            #expect(throws: MediaError.replayed) { try context.unprotect(&repeated) }
        }
        for packet in vector.rtcp {
            var bytes = hex(packet.srtcp)
            try context.unprotectControl(&bytes)
            #expect(bytes == hex(packet.rtcp))
            var repeated = hex(packet.srtcp)
            #expect(throws: MediaError.replayed) { try context.unprotectControl(&repeated) }
        }
    }

    @Test(arguments: SRTPSuite.allCases)
    func everyMutationIsRefused(suite: SRTPSuite) throws {
        var random = RandomSource.seeded(7)
        let key = SRTPKey(random: &random, suite: suite)
        let outbound = try SRTPContext(key: key, suite: suite, direction: .outbound)
        let inbound = try SRTPContext(key: key, suite: suite, direction: .inbound)
        let header = RTPHeader(payloadType: 104, sequence: SequenceNumber(rawValue: 9), timestamp: 8, source: 7)
        var original = RTPPacket(header: header, payload: random.bytes(60)).bytes
        try outbound.protect(&original)
        var report = RTCPDatagram([.receiverReport(.init(source: 7))]).bytes
        try outbound.protectControl(&report)
        for _ in 0..<2_000 {
            var packet = mutated(original, &random)
            if packet != original { #expect(throws: MediaError.self) { try inbound.unprotect(&packet) } }
            var control = mutated(report, &random)
            if control != report { #expect(throws: MediaError.self) { try inbound.unprotectControl(&control) } }
            var noise = random.bytes(Int.random(in: 0...200, using: &random))
            #expect(throws: MediaError.self) { try inbound.unprotect(&noise) }
        }
        try inbound.unprotect(&original)
        try inbound.unprotectControl(&report)
    }

    @Test func sourcesAreLimited() throws {
        var random = RandomSource.seeded(3)
        let key = SRTPKey(random: &random)
        let suite = SRTPSuite.aes128CounterSHA1Tag80
        let outbound = try SRTPContext(key: key, suite: suite, direction: .outbound)
        let inbound = try SRTPContext(key: key, suite: suite, direction: .inbound)
        for source in 0...UInt32(SRTPContext.sourceLimit) {
            let header = RTPHeader(payloadType: 1, sequence: SequenceNumber(rawValue: 1), timestamp: 1, source: source)
            var packet = RTPPacket(header: header, payload: [1]).bytes
            try outbound.protect(&packet)
            if source < SRTPContext.sourceLimit {
                try inbound.unprotect(&packet)
            } else {
                #expect(throws: MediaError.tooManySources) { try inbound.unprotect(&packet) }
            }
        }
    }

    @Test func keysHideAndCheckThemselves() throws {
        var random = RandomSource.seeded(1)
        let key = SRTPKey(random: &random)
        #expect(key.base64.count == 40)
        #expect(try SRTPKey(base64: key.base64) == key)
        #expect("\(key)" == "SRTPKey(30 bytes)")
        #expect(throws: MediaError.keyLength(expected: 30, actual: 3)) { try SRTPKey(base64: "AAAA") }
        #expect(throws: MediaError.keyText) { try SRTPKey(base64: "not base64") }
        let long = SRTPKey(random: &random, suite: .aes256GCM)
        #expect(long.base64.hasSuffix("="))
        #expect(try SRTPKey(base64: long.base64.filter { $0 != "=" }, suite: .aes256GCM) == long)
    }
}
