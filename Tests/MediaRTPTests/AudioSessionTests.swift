import MediaRTP
import SansIO
import TestVectors
import Testing

/// Two sessions and the network between them, in virtual time.
struct Conversation {
    struct Conditions {
        var loss = 0.0
        var duplication = 0.0
        var delay = Duration.milliseconds(30)
        var jitter = Duration.zero
    }

    private struct Flight {
        var arrival: Instant
        var order: Int
        var bytes: [UInt8]
        var isControl: Bool
    }

    let alice: AudioSession
    let bob: AudioSession
    var conditions: Conditions
    private(set) var now = Instant(nanoseconds: 5_000_000_000)
    private(set) var heard: [Int16] = []
    private var random: RandomSource
    private var toBob: [Flight] = []
    private var toAlice: [Flight] = []
    private var order = 0

    init(
        seed: UInt64 = 1, _ conditions: Conditions = Conditions(), suite: SRTPSuite = .aes128CounterSHA1Tag80,
        mode: AudioSession.ControlMode = .clear
    ) throws {
        random = .seeded(seed)
        self.conditions = conditions
        let (one, two) = (SRTPKey(random: &random, suite: suite), SRTPKey(random: &random, suite: suite))
        let clock = WallClock(epochOffset: 1_700_000_000_000_000_000)
        alice = try AudioSession(
            configuration: .init(localKey: one, remoteKey: two, suite: suite, controlMode: mode, wallClock: clock),
            random: random.split(), at: now)
        bob = try AudioSession(
            configuration: .init(localKey: two, remoteKey: one, suite: suite, controlMode: mode, wallClock: clock),
            random: random.split(), at: now)
    }

    /// Alice says `samples`, Bob is silent; what Bob hears is kept.
    mutating func run(_ samples: [Int16], tail: Int = 25) throws {
        let blocks = samples.count / 960
        for index in 0..<blocks + tail {
            let block =
                index < blocks ? Array(samples[index * 960..<(index + 1) * 960]) : [Int16](repeating: 0, count: 960)
            send(try alice.packet(for: block, at: now), to: \.toBob, isControl: false)
            send(try bob.packet(for: [Int16](repeating: 0, count: 960), at: now), to: \.toAlice, isControl: false)
            for report in alice.dueReports(at: now) { send(report, to: \.toBob, isControl: true) }
            for report in bob.dueReports(at: now) { send(report, to: \.toAlice, isControl: true) }
            // The sound clock of the receiver ticks between the packets.
            now = now.advanced(by: .milliseconds(7))
            deliver()
            heard += bob.playout(at: now)
            _ = alice.playout(at: now)
            now = now.advanced(by: .milliseconds(13))
            deliver()
        }
    }

    private mutating func send(_ bytes: [UInt8], to flights: WritableKeyPath<Conversation, [Flight]>, isControl: Bool) {
        if Double.random(in: 0..<1, using: &random) < conditions.loss { return }
        let copies = Double.random(in: 0..<1, using: &random) < conditions.duplication ? 2 : 1
        for _ in 0..<copies {
            order += 1
            let delay = conditions.delay + random.duration(in: .zero...conditions.jitter)
            self[keyPath: flights].append(
                Flight(arrival: now.advanced(by: delay), order: order, bytes: bytes, isControl: isControl))
        }
    }

    private mutating func deliver() {
        let until = now
        for (flights, session) in [(\Conversation.toBob, bob), (\Conversation.toAlice, alice)] {
            let due = self[keyPath: flights].filter { $0.arrival <= until }
                .sorted { ($0.arrival, $0.order) < ($1.arrival, $1.order) }
            self[keyPath: flights].removeAll { $0.arrival <= until }
            for flight in due {
                var bytes = flight.bytes
                if flight.isControl {
                    #expect(session.receiveRTCP(bytes, at: flight.arrival) == .accepted)
                } else {
                    _ = session.receiveRTP(&bytes, at: flight.arrival)
                }
            }
        }
    }
}

@Suite struct AudioSessionTests {
    @Test(arguments: [AudioSession.ControlMode.clear, .protected])
    func aCleanLineDeliversEverything(mode: AudioSession.ControlMode) throws {
        var talk = try Conversation(mode: mode)
        try talk.run(Speech.synthetic(seconds: 6, seed: 1))
        let statistics = talk.bob.statistics
        #expect(statistics.sent == 325)
        #expect(statistics.received >= 322)
        #expect(statistics.lost == 0)
        #expect(statistics.late == 0)
        #expect(statistics.refused == 0)
        #expect(statistics.concealedBlocks == 0)
        #expect(statistics.playoutDelay <= .milliseconds(40))
        #expect(talk.heard.count == 325 * 960)
        #expect(talk.bob.firstPacketReceived == Instant(nanoseconds: 5_030_000_000))
        #expect(talk.bob.silence(at: talk.now) < .milliseconds(40))
        #expect(talk.bob.silence(at: talk.now.advanced(by: .seconds(5))) >= .seconds(5))
        let roundTrip = try #require(talk.alice.statistics.roundTrip)
        #expect(abs(roundTrip.milliseconds - 60) < 1)
        #expect((4...40).contains(talk.alice.statistics.reportsReceived))
        #expect(talk.alice.statistics.remoteLossPercent == 0)
    }

