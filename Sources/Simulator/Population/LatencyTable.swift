internal import SansIO

/// How long a datagram takes between two parts of the world, one way.
///
/// Half of usual round-trip times between large exchanges; what a home's own line adds is drawn for each node.
struct LatencyTable {
    /// Western and eastern Europe, eastern and western North America, South America, eastern Asia, Oceania.
    private static let milliseconds = [
        [8, 18, 42, 70, 95, 115, 135],
        [18, 12, 55, 82, 108, 100, 140],
        [42, 55, 10, 33, 60, 95, 105],
        [70, 82, 33, 10, 85, 60, 75],
        [95, 108, 60, 85, 15, 140, 150],
        [115, 100, 95, 60, 140, 20, 60],
        [135, 140, 105, 75, 150, 60, 12],
    ]
    /// How many of a hundred nodes live in each.
    private static let shares = [28, 14, 20, 12, 8, 14, 4]

    /// Draws where a node lives.
    static func region(using random: inout RandomSource) -> Int {
        var draw = Int.random(in: 0..<shares.reduce(0, +), using: &random)
        return shares.firstIndex { share in
            draw -= share
            return draw < 0
        } ?? 0
    }

    static func delay(from one: Int, to other: Int) -> Duration { .milliseconds(milliseconds[one][other]) }
}
