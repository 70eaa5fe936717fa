internal import SansIO

/// The nodes of one range of identifiers that are kept alive.
struct Bucket: Sendable {
    /// The first identifier of the range.
    var first: NodeID
    /// How many leading bits the identifiers of the range share.
    var depth: Int
    var members: [NodeID] = []
    /// A node that takes the place of the next member to expire.
    var candidate: KnownNode?
    /// When a member last answered.
    var refreshed: Instant?

    func contains(_ id: NodeID) -> Bool { first.commonPrefix(with: id) >= depth }

    /// A random identifier of the range.
    func randomTarget(using random: inout RandomSource) -> NodeID {
        first.keeping(depth, then: .random(using: &random))
    }

    /// Cuts the range in two; returns the upper half and keeps the lower.
    mutating func split() -> Bucket {
        var upper = Bucket(first: first.settingBit(at: depth), depth: depth + 1, refreshed: refreshed)
        depth += 1
        upper.members = members.filter { $0.bit(at: depth - 1) }
        members.removeAll { $0.bit(at: depth - 1) }
        if let candidate, candidate.id.bit(at: depth - 1) {
            upper.candidate = candidate
            self.candidate = nil
        }
        return upper
    }
}