    @Test(arguments: SRTPSuite.allCases)
    func everySuiteCarriesACall(suite: SRTPSuite) throws {
        var talk = try Conversation(suite: suite, mode: .protected)
        try talk.run(Speech.synthetic(seconds: 2, seed: 1))
        #expect(talk.bob.statistics.received >= 120)
        #expect(talk.bob.statistics.refused == 0)
        #expect(talk.bob.statistics.concealedBlocks == 0)
    }

    @Test func whatAnAuthenticPeerMakesUpIsHarmless() throws {
        var random = RandomSource.seeded(11)
        let (one, two) = (SRTPKey(random: &random), SRTPKey(random: &random))
        let hostile = try SRTPContext(key: two, suite: .aes128CounterSHA1Tag80, direction: .outbound)
        let session = try AudioSession(
            configuration: .init(localKey: one, remoteKey: two), random: random.split(), at: .zero)
        let encoder = try OpusEncoder()
        let audio = try encoder.encode(Array(Speech.synthetic(seconds: 1, seed: 1).prefix(960)))
        var (now, sequence) = (Instant.zero, UInt16(1))
        for _ in 0..<3_000 {
            now = now.advanced(by: .milliseconds(Int.random(in: 0...30, using: &random)))
            sequence &+= UInt16.random(in: 0...3, using: &random)
            if Int.random(in: 0..<200, using: &random) == 0 { sequence &+= 5_000 }
            let header = RTPHeader(
                marker: .random(using: &random), payloadType: Int.random(in: 0..<20, using: &random) == 0 ? 3 : 104,
                sequence: SequenceNumber(rawValue: sequence), timestamp: .random(in: 0...(.max), using: &random),
                source: .random(in: 1...3, using: &random))
            let payload = Bool.random(using: &random) ? mutated(audio, &random) : random.bytes(Int(random.next() % 30))
            var packet = RTPPacket(header: header, payload: payload, paddingCount: UInt8(random.next() % 5)).bytes
            // The library refuses to send a number twice, as a real peer's would.
            if (try? hostile.protect(&packet)) != nil { _ = session.receiveRTP(&packet, at: now) }
            _ = session.receiveRTCP(
                mutated(hex("81c90007000000010000000200000003000000040000000500000006"), &random), at: now)
            #expect(session.playout(at: now).count == 960)
            _ = session.dueReports(at: now)
        }
        #expect(session.statistics.received > 500)
    }

