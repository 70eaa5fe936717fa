/// How different the spectra of matching frames are; both signals at 16 kHz.
struct SpectralDistance {
    /// 32 ms.
    private static let frameLength = 512
    /// 20 ms.
    private static let hop = 320
    /// The edges of the bands, in bins of 31.25 Hz: a quarter octave and more each, from 125 Hz to 4.6 kHz.
    private static let edges = [4, 6, 8, 10, 12, 15, 18, 22, 26, 31, 37, 44, 53, 63, 75, 89, 105, 125, 148]
    /// Bands further below the loudest one are not heard.
    private static let range = 30.0

    private let sent: [Double]
    private let received: [Double]
    private let transform = FourierTransform(minimum: frameLength)
    private let window: [Double]

    init(sent: [Double], received: [Double]) {
        self.sent = sent
        self.received = received
        // A parabola falls to zero at both ends like other windows, and needs no cosine.
        window = (0..<Self.frameLength).map { index in
            let position = (Double(index) + 0.5) * 2 / Double(Self.frameLength) - 1
            return 1 - position * position
        }
    }

    /// The mean distance over the frames of the matches in decibel; infinite without any.
    func mean(over matches: [Alignment.Match]) -> Double {
        var (sum, count) = (0.0, 0)
        for match in matches {
            // Samples at 4 kHz become four at 16 kHz each.
            let start = match.segment.start * 4
            for frame in stride(from: start, to: start + SpeechSegment.length * 4 - Self.frameLength, by: Self.hop) {
                guard let left = bands(sent, at: frame), let right = bands(received, at: frame + match.delay * 4)
                else { continue }
                sum += distance(left, right)
                count += 1
            }
        }
        return count > 0 ? sum / Double(count) : .infinity
    }

    private func distance(_ left: [Double], _ right: [Double]) -> Double {
        let squares = zip(left, right).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (squares / Double(left.count)).squareRoot()
    }

    /// The levels of the bands relative to the loudest, which takes the gain out.
    private func bands(_ signal: [Double], at start: Int) -> [Double]? {
        guard start >= 0, start + Self.frameLength <= signal.count else { return nil }
        var real = (0..<Self.frameLength).map { signal[start + $0] * window[$0] }
        var imaginary = [Double](repeating: 0, count: Self.frameLength)
        transform.forward(&real, &imaginary)
        let levels = zip(Self.edges, Self.edges.dropFirst()).map { low, high in
            let power = (low..<high).reduce(0) { $0 + real[$1] * real[$1] + imaginary[$1] * imaginary[$1] }
            return Decibel.power(power / Double(high - low))
        }
        let loudest = levels.max() ?? 0
        return levels.map { max($0 - loudest, -Self.range) }
    }
}
