import MediaRTP
import SansIO
import TestVectors
import Testing

@Suite struct RTCPTests {
    private let block = RTCPPacket.ReportBlock(
        source: 1, fractionLost: 128, cumulativeLost: -3, highestSequence: 0x1_0002, jitter: 5, lastSenderReport: 6,
        delaySinceLastSenderReport: 7)

    private var everything: RTCPDatagram {
        RTCPDatagram([
            .senderReport(
                .init(
                    source: 9, time: NTPTimestamp(rawValue: 0x0102_0304_0506_0708), timestamp: 10, packetCount: 11,
                    octetCount: 12, blocks: [block, block])),
            .receiverReport(.init(source: 9, blocks: [block], profileExtension: [1, 2, 3, 4])),
            .description([
                .init(source: 9, items: [.init(type: 1, text: Array("name".utf8)), .init(type: 6, text: [])]),
                .init(source: 10, items: []),
            ]),
            .goodbye(.init(sources: [9, 10], reason: Array("bye".utf8))),
            .goodbye(.init(sources: [9])),
            .other(.init(type: 204, format: 3, body: Array("\0\0\0\u{1}name".utf8))),
            .other(.init(type: 205, format: 15, body: [0, 0, 0, 1])),
        ])
    }

    @Test func roundTripsEveryKind() throws {
        let bytes = everything.bytes
        #expect(bytes.count.isMultiple(of: 4))
        let read = try RTCPDatagram(decoding: bytes)
        #expect(read == everything)
        #expect(read.defect == nil)
    }

    @Test func keepsBitRateFeedbackVerbatim() throws {
        let bytes = hex("8fce000512345678000000 0052454d4201 0bd7ea 2345678b")
        let read = try RTCPDatagram(decoding: bytes)
        #expect(read.packets == [.other(.init(type: 206, format: 15, body: Array(bytes.dropFirst(4))))])
        #expect(read.bytes == bytes)
    }

    @Test func keepsWhatPrecedesADefect() throws {
        let good = RTCPDatagram([.receiverReport(.init(source: 1))]).bytes
        let read = try RTCPDatagram(decoding: good + [0x81, 0xC9, 0, 7, 0, 0])
        #expect(read.packets.count == 1)
        #expect(read.defect == .truncated(at: 14))
    }

    @Test func acceptsPaddingInTheLastPacketOnly() throws {
        let padded = hex("a0c90002 00000001 00000004")
        #expect(try RTCPDatagram(decoding: padded).packets == [.receiverReport(.init(source: 1))])
        #expect(throws: WireError.self) { try RTCPDatagram(decoding: padded + padded) }
        for text in [
            "a0c90000", "a0c90002 00000001 00000000", "a0c90002 00000001 00000010", "a0c9000200000001 00000003",
        ] {
            #expect(throws: WireError.self) { try RTCPDatagram(decoding: hex(text)) }
        }
    }

    @Test(arguments: ["", "80", "00c90001 00000001", "81c90001 00000001", "80c80001 00000001", "81ca0001 00000001"])
    func refusesBrokenPackets(_ text: String) {
        #expect(throws: WireError.self) { try RTCPDatagram(decoding: hex(text)) }
    }

    @Test func mutationsNeverTrap() throws {
        var random = RandomSource.seeded(2)
        let original = everything.bytes
        for _ in 0..<5_000 {
            guard let read = try? RTCPDatagram(decoding: mutated(original, &random)) else { continue }
            _ = read.bytes
        }
    }

    @Test func civilTimeIsWrittenFrom1900() {
        let clock = WallClock(epochOffset: 1_500_000_000)
        let time = NTPTimestamp(Instant(nanoseconds: 0), clock: clock)
        #expect(time.rawValue == UInt64(2_208_988_801) << 32 | 0x8000_0000)
        #expect(time.middle == UInt32(truncatingIfNeeded: UInt64(2_208_988_801) << 16 | 0x8000))
        let before = NTPTimestamp(Instant(nanoseconds: -1_750_000_000), clock: clock)
        #expect(before.rawValue == UInt64(2_208_988_799) << 32 | 0xC000_0000)
    }
}

@Suite struct ReceptionStatisticsTests {
    private func feed(_ statistics: inout ReceptionStatistics, _ number: Int, at milliseconds: Double? = nil) {
        statistics.receive(
            SequenceNumber(rawValue: UInt16(truncatingIfNeeded: number)),
            timestamp: UInt32(truncatingIfNeeded: number * 960),
            at: Instant(nanoseconds: Int64((milliseconds ?? Double(number) * 20) * 1e6)))
    }

    @Test func jitterFollowsTheRecurrence() {
        var statistics = ReceptionStatistics(source: 1, clockRate: 48_000)
        var expected = 0
        let offsets = [0.0, 5, 0, 12, 3, 3, 8, 1]
        for (number, offset) in offsets.enumerated() {
            feed(&statistics, number, at: Double(number) * 20 + offset)
            guard number > 0 else { continue }
            expected += Int(abs(offset - offsets[number - 1]) * 48) - ((expected + 8) >> 4)
        }
        #expect(statistics.jitterTicks == UInt32(expected >> 4))
        #expect(statistics.jitter > .zero)
    }

