internal import Glibc

/// How loud sound is, as its power over a stretch of time.
struct Loudness: Hashable, Sendable {
    /// What silence measures; nothing is lower.
    static let floor = -100.0

    private var energy = 0.0
    private var count = 0

    /// Adds samples.
    mutating func add(_ samples: [Int16]) {
        energy += samples.reduce(0.0) { $0 + Double($1) * Double($1) }
        count += samples.count
    }

    /// The level in dBFS, where a sine of full scale has 0 (AES17); `nil` without samples.
    var decibel: Double? {
        guard count > 0 else { return nil }
        let fullScale = 32_768.0 * 32_768.0 / 2
        return max(Self.floor, 10 * log10(energy / Double(count) / fullScale))
    }
}
