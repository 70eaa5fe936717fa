internal import SansIO

/// Keys that somebody surrounds with more nodes than the network can have there.
extension DHT {
    /// The closest nodes as they are, or the first few of them and the closest of all others, when they are so close
    /// that chance does not explain it: who surrounds a key is not to be all that is known around it.
    func mixing(
        _ closest: [RemoteNode], around target: InfoHash, _ family: IPAddress.Family, at now: Instant,
        where isWanted: (RemoteNode) -> Bool
    ) -> [RemoteNode] {
        let few = Int(Spread.chance)
        guard isCrowded(closest.map(\.id), around: target, family, at: now),
            let size = networks[family].plausibleSize(at: now)
        else { return closest }
        let others = networks[family].nodes.closest(to: target, limit: closest.count - few) { node in
            isWanted(node) && !Spread.isImplausible(node.id.distance(to: target).fraction, in: size)
        }
        return closest.prefix(few) + others
    }

    /// Whether the closest nodes are so close to `target` that chance does not explain it.
    func isCrowded(
        _ closest: [NodeID], around target: InfoHash, _ family: IPAddress.Family, at now: Instant
    ) -> Bool {
        let few = Int(Spread.chance)
        guard closest.count > few, let size = networks[family].plausibleSize(at: now) else { return false }
        return Spread.isImplausible(closest[few].distance(to: target).fraction, in: size)
    }
}