    @Test func countsLossPerIntervalAndInAll() {
        var statistics = ReceptionStatistics(source: 1, clockRate: 48_000)
        for number in 65_530..<65_540 { feed(&statistics, number) }
        var report = statistics.report(lastReport: nil, at: .zero)
        #expect(report.fractionLost == 0)
        #expect(report.cumulativeLost == 0)
        #expect(report.highestSequence == 65_539)
        for number in 65_540..<65_560 where !number.isMultiple(of: 4) { feed(&statistics, number) }
        report = statistics.report(lastReport: nil, at: .zero)
        #expect(report.fractionLost == 64)
        #expect(report.cumulativeLost == 5)
        for number in 65_555..<65_560 { feed(&statistics, number) }
        report = statistics.report(lastReport: nil, at: .zero)
        #expect(report.fractionLost == 0)
        #expect(report.cumulativeLost == 0)
    }

    @Test func quotesTheLastSenderReport() {
        var statistics = ReceptionStatistics(source: 1, clockRate: 48_000)
        feed(&statistics, 1)
        let time = NTPTimestamp(rawValue: 0x1122_3344_5566_7788)
        let report = statistics.report(
            lastReport: (time, Instant.zero), at: Instant(nanoseconds: 500_000_000))
        #expect(report.lastSenderReport == 0x3344_5566)
        #expect(report.delaySinceLastSenderReport == 32_768)
    }

    @Test func aJumpIsBelievedTheSecondTime() {
        var statistics = ReceptionStatistics(source: 1, clockRate: 48_000)
        feed(&statistics, 10)
        feed(&statistics, 20_000)
        #expect(statistics.received == 1)
        feed(&statistics, 11)
        #expect(statistics.received == 2)
        feed(&statistics, 30_000)
        feed(&statistics, 30_001)
        #expect(statistics.received == 1)
        #expect(statistics.lost == 0)
    }
}

@Suite struct RTPSessionTests {
    private func session(apart: Bool = false) -> RTPSession {
        var configuration = RTPSession.Configuration(
            payloadType: 104, clockRate: 48_000, canonicalName: "name", wallClock: WallClock(epochOffset: 0))
        configuration.reportsReceptionApart = apart
        return RTPSession(configuration: configuration, random: .seeded(5))
    }

    private func packets(_ effects: [RTPSession.Effect]) -> [[RTCPPacket]] {
        effects.map { effect in
            switch effect {
            case .report(let datagram): datagram.packets
            }
        }
    }

    @Test func nothingIsDueBeforeTheFirstPacket() {
        var session = session()
        #expect(session.deadline == nil)
        #expect(session.advance(to: Instant(nanoseconds: .max)).isEmpty)
    }

    @Test func reportsComeSoonAndThenAboutEachSecond() throws {
        var session = session()
        _ = session.header(octets: 80, duration: 960, at: .zero)
        #expect(session.deadline == Instant(nanoseconds: 200_000_000))
        var times: [Instant] = []
        while times.count < 20, let next = session.deadline {
            #expect(session.advance(to: next.advanced(by: .nanoseconds(-1))).isEmpty)
            #expect(session.advance(to: next).count == 1)
            times.append(next)
        }
        for (earlier, later) in zip(times, times.dropFirst()) {
            let interval = earlier.duration(to: later)
            #expect(interval >= .milliseconds(500) && interval <= .milliseconds(1_500))
        }
    }

    @Test func whoSentReportsSendingAndWhoDidNotReportsReceiving() throws {
        var session = session()
        let first = session.header(octets: 80, duration: 960, at: .zero)
        let now = Instant(nanoseconds: 200_000_000)
        guard case .senderReport(let report)? = packets(session.advance(to: now)).first?.first else {
            Issue.record("no sender report")
            return
        }
        #expect(report.packetCount == 1)
        #expect(report.octetCount == 80)
        #expect(report.timestamp == first.timestamp &+ 9_600)
        let next = try #require(session.deadline)
        guard case .receiverReport? = packets(session.advance(to: next)).first?.first else {
            Issue.record("no receiver report")
            return
        }
    }

    @Test func theRoundTripLeavesTheWaitingOut() {
        var session = session()
        _ = session.header(octets: 1, duration: 960, at: .zero)
        let sent = Instant(nanoseconds: 1_000_000_000)
        let block = RTCPPacket.ReportBlock(
            source: session.source, fractionLost: 64, cumulativeLost: 0, highestSequence: 0, jitter: 0,
            lastSenderReport: NTPTimestamp(sent, clock: WallClock(epochOffset: 0)).middle,
            delaySinceLastSenderReport: 65_536)
        let report = RTCPDatagram([.receiverReport(.init(source: 2, blocks: [block]))])
        session.receive(report, at: sent.advanced(by: .milliseconds(1_080)))
        #expect(abs((session.roundTrip ?? .zero).milliseconds - 80) < 0.1)
        #expect(session.remoteLossPercent == 25)
        session.receive(report, at: sent.advanced(by: .milliseconds(900)))
        #expect(session.roundTrip == .zero)
    }

    @Test func onlyTheSourceItselfCanLeave() {
        var session = session()
        session.receive(
            RTPHeader(payloadType: 104, sequence: SequenceNumber(rawValue: 1), timestamp: 0, source: 7), at: .zero)
        session.receive(RTCPDatagram([.goodbye(.init(sources: [8]))]), at: .zero)
        #expect(!session.peerLeft)
        session.receive(RTCPDatagram([.goodbye(.init(sources: [7]))]), at: .zero)
        #expect(session.peerLeft)
    }
}
