import Foundation
import Testing

@testable import AudioDevices

/// A device and a call whose clocks run side by side, in virtual time.
private struct TwoClocks {
    /// Samples in a block of either side; what is played must not be shorter.
    var write: Int
    var read: Int
    /// How much faster than the reader the writer is, in millionths.
    var drift = 0.0
    /// How much too late a block may be written or read, in seconds.
    var jitter = 0.0
    var configuration = ElasticBuffer.Configuration()

    struct Outcome {
        var buffer: ElasticBuffer
        /// What was read.
        var sound: [Int16] = []
        /// How many samples waited at each read of the last ten seconds, on average.
        var meanLevel = 0.0
        /// The slowest and the fastest the reader was, compared to its nominal speed.
        var steps = 1.0...1.0
    }

    /// Runs for some seconds. The writer plays the sound from its beginning, over and over.
    func run(seconds: Double, _ sound: [Int16]) -> Outcome {
        let sound = sound + sound.prefix(write)
        let period = sound.count - write
        var outcome = Outcome(buffer: ElasticBuffer(configuration))
        var dice: UInt64 = 0x9E37_79B9_7F4A_7C15
        func lateness() -> Double {
            dice = dice &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(dice >> 33) / Double(1 << 31) * jitter
        }
        let writeTime = Double(write) / (48_000 * (1 + drift / 1e6))
        let readTime = Double(read) / 48_000
        var (written, reads) = (0, 0)
        var (nextWrite, nextRead) = (writeTime, 0.003)
        var levels: [Int] = []
        while nextRead < seconds {
            if nextWrite <= nextRead {
                outcome.buffer.write(Array(sound[written % period..<written % period + write]))
                written += write
                nextWrite = max(nextWrite, Double(written / write + 1) * writeTime + lateness())
            } else {
                if nextRead > seconds - 10 { levels.append(outcome.buffer.level) }
                outcome.sound += outcome.buffer.read(read)
                let step = outcome.buffer.step
                outcome.steps = min(outcome.steps.lowerBound, step)...max(outcome.steps.upperBound, step)
                reads += 1
                nextRead = max(nextRead, 0.003 + Double(reads) * readTime + lateness())
            }
        }
        outcome.meanLevel = Double(levels.reduce(0, +)) / Double(max(levels.count, 1))
        return outcome
    }
}

/// A tone of 440 Hz at half of full scale: eleven waves, which last a whole number of samples.
private let tone = (0..<1_200).map { Int16(16_384 * sin(2 * .pi * 440 * Double($0) / 48_000)) }

/// The largest leap between neighbours.
private func largestLeap(_ sound: ArraySlice<Int16>) -> Int {
    zip(sound, sound.dropFirst()).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
}

@Suite("Elastic buffer")
struct ElasticBufferTests {
    /// The largest leap of the tone itself, with a little room for rounding.
    private static let toneLeap = Int(16_384 * 2 * Double.pi * 440 / 48_000) + 8

    @Test("with equal clocks every sample passes unchanged, once")
    func transparent() {
        let outcome = TwoClocks(write: 240, read: 960).run(seconds: 5, Array(1...20_000))
        // After the fade at the beginning.
        let sound = outcome.sound.drop { $0 == 0 }.dropFirst(240)
        #expect(sound.count > 200_000)
        #expect(zip(sound, sound.dropFirst()).allSatisfy { $1 == $0 + 1 || ($0, $1) == (20_000, 1) })
        #expect(outcome.buffer.counts == ElasticBuffer.Counts())
    }

    @Test(
        "clocks that differ, blocks of any size and late threads leave the sound whole and the delay short",
        arguments: [
            (240, 960, -600), (240, 960, 600), (960, 240, -600), (960, 240, 600), (480, 480, -600), (960, 960, -600),
            (441, 960, 0), (441, 960, 600), (960, 1_024, -600), (1_024, 960, 0),
        ])
    func drift(write: Int, read: Int, drift: Double) {
        let clocks = TwoClocks(write: write, read: read, drift: drift, jitter: 0.002)
        let outcome = clocks.run(seconds: 20, tone)
        #expect(outcome.buffer.counts == ElasticBuffer.Counts())
        let sound = outcome.sound.drop { $0 == 0 }
        #expect(largestLeap(sound) <= Self.toneLeap)
        // Both blocks, a margin of 5 ms, lateness on both sides, and what is off so that the drift is corrected.
        let limit = Double(read + write + 240) + 0.004 * 48_000 + abs(drift) / 1e6 * 4 * 48_000
        #expect((240...limit).contains(outcome.meanLevel), "\(outcome.meanLevel) of \(limit)")
    }

    @Test("a drift is corrected by as much, and never by more than half a percent")
    func correction() {
        let steady = TwoClocks(write: 240, read: 960, drift: 1_000).run(seconds: 20, tone)
        #expect(steady.buffer.counts == ElasticBuffer.Counts())
        #expect(abs(steady.buffer.step - 1.001) < 0.000_7)
        #expect((0.999...1.002).contains(steady.steps.lowerBound) && steady.steps.upperBound < 1.003)
        let absurd = TwoClocks(write: 240, read: 960, drift: 20_000).run(seconds: 20, tone)
        #expect(absurd.steps.upperBound == 1.005)
        #expect(absurd.buffer.counts.overruns > 0)
    }

