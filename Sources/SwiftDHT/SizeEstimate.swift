internal import SansIO

/// How many nodes a network has, judged by how far the closest nodes to several places are.
struct SizeEstimate: Sendable {
    /// What was seen at one place.
    private struct Sample {
        let place: InfoHash
        let size: Double
        let taken: Instant
    }

    /// Places that are remembered; the median of so many errs by an eighth.
    private static let sampleLimit = 15
    /// How long a sample says something of the network of today.
    private static let lifetime: Duration = .seconds(3600)

    private var samples: [Sample] = []
    /// The median as of the last change; it is asked for with every node that a search meets.
    private var latest: Double?
    /// What our own neighbourhood says.
    private(set) var own: Double?

    /// The size of a network whose `rank`-th closest node is at `fraction` of the space; unbiased for uniform identifiers.
    static func size(rank: Int, fraction: Double) -> Double? {
        rank > 1 && fraction > 0 ? Double(rank - 1) / fraction : nil
    }

    /// Takes the distances around our own identifier into account; `nil` when too few nodes are known to tell.
    mutating func observeOwn(_ size: Double?) {
        own = size
        latest = median(of: samples)
    }

    /// Takes the distances around a key into account.
    mutating func observe(_ size: Double, around place: InfoHash, at now: Instant) {
        samples.removeAll { $0.place == place }
        samples.append(Sample(place: place, size: size, taken: now))
        if samples.count > Self.sampleLimit { samples.removeFirst() }
        latest = median(of: samples)
    }

    /// The median of all places: a few that somebody surrounded do not move it much.
    func median(at now: Instant) -> Double? {
        guard let oldest = samples.first, oldest.taken.duration(to: now) >= Self.lifetime else { return latest }
        return median(of: samples.filter { $0.taken.duration(to: now) < Self.lifetime })
    }

    /// How many nodes the network has at least, as far as can be said: the larger of two estimates, since a key's
    /// neighbourhood counts as suspicious when it is denser than this.
    func plausible(at now: Instant) -> Double? {
        guard let own else { return nil }
        return max(own, median(at: now) ?? own)
    }

    private func median(of samples: [Sample]) -> Double? {
        let all = (samples.map(\.size) + (own.map { [$0] } ?? [])).sorted()
        return all.isEmpty ? nil : all[all.count / 2]
    }
}
