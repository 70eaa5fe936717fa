import SansIO
import Testing

@testable import MediaRTP

/// Plays packets through a jitter buffer in virtual time; packet n is sent at n times 20 ms.
private struct Playback {
    struct Arrival {
        var number: Int
        /// In milliseconds.
        var time: Double
    }

    private(set) var buffer = JitterBuffer()
    private(set) var decoded: [Int] = []
    private(set) var concealed: [Double] = []
    private(set) var recovered: [Int] = []
    /// When packets were played compared with when they were sent, in milliseconds.
    private(set) var delays: [(time: Double, delay: Double, target: Double)] = []
    private(set) var lateTimes: [Double] = []

    /// Ticks every `tick` milliseconds from `phase` on, on a clock that is `drift` times faster than the sender's.
    init(_ arrivals: [Arrival], until end: Double, tick: Double = 20, phase: Double = 3, drift: Double = 1) {
        var waiting = arrivals.sorted { $0.time < $1.time }[...]
        var samples = 0
        var now = phase
        while now < end {
            while let next = waiting.first, next.time <= now {
                insert(next)
                waiting = waiting.dropFirst()
            }
            let block = Int(tick * 48)
            while samples < block { samples += play(at: now, decoded: samples) }
            samples -= block
            now += tick / drift
        }
    }

    private mutating func insert(_ arrival: Arrival) {
        let number = arrival.number
        let result = buffer.insert(
            Array("\(number)".utf8) + [0, 0],
            sequence: SequenceNumber(rawValue: UInt16(truncatingIfNeeded: 65_500 + number)),
            timestamp: UInt32(truncatingIfNeeded: 4_294_000_000 + number * 960), source: 1, sampleCount: 960,
            at: instant(arrival.time))
        if result == .late { lateTimes.append(arrival.time) }
    }

    private mutating func play(at now: Double, decoded waiting: Int) -> Int {
        switch buffer.next(at: instant(now), decoded: waiting) {
        case .decode(let packet, let pace):
            let number = Int(packet.sequence) - 65_536 - 65_500
            decoded.append(number)
            delays.append((now, now + Double(waiting) / 48 - Double(number) * 20, buffer.targetDelay.milliseconds))
            return pace == .steady ? 960 : pace == .faster ? 480 : 1_440
        case .recover(_, let sampleCount):
            recovered.append(Int(buffer.count))
            return sampleCount
        case .conceal(let sampleCount):
            concealed.append(now)
            return sampleCount
        case .comfort(let sampleCount), .silence(let sampleCount):
            return sampleCount
        }
    }

    private func instant(_ milliseconds: Double) -> Instant { Instant(nanoseconds: Int64(milliseconds * 1e6)) }
}

@Suite struct JitterBufferTests {
    private func steady(_ count: Int) -> [Playback.Arrival] {
        (0..<count).map { .init(number: $0, time: Double($0) * 20) }
    }