    @Test("when samples are missing sound fades, comes back with a larger margin, and counts once an outage")
    func underrun() {
        var buffer = ElasticBuffer()
        var sound: [Int16] = []
        var place = 0
        func write() {
            buffer.write((place..<place + 960).map { tone[$0 % tone.count] })
            place += 960
        }
        for round in 0..<150 {
            if !(50..<60).contains(round) { write() }
            sound += buffer.read(960)
        }
        #expect(buffer.counts == ElasticBuffer.Counts(underruns: 1))
        #expect(buffer.margin == 480)
        let silent = sound.indices.filter { sound[$0] == 0 && sound[max(0, $0 - 20)] == 0 }
        #expect(silent.count > 8 * 960)
        // Falling from half of full scale to nothing within 2 ms is steeper than the tone, but no click.
        #expect(largestLeap(sound[...]) <= 2 * Self.toneLeap)
        #expect(sound.last != 0 || sound.dropLast().last != 0)
    }

    @Test("of far too many samples some are left out, without a click and without end")
    func overrun() {
        var buffer = ElasticBuffer()
        var sound: [Int16] = []
        var place = 0
        for round in 0..<200 {
            for _ in 0..<(round == 100 ? 12 : 1) {
                buffer.write((place..<place + 960).map { tone[$0 % tone.count] })
                place += 960
            }
            #expect(buffer.level <= 240 + 2 * 960 + 4 + 1_920)
            sound += buffer.read(960)
        }
        #expect(buffer.counts.underruns == 0)
        #expect((1...4).contains(buffer.counts.overruns))
        #expect(buffer.counts.skipped > 8 * 960)
        #expect(largestLeap(sound.drop { $0 == 0 }) <= 4 * Self.toneLeap)
    }

    @Test("a reader that goes away is no fault, and is served again when it is back")
    func pause() {
        var buffer = ElasticBuffer()
        var sound: [Int16] = []
        for round in 0..<150 {
            buffer.write((round * 960..<(round + 1) * 960).map { tone[$0 % tone.count] })
            if round == 50 { buffer.pause() }
            if !(50..<100).contains(round) { sound += buffer.read(960) }
        }
        #expect(buffer.counts == ElasticBuffer.Counts())
        #expect(largestLeap(sound[(50 * 960)...]) <= Self.toneLeap)
        #expect(sound.suffix(960).contains { abs(Int($0)) > 16_000 })
    }

    @Test("filling a device with silence in one large piece does not lengthen the delay")
    func silentFill() {
        var buffer = ElasticBuffer()
        _ = buffer.read(960)
        while !buffer.read(240).contains(where: { $0 != 0 }) { buffer.write([Int16](repeating: 1_000, count: 960)) }
        #expect(buffer.level <= 240 + 960 + 4)
    }

    @Test("a margin grown large shrinks again while nothing is missing")
    func decay() {
        var buffer = ElasticBuffer()
        for round in 0..<12 {
            for _ in 0..<10 { buffer.write([Int16](repeating: 1, count: 960)) }
            for _ in 0..<(round % 2 == 0 ? 3 : 30) { _ = buffer.read(960) }
        }
        let grown = buffer.margin
        #expect(grown > 240)
        for _ in 0..<(50 * 65) {
            buffer.write([Int16](repeating: 1, count: 960))
            _ = buffer.read(960)
        }
        #expect(buffer.margin == grown - 2 * 48)
    }

    @Test("nobody reading, nobody writing, and blocks of absurd sizes are bounded")
    func extremes() {
        var buffer = ElasticBuffer()
        for _ in 0..<1_000 { buffer.write([Int16](repeating: .max, count: 960)) }
        #expect(buffer.level < 5_000)
        #expect(buffer.counts == ElasticBuffer.Counts())
        buffer.write([])
        buffer.write([Int16](repeating: .min, count: 1_000_000))
        #expect(buffer.level < 25_000)
        #expect(buffer.read(-5).isEmpty)
        #expect(buffer.read(0).isEmpty)
        #expect(buffer.read(1_000_000).count == 9_600)
        var dry = ElasticBuffer()
        for count in [1, 960, 0, 7] { #expect(dry.read(count) == [Int16](repeating: 0, count: count)) }
        #expect(dry.counts == ElasticBuffer.Counts())
    }

    @Test("random blocks in random order never trap and never grow without bound")
    func random() {
        var generator = SystemRandomNumberGenerator()
        var buffer = ElasticBuffer()
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...2_000, using: &generator)
            if Bool.random(using: &generator) {
                buffer.write((0..<count).map { _ in Int16.random(in: .min ... .max, using: &generator) })
            } else {
                #expect(buffer.read(count).count == count)
            }
            #expect(buffer.level < 20_000)
        }
    }
}