    @Test func theMarkerIsOnTheFirstPacketOnly() throws {
        let talk = try Conversation()
        let silence = [Int16](repeating: 0, count: 960)
        let packets = try (0..<3).map { _ in try RTPPacket(decoding: talk.alice.packet(for: silence, at: .zero)) }
        #expect(packets.map(\.header.marker) == [true, false, false])
        #expect(packets[0].header.sequence.rawValue < 32_768)
        #expect(packets[1].header.timestamp == packets[0].header.timestamp &+ 960)
        #expect(throws: MediaError.blockLength(expected: 960, actual: 3)) {
            try talk.alice.packet(for: [1, 2, 3], at: .zero)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func lossIsRecoveredFromTheFollowingPacket(seed: UInt64) throws {
        var talk = try Conversation(seed: seed, .init(loss: 0.1))
        try talk.run(Speech.synthetic(seconds: 20, seed: seed))
        let statistics = talk.bob.statistics
        #expect(statistics.lost > 60)
        #expect(statistics.recovered > 50)
        #expect(Double(statistics.concealedBlocks) <= 0.03 * 1_000)
        #expect(try #require(talk.alice.statistics.remoteLossPercent) > 0)
    }

    @Test func duplicatesAndReorderingAreNotHeard() throws {
        var talk = try Conversation(seed: 4, .init(duplication: 1, jitter: .milliseconds(60)))
        try talk.run(Speech.synthetic(seconds: 10, seed: 4))
        let statistics = talk.bob.statistics
        #expect(statistics.lost == 0)
        #expect(statistics.refused >= 500)
        #expect(statistics.concealedBlocks <= 10)
    }

    @Test func refusesWhatIsNotThePeers() throws {
        let (talk, other) = (try Conversation(seed: 1), try Conversation(seed: 2))
        let silence = [Int16](repeating: 0, count: 960)
        var foreign = try other.alice.packet(for: silence, at: .zero)
        #expect(talk.bob.receiveRTP(&foreign, at: .zero) == .refused(.authentication))
        var own = try talk.alice.packet(for: silence, at: .zero)
        let copy = own
        #expect(talk.bob.receiveRTP(&own, at: .zero) == .accepted)
        own = copy
        #expect(talk.bob.receiveRTP(&own, at: .zero) == .refused(.replayed))
        var empty: [UInt8] = []
        #expect(talk.bob.receiveRTP(&empty, at: .zero) == .refused(.authentication))
        var long = [UInt8](repeating: 0x80, count: 3_000)
        #expect(talk.bob.receiveRTP(&long, at: .zero) == .refused(.tooLong))
        #expect(talk.bob.statistics.refused == 4)
        #expect(talk.bob.statistics.received == 1)
    }

    @Test func protectedModeRefusesPlainReports() throws {
        let plain = RTCPDatagram([.receiverReport(.init(source: 9))]).bytes
        #expect(try Conversation(mode: .protected).bob.receiveRTCP(plain, at: .zero) == .refused(.authentication))
        #expect(try Conversation(mode: .clear).bob.receiveRTCP(plain, at: .zero) == .accepted)
    }

    @Test func clearModeReadsProtectedReportsToo() throws {
        var random = RandomSource.seeded(1)
        let (one, two) = (SRTPKey(random: &random), SRTPKey(random: &random))
        let alice = try AudioSession(
            configuration: .init(localKey: one, remoteKey: two, controlMode: .protected), random: .seeded(1), at: .zero)
        let bob = try AudioSession(
            configuration: .init(localKey: two, remoteKey: one, controlMode: .clear), random: .seeded(2), at: .zero)
        var packet = try alice.packet(for: [Int16](repeating: 0, count: 960), at: .zero)
        _ = bob.receiveRTP(&packet, at: .zero)
        for goodbye in alice.goodbye(at: .zero) { #expect(bob.receiveRTCP(goodbye, at: .zero) == .accepted) }
        #expect(bob.peerLeft)
    }

    @Test func theGoodbyeEndsTheReports() throws {
        var talk = try Conversation()
        try talk.run(Speech.synthetic(seconds: 1, seed: 1))
        let datagrams = talk.alice.goodbye(at: talk.now)
        #expect(datagrams.count == 2)
        for datagram in datagrams { #expect(talk.bob.receiveRTCP(datagram, at: talk.now) == .accepted) }
        #expect(talk.bob.peerLeft)
        #expect(talk.alice.deadline == nil)
        #expect(talk.alice.goodbye(at: talk.now).isEmpty)
    }

    @Test func towardStockPeersReceptionIsReportedApart() throws {
        var talk = try Conversation()
        try talk.run(Speech.synthetic(seconds: 1, seed: 1))
        let later = talk.now.advanced(by: .seconds(2))
        let reports = try talk.bob.dueReports(at: later).map { try RTCPDatagram(decoding: $0) }
        #expect(reports.count == 2)
        guard case .senderReport(let sender)? = reports.first?.packets.first,
            case .receiverReport(let receiver)? = reports.last?.packets.first
        else {
            Issue.record("wrong order of reports")
            return
        }
        #expect(sender.blocks.isEmpty)
        #expect(receiver.blocks.first?.source == talk.alice.source)
    }

    @Test func aStereoPeerIsHeard() throws {
        let decoder = try OpusDecoder()
        // Table of contents: CELT, 20 ms, stereo, one frame; an all-zero frame is legal.
        let packet: [UInt8] = [0xFC | 0x04, 0, 0, 0, 0, 0, 0, 0]
        #expect(OpusDecoder.sampleCount(in: packet) == 960)
        #expect(try decoder.decode(packet).count == 960)
    }

    @Test func hearsAStockCall() throws {
        struct Call: Decodable {
            struct Packet: Decodable {
                let packet: String
                let t: Double
            }
            let master_key_salt: [String: String]
            let rtp: [String: [Packet]]
            let rtcp: [String: [Packet]]
        }
        let call = try TestVectors.json("jami/srtp-call1.json", as: Call.self)
        let local = try SRTPKey(bytes: hex(call.master_key_salt["bob"]!))
        let remote = try SRTPKey(bytes: hex(call.master_key_salt["alice"]!))
        let bob = try AudioSession(
            configuration: .init(localKey: local, remoteKey: remote), random: .seeded(1), at: .zero)
        #expect(bob.receiveRTCP(hex(call.rtcp["alice"]![0].packet), at: .zero) == .accepted)
        var heard: [Int16] = []
        var packets = call.rtp["alice"]![...]
        for tick in 0..<30 {
            let now = Instant(nanoseconds: Int64(tick) * 20_000_000)
            while let next = packets.first, next.t - 11.0689 <= now.seconds {
                var bytes = hex(next.packet)
                #expect(bob.receiveRTP(&bytes, at: Instant(nanoseconds: Int64((next.t - 11.0689) * 1e9))) == .accepted)
                packets = packets.dropFirst()
            }
            heard += bob.playout(at: now)
        }
        #expect(heard.count == 30 * 960)
        #expect(bob.statistics.received == 25)
        #expect(heard.contains { abs(Int($0)) > 500 })
    }
}

extension Instant {
    fileprivate var seconds: Double { Double(nanoseconds) / 1e9 }
}
