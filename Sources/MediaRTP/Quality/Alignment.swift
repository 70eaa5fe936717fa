/// Where the segments of a sent signal lie in a recording; both at 4 kHz.
struct Alignment {
    /// Where one segment was found.
    struct Match: Hashable {
        var segment: SpeechSegment
        /// How much later it lies in the recording than in the sent signal, in samples at 4 kHz.
        var delay: Int
        /// The normalized correlation, at most 1.
        var likeness: Double
        /// The amplitude in the recording relative to the sent one.
        var gain: Double
    }

    /// What was found of all segments.
    struct Matches {
        /// The found segments in order, each once.
        var found: [Match]
    }

    /// How many delays of the whole are followed: repetitions of what was sent.
    private static let candidateLimit = 4
    /// Delays closer than this are one: 250 ms.
    private static let separation = 1_000
    /// How far around a delay segments are searched: 120 ms.
    private static let searchRange = 480
    /// How many hops away a segment is near without overlapping.
    private static let neighbours = 2...4
    /// How far the delays of neighbouring segments may lie apart: 20 ms.
    private static let continuity = 80

    private let sent: [Double]
    private let received: [Double]
    /// The sum of the squares of all samples of the recording before each.
    private let energyBefore: [Double]

    init(sent: [Double], received: [Double]) {
        self.sent = sent
        self.received = received
        energyBefore = received.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1 * $1) }
    }

    /// Finds each segment at the first of the candidate delays where it is confirmed.
    func matches(for segments: [SpeechSegment]) -> Matches {
        guard !segments.isEmpty, received.count >= SpeechSegment.length else { return Matches(found: []) }
        var best: [Int: Match] = [:]
        for delay in candidates() {
            let matches = segments.filter { best[$0.index] == nil }.compactMap { search($0, around: delay) }
            for match in matches where isConfirmed(match, by: matches, of: segments) {
                best[match.segment.index] = match
            }
        }
        return Matches(found: segments.compactMap { best[$0.index] })
    }

    /// The delays at which the whole correlates best, best first.
    private func candidates() -> [Int] {
        let transform = FourierTransform(minimum: sent.count + received.count)
        let correlation = correlate(transform)
        // Delays from -sent.count to received.count, negative ones being at the end of the cyclic result.
        var scores = (-sent.count + SpeechSegment.length..<received.count - SpeechSegment.length + 1).map { delay in
            let value = correlation[delay >= 0 ? delay : delay + transform.count]
            let energy = energy(from: delay, count: sent.count)
            return (delay: delay, score: energy > 0 ? value / energy.squareRoot() : 0)
        }
        scores.sort { ($0.score, -$0.delay) > ($1.score, -$1.delay) }
        var chosen: [Int] = []
        for (delay, score) in scores where score > 0 {
            guard chosen.allSatisfy({ abs($0 - delay) >= Self.separation }) else { continue }
            chosen.append(delay)
            if chosen.count == Self.candidateLimit { break }
        }
        return chosen
    }

    /// The cyclic cross-correlation; both real signals share one forward transform.
    private func correlate(_ transform: FourierTransform) -> [Double] {
        let count = transform.count
        var real = received + [Double](repeating: 0, count: count - received.count)
        var imaginary = sent + [Double](repeating: 0, count: count - sent.count)
        transform.forward(&real, &imaginary)
        var productReal = [Double](repeating: 0, count: count)
        var productImaginary = productReal
        for index in 0..<count {
            let mirror = (count - index) % count
            let recording = (real[index] + real[mirror], imaginary[index] - imaginary[mirror])
            let original = (imaginary[index] + imaginary[mirror], real[mirror] - real[index])
            productReal[index] = (recording.0 * original.0 + recording.1 * original.1) / 4
            productImaginary[index] = (recording.1 * original.0 - recording.0 * original.1) / 4
        }
        transform.inverse(&productReal, &productImaginary)
        return productReal
    }

    /// The energy of the recording in `count` samples from `start`, what lies outside being silent.
    private func energy(from start: Int, count: Int) -> Double {
        let end = min(max(start + count, 0), received.count)
        return energyBefore[end] - energyBefore[min(max(start, 0), end)]
    }

    private func search(_ segment: SpeechSegment, around delay: Int) -> Match? {
        let reference = Array(sent[segment.start..<segment.start + SpeechSegment.length])
        let energy = reference.reduce(0) { $0 + $1 * $1 }
        var best: Match?
        for shift in (delay - Self.searchRange)...(delay + Self.searchRange) {
            let start = segment.start + shift
            guard start >= 0, start + SpeechSegment.length <= received.count else { continue }
            let other = self.energy(from: start, count: SpeechSegment.length)
            guard other > 0 else { continue }
            var product = 0.0
            for index in 0..<SpeechSegment.length { product += reference[index] * received[start + index] }
            let likeness = product / (energy * other).squareRoot()
            if likeness > best?.likeness ?? 0 {
                best = Match(
                    segment: segment, delay: shift, likeness: likeness, gain: (other / energy).squareRoot())
            }
        }
        return best
    }

    private func isConfirmed(_ match: Match, by others: [Match], of segments: [SpeechSegment]) -> Bool {
        guard match.likeness >= AudioComparison.likenessThreshold else { return false }
        let hasNeighbour = segments.contains { Self.neighbours.contains(abs($0.index - match.segment.index)) }
        guard hasNeighbour else { return match.likeness >= AudioComparison.isolatedLikenessThreshold }
        return others.contains { other in
            Self.neighbours.contains(abs(other.segment.index - match.segment.index))
                && other.likeness >= AudioComparison.likenessThreshold
                && abs(other.delay - match.delay) <= Self.continuity
        }
    }
}
