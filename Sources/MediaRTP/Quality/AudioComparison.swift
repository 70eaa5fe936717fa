/// Whether a recording holds the speech that was sent, and how well it came through a codec and a network.
///
/// Both signals are 48 kHz mono. The recording may begin and end anywhere, repeat the speech, and be stretched in
/// places by a few milliseconds, as jitter buffers do. The measure, in order:
///
/// 1. Both are reduced to 4 kHz. The sent signal is cut into segments of 320 ms, one every 160 ms; those whose power
///    lies within 15 dB of the mean power are *speech*; in quieter ones sounds without voice prevail, whose waveform
///    a codec replaces by noise.
/// 2. Up to four delays are chosen at which the whole of the sent signal correlates best with the recording, the
///    correlation being divided by the root of the recording's energy there.
/// 3. Around each of them, 120 ms to both sides, every speech segment is searched: its *likeness* is the highest
///    normalized correlation, 1 for an exact copy, whatever the volume.
/// 4. A segment is *found* when its likeness is at least ``likenessThreshold``, and that of another one
///    nearby that does not overlap it, at the same delay within 20 ms, as well. Chance likeness is rarely continued.
///    A segment without speech nearby needs a likeness of ``isolatedLikenessThreshold`` instead.
/// 5. Over the found segments, frames of 32 ms every 20 ms at 16 kHz are compared in 18 bands from 125 Hz to 4.6 kHz:
///    ``spectralDistance`` is the root mean square of the bands' differences in decibel after the gain is taken out,
///    averaged over the frames. Levels more than 30 dB below the frame's loudest band count as 30 dB below.
///
/// It passes (``isSame``) when at least ``shareThreshold`` of the speech is found and the spectral distance is at most
/// ``distanceThreshold``.
public struct AudioComparison: Hashable, Sendable {
    /// The least likeness of a segment that counts as found.
    public static let likenessThreshold = 0.6
    /// The least likeness of a segment without others nearby.
    public static let isolatedLikenessThreshold = 0.8
    /// The least share of found segments with which a comparison passes.
    public static let shareThreshold = 0.8
    /// The greatest spectral distance in decibel with which a comparison passes.
    public static let distanceThreshold = 8.0
    /// The longest signals that are looked at, in samples at 48 kHz; what follows is ignored. Two minutes.
    public static let sampleLimit = 5_760_000

    /// The share of the sent speech that was found, 0...1; 0 when nothing was sent but silence.
    public let foundShare: Double
    /// The mean likeness of the found segments, 0...1.
    public let likeness: Double
    /// How different the found segments sound, in decibel; infinite when none was found.
    public let spectralDistance: Double
    /// Where in the recording the sent signal begins; negative when it began before the recording did.
    public let delay: Duration?
    /// How much louder the recording is than what was sent, in decibel.
    public let gainDecibel: Double

    /// Whether the recording holds what was sent.
    public var isSame: Bool { foundShare >= Self.shareThreshold && spectralDistance <= Self.distanceThreshold }

    /// Compares a recording with what was sent.
    public init(sent: [Int16], received: [Int16]) {
        let sent = Decimated(Array(sent.prefix(Self.sampleLimit)))
        let received = Decimated(Array(received.prefix(Self.sampleLimit)))
        let segments = SpeechSegment.find(in: sent.narrow)
        let matches = Alignment(sent: sent.narrow, received: received.narrow).matches(for: segments)
        let found = matches.found
        foundShare = segments.isEmpty ? 0 : Double(found.count) / Double(segments.count)
        likeness = found.isEmpty ? 0 : found.reduce(0) { $0 + $1.likeness } / Double(found.count)
        let middle = found.map(\.delay).sorted()
        delay = found.isEmpty ? nil : .nanoseconds(Int64(middle[middle.count / 2]) * 250_000)
        let gain = found.isEmpty ? 0 : found.reduce(0) { $0 + $1.gain * $1.gain } / Double(found.count)
        gainDecibel = found.isEmpty ? 0 : Decibel.power(gain)
        spectralDistance = SpectralDistance(sent: sent.wide, received: received.wide).mean(over: found)
    }
}

/// A signal at the two rates the comparison works at.
private struct Decimated {
    /// At 16 kHz.
    let wide: [Double]
    /// At 4 kHz.
    let narrow: [Double]

    init(_ samples: [Int16]) {
        wide = Self.decimate(samples.map(Double.init), by: 3)
        narrow = Self.decimate(wide, by: 4)
    }

    /// Smooths twice with a moving mean, which is triangular in all, and keeps every `factor`th sample.
    private static func decimate(_ samples: [Double], by factor: Int) -> [Double] {
        stride(from: 0, to: samples.count, by: factor).map { center in
            var (sum, weights) = (0.0, 0.0)
            for offset in (1 - factor)..<factor where samples.indices.contains(center + offset) {
                let weight = Double(factor - abs(offset))
                sum += weight * samples[center + offset]
                weights += weight
            }
            return sum / weights
        }
    }
}

/// A stretch of the sent signal with speech in it, at 4 kHz.
struct SpeechSegment: Hashable {
    /// 320 ms.
    static let length = 1_280
    /// 160 ms from one segment to the next.
    static let hop = 640
    /// 15 dB as a ratio of powers.
    private static let activity = 0.031_6
    /// A signal whose mean power is below this, in squared units of 16-bit samples, is silence throughout.
    private static let silence = 25.0

    /// Its number among all segments, silent ones included.
    let index: Int
    /// Its first sample.
    var start: Int { index * Self.hop }

    /// The segments with speech; none when the whole is silent.
    static func find(in signal: [Double]) -> [SpeechSegment] {
        let powers = stride(from: 0, through: signal.count - length, by: hop).map { start in
            signal[start..<start + length].reduce(0) { $0 + $1 * $1 } / Double(length)
        }
        let mean = powers.reduce(0, +) / Double(max(powers.count, 1))
        guard mean > silence else { return [] }
        return powers.indices.filter { powers[$0] > mean * activity }.map(SpeechSegment.init)
    }
}