    @Test(arguments: [0.0, 3, 10, 19.9], [10.0, 20])
    func withoutJitterTheDelayIsShort(phase: Double, tick: Double) {
        let playback = Playback(steady(500), until: 10_000, tick: tick, phase: phase)
        #expect(playback.delays.allSatisfy { $0.delay <= 40 })
        #expect(playback.concealed.isEmpty)
        #expect(playback.decoded == Array(0..<playback.decoded.count))
        #expect(playback.decoded.count > 490)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func evenJitterOf60MillisecondsIsCovered(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let arrivals = (0..<1_500).map {
            Playback.Arrival(number: $0, time: Double($0) * 20 + .random(in: 0...60, using: &random))
        }
        let playback = Playback(arrivals, until: 29_900)
        #expect(!playback.lateTimes.contains { $0 > 2_000 })
        #expect(!playback.concealed.contains { $0 > 2_000 })
        #expect(playback.delays.filter { $0.time > 2_000 }.allSatisfy { $0.delay <= 100 })
    }

    @Test func aStallIsRecoveredFromWithin10Seconds() {
        var arrivals = steady(1_500)
        for index in arrivals.indices where (10_000..<10_200).contains(arrivals[index].time) {
            arrivals[index].time = 10_200
        }
        let playback = Playback(arrivals, until: 29_000)
        let before = playback.delays.last { $0.time < 10_000 }?.target ?? 0
        #expect(before == 40)
        let after = playback.delays.filter { $0.time > 20_200 }
        #expect(after.allSatisfy { $0.delay <= 1.3 * before && $0.target <= 1.3 * before })
        #expect(playback.lateTimes.isEmpty)
        #expect((1...12).contains(playback.concealed.count))
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func tenPercentLossIsMostlyRecovered(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let arrivals = steady(3_000).filter { _ in Double.random(in: 0..<1, using: &random) >= 0.1 }
        let playback = Playback(arrivals, until: 60_000)
        #expect(Double(playback.concealed.count) <= 0.03 * 3_000)
        #expect(playback.recovered.count > 200)
        #expect(playback.buffer.lost >= 3_000 - arrivals.count - 2)
        #expect(playback.buffer.late == 0)
    }

    @Test(arguments: [0.999_9, 1.000_1])
    func driftIsFollowedForHalfAnHour(drift: Double) {
        let playback = Playback(steady(90_000), until: 1_799_000, drift: drift)
        #expect(playback.concealed.isEmpty)
        #expect(playback.buffer.late == 0)
        #expect(playback.buffer.discarded == 0)
        #expect(playback.delays.allSatisfy { (0...61).contains($0.delay) })
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func duplicatesAndReorderingChangeNothing(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var arrivals: [Playback.Arrival] = []
        for number in 0..<1_500 {
            let time = Double(number + Int.random(in: 0...5, using: &random)) * 20
            arrivals.append(.init(number: number, time: time))
            arrivals.append(.init(number: number, time: time + Double.random(in: 0...30, using: &random)))
        }
        let playback = Playback(arrivals, until: 29_900)
        let settled = playback.decoded.drop { $0 < 100 }
        #expect(Array(settled) == Array(100...(playback.decoded.last ?? 0)))
        #expect(playback.buffer.duplicates >= 1_380)
        #expect(!playback.concealed.contains { $0 > 2_200 })
    }

    @Test(arguments: [10, 50, 100, 200])
    func aPauseOfTheSenderIsNotConcealedForever(length: Int) {
        let arrivals = steady(100) + (100..<400).map { .init(number: $0, time: Double($0 + length) * 20) }
        let playback = Playback(arrivals, until: 7_900 + Double(length) * 20)
        // The timestamps stand still while the sender pauses: nothing is lost, and the delay adapts again.
        #expect(playback.decoded == Array(0..<playback.decoded.count))
        #expect(playback.concealed.count <= 10)
        #expect(playback.delays.last.map { $0.delay - Double(length) * 20 <= 60 } == true)
    }

    @Test func aPauseInDiscontinuousTransmissionIsNoLoss() {
        var buffer = JitterBuffer()
        var now = Instant.zero
        func insert(_ number: UInt16, _ timestamp: UInt32, _ payload: [UInt8]) {
            let result = buffer.insert(
                payload, sequence: SequenceNumber(rawValue: number), timestamp: timestamp, source: 1, sampleCount: 960,
                at: now)
            #expect(result == .queued)
        }
        insert(1, 0, [1, 2, 3])
        insert(2, 960, [0xF8])
        now = now.advanced(by: .milliseconds(40))
        for _ in 0..<2 {
            guard case .decode = buffer.next(at: now, decoded: 0) else {
                Issue.record("not decoded")
                return
            }
        }
        for _ in 0..<19 { #expect(buffer.next(at: now, decoded: 0) == .comfort(sampleCount: 960)) }
        now = now.advanced(by: .milliseconds(400))
        insert(3, 960 * 21, [1, 2, 3])
        guard case .decode(let packet, _) = buffer.next(at: now, decoded: 0) else {
            Issue.record("not decoded")
            return
        }
        #expect(packet.sequence == 65_539)
        #expect(buffer.lost == 0)
    }

    @Test func anotherSourceBeginsAnew() {
        var buffer = JitterBuffer()
        let now = Instant.zero
        for (number, source) in [(5, 1), (6, 1), (9, 2)] {
            let result = buffer.insert(
                [1, 2, 3], sequence: SequenceNumber(rawValue: UInt16(number)), timestamp: UInt32(number * 960),
                source: UInt32(source), sampleCount: 960, at: now)
            #expect(result == (number == 9 ? .restarted : .queued))
        }
        #expect(buffer.count == 1)
    }

    @Test func randomOperationsStayWithinTheLimits() {
        for seed in 0..<20 {
            var random = RandomSource.seeded(UInt64(seed))
            var buffer = JitterBuffer()
            var handedOut: Set<[UInt8]> = []
            var (now, source, sequence) = (Instant.zero, UInt32(1), UInt16(0))
            for _ in 0..<2_000 {
                now = now.advanced(by: .microseconds(Int.random(in: -1_000...40_000, using: &random)))
                switch Int.random(in: 0..<100, using: &random) {
                case 0:
                    source &+= 1
                case 1:
                    sequence &+= UInt16.random(in: 0...2_000, using: &random)
                case 2..<55:
                    sequence &+= UInt16(truncatingIfNeeded: Int.random(in: -6...8, using: &random))
                    let wild = Int.random(in: 0..<50, using: &random) == 0
                    let timestamp = wild ? UInt32.random(in: 0...(.max), using: &random) : UInt32(sequence) &* 960
                    let name = Array("\(source) \(sequence) \(sequence)".utf8)
                    _ = buffer.insert(
                        name, sequence: SequenceNumber(rawValue: sequence), timestamp: timestamp, source: source,
                        sampleCount: Int.random(in: -5...6_000, using: &random), at: now)
                default:
                    switch buffer.next(at: now, decoded: Int.random(in: 0...2_000, using: &random)) {
                    case .decode(let packet, _):
                        #expect(
                            handedOut.insert(packet.payload + [UInt8(truncatingIfNeeded: packet.sequence >> 16)])
                                .inserted)
                        #expect((1...48_000).contains(packet.sampleCount))
                    case .recover(_, let count), .conceal(let count), .comfort(let count), .silence(let count):
                        #expect((1...48_000).contains(count))
                    }
                }
                #expect(buffer.count <= 200)
                #expect((Duration.milliseconds(20)...(.milliseconds(500))).contains(buffer.targetDelay))
            }
        }
    }
}

@Suite struct AudioPlayerTests {
    @Test func everyPullIsExactlyAsLongAsAsked() throws {
        var random = RandomSource.seeded(1)
        let player = try AudioPlayer(JitterBuffer.Configuration())
        let encoder = try OpusEncoder()
        let speech = Speech.synthetic(seconds: 4, seed: 1)
        var now = Instant.zero
        for number in 0..<400 {
            now = now.advanced(by: .milliseconds(10))
            let start = number / 2 * 960
            if number.isMultiple(of: 2), Int.random(in: 0..<10, using: &random) > 0, start + 960 <= speech.count {
                var payload = try encoder.encode(Array(speech[start..<start + 960]))
                if Int.random(in: 0..<10, using: &random) == 0 { payload = mutated(payload, &random) }
                let header = RTPHeader(
                    payloadType: 104, sequence: SequenceNumber(rawValue: UInt16(number / 2)),
                    timestamp: UInt32(start), source: 1)
                _ = player.receive(RTPPacket(header: header, payload: payload), at: now)
            }
            let count = Bool.random(using: &random) ? 480 : 960
            #expect(player.pull(count, at: now).count == count)
        }
        #expect(player.playedSamples > 0)
    }

    @Test func stretchingKeepsATone() {
        let tone: [Int16] = (0..<960).map { index in
            let position = index % 240
            return Int16((position < 120 ? position : 240 - position) * 66 - 4_000)
        }
        for (pace, sign) in [(JitterBuffer.Pace.faster, -1), (.slower, 1)] {
            let changed = TimeScale.adapt(tone, pace)
            let difference = (changed.count - tone.count) * sign
            #expect((120...480).contains(difference))
            let steps = zip(changed, changed.dropFirst()).map { abs(Int($0) - Int($1)) }
            #expect((steps.max() ?? 0) <= 300)
        }
        #expect(TimeScale.adapt(tone, .steady) == tone)
        #expect(TimeScale.adapt(Speech.noise(seconds: 0.02, seed: 1), .faster).count == 960)
        #expect(TimeScale.adapt([], .faster).isEmpty)
    }
}
