internal import SansIO

/// All nodes known in one family, sorted by identifier.
///
/// Identifiers that share a prefix are neighbours in the array, so the nodes closest to any target are one range of it.
struct NodeTable: Sendable {
    private(set) var nodes: [RemoteNode] = []
    /// How many nodes each address prefix has.
    private var crowds: [AddressPrefix: Int] = [:]

    var count: Int { nodes.count }

    /// How many nodes share the prefix of `address`; none while it is not an Internet address.
    func crowd(around address: IPAddress) -> Int { AddressPrefix(address).flatMap { crowds[$0] } ?? 0 }

    /// The position of the first node whose identifier is not below `id`.
    private func position(of id: NodeID) -> Int {
        var (low, high) = (0, nodes.count)
        while low < high {
            let middle = (low + high) / 2
            if nodes[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    subscript(id: NodeID) -> RemoteNode? {
        let index = position(of: id)
        return index < nodes.count && nodes[index].id == id ? nodes[index] : nil
    }

    /// Changes the node `id` in place, all but its endpoint; does nothing when it is unknown.
    mutating func update(_ id: NodeID, _ change: (inout RemoteNode) -> Void) {
        let index = position(of: id)
        guard index < nodes.count, nodes[index].id == id else { return }
        change(&nodes[index])
    }

    /// Gives the node `id` another endpoint.
    mutating func move(_ id: NodeID, to endpoint: Endpoint) {
        let index = position(of: id)
        guard index < nodes.count, nodes[index].id == id, nodes[index].endpoint != endpoint else { return }
        count(nodes[index].endpoint, -1)
        nodes[index].move(to: endpoint)
        count(endpoint, 1)
    }

    /// Adds a node that is not there yet.
    mutating func insert(_ node: RemoteNode) {
        nodes.insert(node, at: position(of: node.id))
        count(node.endpoint, 1)
    }

    /// Removes and returns every node for which `isObsolete` holds.
    @discardableResult
    mutating func removeAll(where isObsolete: (RemoteNode) -> Bool) -> [RemoteNode] {
        var removed: [RemoteNode] = []
        nodes.removeAll { node in
            guard isObsolete(node) else { return false }
            removed.append(node)
            return true
        }
        for node in removed { count(node.endpoint, -1) }
        return removed
    }

    private mutating func count(_ endpoint: Endpoint, _ change: Int) {
        guard let prefix = AddressPrefix(endpoint.address) else { return }
        let crowd = (crowds[prefix] ?? 0) + change
        crowds[prefix] = crowd > 0 ? crowd : nil
    }

    /// Up to `limit` nodes for which `isWanted` holds, closest to `target` first.
    func closest(to target: NodeID, limit: Int, where isWanted: (RemoteNode) -> Bool) -> [RemoteNode] {
        var prefix = longestPrefix(of: target, holding: limit)
        while true {
            let found = nodes[range(of: target, prefix: prefix)].filter(isWanted)
            if found.count >= limit || prefix == 0 {
                let sorted = found.sorted { $0.id.isCloser(to: target, than: $1.id) }
                return sorted.count <= limit ? sorted : Array(sorted[..<limit])
            }
            prefix -= 1
        }
    }

    /// The nodes whose identifiers share the first `prefix` bits with `target`.
    private func range(of target: NodeID, prefix: Int) -> Range<Int> {
        guard prefix > 0 else { return 0..<nodes.count }
        let last = target.keeping(prefix, then: .ones)
        let start = position(of: target.keeping(prefix, then: .zero))
        let end = position(of: last)
        return start..<(end < nodes.count && nodes[end].id == last ? end + 1 : end)
    }

    /// The longest prefix of `target` shared by at least `count` nodes; 0 when there are not as many.
    private func longestPrefix(of target: NodeID, holding count: Int) -> Int {
        var (low, high) = (0, NodeID.bitCount)
        while low < high {
            let middle = (low + high + 1) / 2
            if range(of: target, prefix: middle).count >= count { low = middle } else { high = middle - 1 }
        }
        return low
    }
}
