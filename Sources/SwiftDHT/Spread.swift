internal import SansIO

/// Counts nodes towards the number of closest nodes that is wanted, and passes over those that look placed there.
///
/// Nodes are shown in the order of their distance. One is passed over when others of its address prefix were counted
/// already, or when the nodes up to it are far denser than the network: whoever surrounds a key to hide it is asked and
/// given the value like others, but does not stand in for an honest node.
struct Spread {
    /// So many nodes closer than any density explains are chance.
    static let chance = 3.0
    /// So many times the network's density is chance, or an old estimate of its size.
    static let tolerance = 4.0

    /// Whether a network of `size` nodes has a node as close as this in one of twenty cases only.
    static func isImplausible(_ fraction: Double, in size: Double) -> Bool { fraction * size < 0.05 }

    private let prefixLimit: Int
    private let size: Double?
    private var seen = 0.0
    private var prefixes: [AddressPrefix] = []

    /// - Parameters:
    ///   - prefixLimit: how many nodes of one address prefix count.
    ///   - size: how many nodes the network has; `nil` when that cannot be said.
    init(prefixLimit: Int, size: Double?) { (self.prefixLimit, self.size) = (prefixLimit, size) }

    /// Whether the next node counts; `fraction` is its distance as a fraction of the space of identifiers.
    mutating func counts(_ prefix: AddressPrefix?, fraction: Double) -> Bool {
        seen += 1
        if let size, seen > Self.chance + Self.tolerance * size * fraction { return false }
        guard let prefix else { return true }
        var same = 0
        for other in prefixes where other == prefix { same += 1 }
        prefixes.append(prefix)
        return same < prefixLimit
    }
}
