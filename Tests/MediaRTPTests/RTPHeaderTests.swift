import MediaRTP
import SansIO
import TestVectors
import Testing

@Suite struct RTPHeaderTests {
    @Test func roundTripsWithContributorsExtensionAndPadding() throws {
        let header = RTPHeader(
            marker: true, payloadType: 104, sequence: SequenceNumber(rawValue: 65535), timestamp: 0xFFFF_FFFF,
            source: 7,
            contributors: [1, 2, 3], extension: .init(profile: 0xBEDE, data: [0x32, 1, 2, 3, 0]))
        let packet = RTPPacket(header: header, payload: [9, 8, 7], paddingCount: 5)
        #expect(try RTPPacket(decoding: packet.bytes) == packet)
        #expect(packet.header.extension?.data.count == 8)
    }

    @Test(arguments: [
        "", "80", "40e80cdeb27f84605d307271", "81e80cdeb27f84605d307271", "90e80cdeb27f84605d307271bede0001",
        "a0e80cdeb27f84605d307271", "a0e80cdeb27f8460 5d307271 00", "a0e80cdeb27f84605d307271 0103",
    ])
    func refusesBrokenHeaders(_ text: String) {
        #expect(throws: WireError.self) { try RTPPacket(decoding: hex(text)) }
    }

    @Test func readsThePacketsOfAStockCall() throws {
        let packet = try RTPPacket(decoding: hex("80e80cdeb27f84605d307271103a7f"))
        #expect(packet.header.marker)
        #expect(packet.header.payloadType == 104)
        #expect(packet.header.sequence.rawValue == 3294)
        #expect(packet.header.timestamp == 2_994_701_408)
        #expect(packet.payload == hex("103a7f"))
    }

    @Test func mutationsNeverTrap() throws {
        var random = RandomSource.seeded(1)
        let header = RTPHeader(
            payloadType: 104, sequence: SequenceNumber(rawValue: 1), timestamp: 2, source: 3, contributors: [4],
            extension: .init(profile: 1, data: [1, 2, 3, 4]))
        let original = RTPPacket(header: header, payload: random.bytes(40), paddingCount: 4).bytes
        for _ in 0..<5_000 {
            let bytes = mutated(original, &random)
            guard let packet = try? RTPPacket(decoding: bytes) else { continue }
            #expect(try RTPPacket(decoding: packet.bytes) == packet)
        }
    }
}

@Suite struct SequenceNumberTests {
    @Test func comparesAroundTheWrap() {
        #expect(SequenceNumber(rawValue: 2).isNewer(than: SequenceNumber(rawValue: 65534)))
        #expect(!SequenceNumber(rawValue: 65534).isNewer(than: SequenceNumber(rawValue: 2)))
        #expect(SequenceNumber(rawValue: 65534).distance(to: SequenceNumber(rawValue: 2)) == 4)
        #expect(SequenceNumber(rawValue: 65535).next.rawValue == 0)
    }

    @Test func extendsOverWrapsAndBackwards() {
        var extender = SequenceExtender()
        let first = extender.extend(SequenceNumber(rawValue: 65534))
        #expect(extender.extend(SequenceNumber(rawValue: 1)) == first + 3)
        #expect(extender.extend(SequenceNumber(rawValue: 65535)) == first + 1)
        #expect(extender.highest == first + 3)
        for step in 1...70_000 {
            let number = SequenceNumber(rawValue: UInt16(truncatingIfNeeded: first + 3 + Int64(step)))
            #expect(extender.extend(number) == first + 3 + Int64(step))
        }
    }
}

/// Changes, drops or adds a few bytes.
func mutated(_ bytes: [UInt8], _ random: inout RandomSource) -> [UInt8] {
    var result = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = result.isEmpty ? 0 : Int.random(in: 0..<result.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0 where !result.isEmpty: result.remove(at: place)
        case 1: result.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 2: result.removeLast(min(result.count, Int.random(in: 0...12, using: &random)))
        default: if !result.isEmpty { result[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
        }
    }
    return result
}
