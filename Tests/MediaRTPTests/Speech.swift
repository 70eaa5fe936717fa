import Foundation
import SansIO

/// Sound for tests: 48 kHz, mono.
enum Speech {
    /// Something like speech, made from a seed: voiced and unvoiced syllables with pauses, pitch and vowels wandering.
    static func synthetic(seconds: Double, seed: UInt64) -> [Int16] {
        var random = RandomSource.seeded(seed)
        var samples: [Int16] = []
        let count = Int(seconds * 48_000)
        while samples.count < count {
            let length = Int.random(in: 5_000...14_000, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: samples += [Int16](repeating: 0, count: length / 2)
            case 1: samples += syllable(length / 2, isVoiced: false, &random)
            default: samples += syllable(length, isVoiced: true, &random)
            }
        }
        return Array(samples.prefix(count))
    }

    /// White noise.
    static func noise(seconds: Double, seed: UInt64) -> [Int16] {
        var random = RandomSource.seeded(seed)
        return (0..<Int(seconds * 48_000)).map { _ in Int16.random(in: -6_000...6_000, using: &random) }
    }

    /// A recording that Debian's package alsa-utils installs, such as `Front_Center`.
    static func recorded(_ name: String) throws -> [Int16] {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: "/usr/share/sounds/alsa/\(name).wav")))
        return stride(from: 44, to: bytes.count - 1, by: 2).map {
            Int16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8)
        }
    }

    /// An excitation through two resonators under an envelope.
    private static func syllable(_ length: Int, isVoiced: Bool, _ random: inout RandomSource) -> [Int16] {
        var filters = [
            Resonator(frequency: .random(in: 300...900, using: &random), width: 90),
            Resonator(frequency: .random(in: 1_000...2_800, using: &random), width: 140),
        ]
        var pitch = Double.random(in: 95...210, using: &random)
        var phase = 0.0
        var raw: [Double] = []
        for index in 0..<length {
            pitch *= 1 + Double.random(in: -0.0001...0.0001, using: &random)
            phase += pitch / 48_000
            var value = isVoiced ? 0 : Double.random(in: -0.2...0.2, using: &random)
            if isVoiced, phase >= 1 { (phase, value) = (phase - 1, 1) }
            let position = Double(index) / Double(length)
            let envelope = min(position * 8, 1, (1 - position) * 8)
            let sum = filters.indices.reduce(0.0) { $0 + filters[$1].filter(value) }
            raw.append(sum * envelope)
        }
        let peak = raw.reduce(1e-9) { max($0, abs($1)) }
        let level = Double.random(in: 3_000...12_000, using: &random)
        return raw.map { Int16($0 / peak * level) }
    }
}

private struct Resonator {
    private let first: Double
    private let second: Double
    private var memory = (0.0, 0.0)

    init(frequency: Double, width: Double) {
        let radius = exp(-Double.pi * width / 48_000)
        first = 2 * radius * cos(2 * .pi * frequency / 48_000)
        second = -radius * radius
    }

    mutating func filter(_ input: Double) -> Double {
        let output = input + first * memory.0 + second * memory.1
        memory = (output, memory.0)
        return output
    }
}
