import MediaRTP
import SansIO
import Testing

/// Sessions that move to new keys while they run, at different moments.
@Suite struct RekeyTests {
    private let keys: [SRTPKey]
    private let alice: AudioSession
    private let bob: AudioSession
    private let block = [Int16](repeating: 500, count: AudioSession.blockLength)

    init() throws {
        var random = RandomSource.seeded(7)
        keys = (0..<6).map { _ in SRTPKey(random: &random) }
        alice = try AudioSession(
            configuration: .init(localKey: keys[0], remoteKey: keys[1], controlMode: .protected),
            random: random.split(), at: .zero)
        bob = try AudioSession(
            configuration: .init(localKey: keys[1], remoteKey: keys[0], controlMode: .protected),
            random: random.split(), at: .zero)
    }

    private func send(_ count: Int = 1) throws -> [[UInt8]] {
        try (0..<count).map { _ in try alice.packet(for: block, at: .zero) }
    }

    private func receive(_ packet: [UInt8]) -> AudioSession.Receipt {
        var packet = packet
        return bob.receiveRTP(&packet, at: .zero)
    }

    @Test func packetsOfEitherKeyAreTakenAroundTheMove() throws {
        let underWay = try send(3)
        #expect(receive(underWay[0]) == .accepted)
        try bob.expect(keys[2])
        try alice.move(toLocal: keys[2], remote: keys[3])
        let early = try send(3)
        #expect(receive(early[0]) == .accepted, "the peer moved first")
        #expect(receive(underWay[1]) == .accepted)
        try bob.move(toLocal: keys[3], remote: keys[2])
        #expect(receive(early[1]) == .accepted)
        #expect(receive(underWay[2]) == .accepted, "and the old path was slower")
        #expect(bob.statistics.refused == 0 && bob.statistics.received == 5)
        #expect(receive(early[0]) == .refused(.replayed), "the context that expected is the one in use")
    }

    @Test func aKeyThatWasNeverToldIsRefused() throws {
        try alice.move(toLocal: keys[2], remote: keys[3])
        #expect(receive(try send()[0]) == .refused(.authentication))
        try bob.expect(keys[4])
        #expect(receive(try send()[0]) == .refused(.authentication))
    }

    @Test func aKeyTwoMovesAgoIsRefused() throws {
        let old = try send(2)
        #expect(receive(old[0]) == .accepted)
        for key in [keys[2], keys[4]] {
            try alice.move(toLocal: key, remote: keys[3])
            try bob.move(toLocal: keys[3], remote: key)
            #expect(receive(try send()[0]) == .accepted)
        }
        #expect(receive(old[1]) == .refused(.authentication))
    }

    @Test func sourceAndNumbersGoOn() throws {
        let before = try RTPHeader(reading: try send()[0])
        try alice.move(toLocal: keys[2], remote: keys[3])
        let after = try RTPHeader(reading: try send()[0])
        #expect(after.source == before.source)
        #expect(after.sequence == before.sequence.next)
        #expect(after.timestamp == before.timestamp &+ 960)
    }

    @Test func closeToTheRolloverTheNumbersBeginAnew() throws {
        var last = try RTPHeader(reading: try send()[0]).sequence.rawValue
        while last < 65_400 { last = try RTPHeader(reading: try send()[0]).sequence.rawValue }
        try alice.move(toLocal: keys[2], remote: keys[3])
        try bob.move(toLocal: keys[3], remote: keys[2])
        // Even if all packets before the rollover are lost.
        let packets = try send(300)
        #expect(try RTPHeader(reading: packets[0]).sequence.rawValue == 0)
        #expect(receive(packets[299]) == .accepted)
    }

    @Test func aPauseMovesTheTimestamps() throws {
        let before = try RTPHeader(reading: try send()[0])
        for _ in 0..<50 { alice.skip() }
        let after = try RTPHeader(reading: try send()[0])
        #expect(after.timestamp == before.timestamp &+ 51 * 960)
        #expect(after.sequence == before.sequence.next)
    }

    @Test func reportsMoveAsWell() throws {
        _ = try send()
        try bob.expect(keys[2])
        try alice.move(toLocal: keys[2], remote: keys[3])
        let later = Instant.zero.advanced(by: .seconds(2))
        let reports = alice.dueReports(at: later)
        #expect(!reports.isEmpty && reports.allSatisfy(isRTCP))
        for report in reports { #expect(bob.receiveRTCP(report, at: later) == .accepted) }
        #expect(!isRTCP(try send()[0]), "a packet of sound is none")
    }

    private func isRTCP(_ datagram: [UInt8]) -> Bool { RTCPDatagram.isRTCP(datagram.span) }
}

extension RTPHeader {
    /// The header of a packet, protected or not.
    init(reading packet: [UInt8]) throws { self = try RTPPacket(packet.span).header }
}
