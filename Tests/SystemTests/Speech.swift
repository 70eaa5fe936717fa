import AudioFiles
import Foundation
import MediaRTP
import SansIO

/// Sounds built like speech: syllables of a gliding voice, each seed another sentence.
enum Speech {
    /// How long a sentence is.
    static let seconds = 3

    /// Writes a sentence to a WAV file and returns its path and samples.
    static func write(seed: UInt64, to path: String) throws -> [Int16] {
        let samples = sentence(seed: seed)
        let file = try AudioFileWriter(path: path)
        try file.append(samples)
        try file.close()
        return samples
    }

    /// Whether a recording holds a sentence.
    static func compare(_ sent: [Int16], with recording: String) throws -> AudioComparison {
        AudioComparison(sent: sent, received: try AudioFileReader.samples(ofFileAt: recording))
    }

    private static func sentence(seed: UInt64) -> [Int16] {
        var random = RandomSource.seeded(seed)
        var samples: [Int16] = []
        while samples.count < seconds * 48_000 {
            samples += syllable(using: &random)
            samples += repeatElement(0, count: Int.random(in: 1_000...4_000, using: &random))
        }
        return Array(samples.prefix(seconds * 48_000))
    }

    private static func syllable(using random: inout RandomSource) -> [Int16] {
        let count = Int.random(in: 6_000...14_000, using: &random)
        let pitch = Double.random(in: 95...220, using: &random)
        let glide = Double.random(in: -0.35...0.35, using: &random)
        let formants = [Double.random(in: 300...800, using: &random), Double.random(in: 900...2_400, using: &random)]
        var phase = 0.0
        return (0..<count).map { index in
            let progress = Double(index) / Double(count)
            let frequency = pitch * (1 + glide * progress)
            phase += 2 * .pi * frequency / 48_000
            let sum = (1...16).reduce(0.0) { sum, harmonic in
                let closeness = formants.reduce(0.0) { $0 + 1 / (1 + abs(frequency * Double(harmonic) - $1) / 120) }
                return sum + sin(phase * Double(harmonic)) * closeness / Double(harmonic).squareRoot()
            }
            return Int16(max(-1, min(1, sum * sin(.pi * progress) * 0.3)) * 16_000)
        }
    }
}
