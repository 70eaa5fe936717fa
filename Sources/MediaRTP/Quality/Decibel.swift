/// Ratios of power on the usual scale, computed without a mathematics library.
enum Decibel {
    /// Ten times the decimal logarithm of a positive ratio; -300 for anything else.
    static func power(_ ratio: Double) -> Double {
        guard ratio > 1e-30, ratio.isFinite else { return ratio > 1 ? 300 : -300 }
        // ln(m) = 2 artanh((m - 1) / (m + 1)), whose series converges quickly for m in 1..<2.
        let argument = (ratio.significand - 1) / (ratio.significand + 1)
        var (sum, term) = (0.0, argument)
        for order in stride(from: 1, through: 21, by: 2) {
            sum += term / Double(order)
            term *= argument * argument
        }
        let natural = 2 * sum + Double(ratio.exponent) * 0.693_147_180_559_945_3
        return natural * 4.342_944_819_032_518
    }
}
