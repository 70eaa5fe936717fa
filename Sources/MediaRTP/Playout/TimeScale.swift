/// Shortens or lengthens a block of 48 kHz speech by one pitch period, where that is not heard.
enum TimeScale {
    /// The correlation is searched at 8 kHz.
    private static let decimation = 6
    /// Pitch periods of 2.5 to 10 ms, in samples at 8 kHz.
    private static let lags = 20...80
    /// How alike two periods must be.
    private static let likeness = 0.9
    /// Blocks whose root mean square stays below this are silence, where any period will do.
    private static let silence = 60.0

    /// Returns `block` as it is, a little shorter or a little longer.
    static func adapt(_ block: [Int16], _ pace: JitterBuffer.Pace) -> [Int16] {
        guard pace != .steady, let lag = period(of: block) else { return block }
        return pace == .faster ? shortened(block, by: lag) : lengthened(block, by: lag)
    }

    /// Fades from the first period into the second and leaves one out.
    private static func shortened(_ block: [Int16], by lag: Int) -> [Int16] {
        crossFade(from: block[0..<lag], to: block[lag..<2 * lag]) + block[(2 * lag)...]
    }

    /// Plays the first period, and fades from the second back into the first.
    private static func lengthened(_ block: [Int16], by lag: Int) -> [Int16] {
        block[0..<lag] + crossFade(from: block[lag..<2 * lag], to: block[0..<lag]) + block[lag...]
    }

    private static func crossFade(from old: ArraySlice<Int16>, to new: ArraySlice<Int16>) -> [Int16] {
        let count = old.count
        return zip(old, new).enumerated().map { index, pair in
            let sum = Int(pair.0) * (count - index) + Int(pair.1) * index
            return Int16(clamping: sum / max(count, 1))
        }
    }

    /// The period in samples at 48 kHz after which the start of the block repeats itself, or `nil` without one.
    private static func period(of block: [Int16]) -> Int? {
        guard block.count >= 2 * lags.upperBound * decimation else { return nil }
        let coarse = stride(from: 0, to: block.count, by: decimation).map { Double(block[$0]) }
        let energy = coarse.reduce(0) { $0 + $1 * $1 }
        if (energy / Double(coarse.count)).squareRoot() < silence { return lags.upperBound * decimation }
        var best: (lag: Int, likeness: Double)?
        for lag in lags {
            let found = correlation(coarse, lag: lag)
            if found > (best?.likeness ?? likeness) { best = (lag, found) }
        }
        return best.map { $0.lag * decimation }
    }

    private static func correlation(_ samples: [Double], lag: Int) -> Double {
        var (product, first, second) = (0.0, 0.0, 0.0)
        for index in 0..<lags.upperBound {
            let (left, right) = (samples[index], samples[index + lag])
            product += left * right
            first += left * left
            second += right * right
        }
        let scale = (first * second).squareRoot()
        return scale > 0 ? product / scale : 0
    }
}
