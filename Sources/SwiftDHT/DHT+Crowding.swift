internal import SansIO

/// Keys that somebody surrounds with more nodes than the network can have there.
extension DHT {
    /// The closest nodes as they are, or the first few of them and the closest of all others, when they are so close
    /// that chance does not explain it: who surrounds a key is not to be all that is known around it.
    func mixing(
        _ closest: [RemoteNode], around target: InfoHash, _ family: IPAddress.Family, at now: Instant,
        where isWanted: (RemoteNode) -> Bool
    ) -> [RemoteNode] {
        let few = Self.unsuspiciousCount
        guard closest.count > few, isCrowded(closest[few].id, around: target, family, at: now),
            let size = networks[family].size.plausible(at: now)
        else { return closest }
        let others = networks[family].nodes.closest(to: target, limit: closest.count - few) { node in
            isWanted(node) && !Spread.isImplausible(node.id.distance(to: target).fraction, in: size)
        }
        return closest.prefix(few) + others
    }

    /// How many nodes may be as close to a key as chance does not explain before it counts as crowded.
    static var unsuspiciousCount: Int { Int(Spread.chance) }

    /// Whether the node after the first ``unsuspiciousCount`` is closer to `target` than chance explains.
    func isCrowded(_ id: NodeID, around target: InfoHash, _ family: IPAddress.Family, at now: Instant) -> Bool {
        guard let size = networks[family].size.plausible(at: now) else { return false }
        return Spread.isImplausible(id.distance(to: target).fraction, in: size)
    }
}
