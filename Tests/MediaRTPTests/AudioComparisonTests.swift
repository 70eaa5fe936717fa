import Foundation
import SansIO
import Testing

@testable import MediaRTP

@Suite struct AudioComparisonTests {
    private let silence = [Int16](repeating: 0, count: 30_000)

    /// Sends samples through the codec and nothing else.
    private func coded(_ samples: [Int16], bitRate: Int = 32_000) throws -> [Int16] {
        let (encoder, decoder) = (try OpusEncoder(bitRate: bitRate), try OpusDecoder())
        return try stride(from: 0, to: samples.count - 959, by: 960).flatMap { start in
            try decoder.decode(encoder.encode(Array(samples[start..<start + 960])))
        }
    }

    private func changedSpeed(_ samples: [Int16], by factor: Double) -> [Int16] {
        (0..<Int(Double(samples.count - 2) / factor)).map { index in
            let position = Double(index) * factor
            let (whole, rest) = (Int(position), position - position.rounded(.down))
            return Int16(Double(samples[whole]) * (1 - rest) + Double(samples[whole + 1]) * rest)
        }
    }

    private func twoPhrases() throws -> [Int16] { try Speech.recorded("Front_Center") + Speech.recorded("Rear_Left") }

    @Test func aCopyIsTheSame() throws {
        let result = AudioComparison(sent: try twoPhrases(), received: try twoPhrases())
        #expect(result.isSame)
        #expect(result.foundShare == 1)
        #expect(result.likeness > 0.999)
        #expect(result.spectralDistance < 0.01)
        #expect(result.delay == .zero)
        #expect(abs(result.gainDecibel) < 0.01)
    }

    @Test(arguments: [10_000, 16_000, 32_000])
    func whatTheCodecLeavesIsTheSame(bitRate: Int) throws {
        let speech = try twoPhrases()
        let result = AudioComparison(sent: speech, received: silence + (try coded(speech, bitRate: bitRate)) + silence)
        #expect(result.isSame)
        #expect(result.likeness > 0.85)
        #expect(result.spectralDistance < 4)
        // The codec itself takes 6.5 ms.
        let delay = try #require(result.delay)
        #expect(abs(delay.milliseconds - 631.5) < 5)
    }

    @Test func syntheticSpeechIsTheSameAfterTheCodec() throws {
        let speech = Speech.synthetic(seconds: 3, seed: 3)
        #expect(AudioComparison(sent: speech, received: try coded(speech)).isSame)
        let other = AudioComparison(sent: speech, received: try coded(Speech.synthetic(seconds: 3, seed: 4)))
        #expect(!other.isSame)
    }

    @Test func repetitionsThatBeginInTheMiddleAreFound() throws {
        let speech = try Speech.recorded("Front_Center")
        let received = try coded(speech + speech).dropFirst(speech.count / 2)
        #expect(AudioComparison(sent: speech, received: Array(received)).isSame)
    }

    @Test func quietIsTheSame() throws {
        let speech = try Speech.recorded("Front_Center")
        let result = AudioComparison(sent: speech, received: try coded(speech.map { $0 / 10 }))
        #expect(result.isSame)
        #expect(abs(result.gainDecibel + 20) < 1)
    }

    @Test(arguments: ["Front_Left", "Rear_Center", "Noise"])
    func otherWordsOfTheSameVoiceAreNot(name: String) throws {
        let result = AudioComparison(
            sent: try Speech.recorded("Front_Center"), received: try coded(Speech.recorded(name)))
        #expect(!result.isSame)
        #expect(result.foundShare <= 0.5)
    }

    @Test func noiseAndSilenceAreNot() throws {
        let speech = try Speech.recorded("Front_Center")
        #expect(!AudioComparison(sent: speech, received: Speech.noise(seconds: 2, seed: 1)).isSame)
        #expect(!AudioComparison(sent: speech, received: silence + silence).isSame)
        #expect(!AudioComparison(sent: speech, received: []).isSame)
        #expect(!AudioComparison(sent: silence, received: speech).isSame)
        #expect(!AudioComparison(sent: [], received: []).isSame)
    }

    @Test(arguments: [0.9, 1.1])
    func theWrongSpeedIsNot(factor: Double) throws {
        let speech = try twoPhrases()
        #expect(!AudioComparison(sent: speech, received: changedSpeed(speech, by: factor)).isSame)
    }

    @Test func halfOfItIsNot() throws {
        let speech = try twoPhrases()
        #expect(!AudioComparison(sent: speech, received: Array(speech.prefix(speech.count / 2))).isSame)
    }

    @Test(arguments: [0.0, 0.1])
    func aCallWithLossAndJitterIsTheSame(loss: Double) throws {
        var talk = try Conversation(seed: 9, .init(loss: loss, jitter: .milliseconds(60)))
        let speech = try twoPhrases()
        try talk.run(speech)
        let result = AudioComparison(sent: speech, received: talk.heard)
        #expect(result.isSame)
        #expect(talk.bob.statistics.refused == 0)
    }
}

@Suite struct FourierTransformTests {
    @Test(arguments: [2, 8, 64])
    func agreesWithTheDefinition(count: Int) {
        var random = RandomSource.seeded(1)
        let input = (0..<count).map { _ in
            (Double.random(in: -1...1, using: &random), Double.random(in: -1...1, using: &random))
        }
        var (real, imaginary) = (input.map(\.0), input.map(\.1))
        let transform = FourierTransform(minimum: count)
        transform.forward(&real, &imaginary)
        for bin in 0..<count {
            var sum = (0.0, 0.0)
            for (index, value) in input.enumerated() {
                let angle = -2 * Double.pi * Double(bin * index) / Double(count)
                sum.0 += value.0 * cos(angle) - value.1 * sin(angle)
                sum.1 += value.0 * sin(angle) + value.1 * cos(angle)
            }
            #expect(abs(sum.0 - real[bin]) < 1e-9 && abs(sum.1 - imaginary[bin]) < 1e-9)
        }
        transform.inverse(&real, &imaginary)
        for index in 0..<count {
            #expect(abs(real[index] - input[index].0) < 1e-12 && abs(imaginary[index] - input[index].1) < 1e-12)
        }
    }

    @Test func decibelsAgreeWithTheLogarithm() {
        for ratio in [1e-9, 0.3, 0.999, 1, 1.5, 1.999_99, 2, 1e12] {
            #expect(abs(Decibel.power(ratio) - 10 * log10(ratio)) < 1e-7)
        }
        #expect(Decibel.power(0) == -300)
        #expect(Decibel.power(.nan) == -300)
        #expect(Decibel.power(.infinity) == 300)
    }
}
