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

    /// The position of a node that is known to be where `node` says; valid until the next node is added or removed.
    func position(of node: KnownNode) -> Int? {
        let index = position(of: node.id)
        guard index < nodes.count, nodes[index].id == node.id, nodes[index].endpoint == node.endpoint else {
            return nil
        }
        return index
    }

    /// Changes the node at a position in place, all but its endpoint.
    mutating func update(at position: Int, _ change: (inout RemoteNode) -> Void) { change(&nodes[position]) }

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
        positions(closestTo: target, limit: limit) { isWanted(nodes[$0]) }.map { nodes[$0] }
    }

    /// Up to `limit` good nodes as others hear of them, closest to `target` first.
    func closestGood(to target: NodeID, limit: Int, _ freshness: Freshness) -> [CompactNode] {
        positions(closestTo: target, limit: limit) { nodes[$0].isGood(freshness) }
            .map { CompactNode(id: nodes[$0].id, endpoint: nodes[$0].endpoint) }
    }

    /// Whether at least `count` good nodes are closer to `target` than `other` is.
    func holds(_ count: Int, closerTo target: NodeID, than other: NodeID, _ freshness: Freshness) -> Bool {
        var found = 0
        for index in range(of: target, prefix: target.commonPrefix(with: other))
        where nodes[index].id.isCloser(to: target, than: other) && nodes[index].isGood(freshness) {
            found += 1
            if found == count { return true }
        }
        return count <= 0
    }

    /// The positions of up to `limit` nodes for whose positions `isWanted` holds, closest to `target` first.
    private func positions(closestTo target: NodeID, limit: Int, where isWanted: (Int) -> Bool) -> [Int] {
        guard limit > 0 else { return [] }
        var prefix = longestPrefix(of: target, holding: limit)
        while true {
            let found = nearest(to: target, in: range(of: target, prefix: prefix), limit: limit, where: isWanted)
            if found.count == limit || prefix == 0 { return found }
            prefix -= 1
        }
    }

    private func nearest(
        to target: NodeID, in range: Range<Int>, limit: Int, where isWanted: (Int) -> Bool
    ) -> [Int] {
        var found: [Int] = []
        found.reserveCapacity(min(limit, range.count))
        for index in range where isWanted(index) {
            let id = nodes[index].id
            var place = found.count
            if place == limit {
                guard id.isCloser(to: target, than: nodes[found[limit - 1]].id) else { continue }
                found.removeLast()
                place -= 1
            }
            while place > 0, id.isCloser(to: target, than: nodes[found[place - 1]].id) { place -= 1 }
            found.insert(index, at: place)
        }
        return found
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
    ///
    /// Those who share it are neighbours of the target's own position, so that few windows come into question.
    private func longestPrefix(of target: NodeID, holding count: Int) -> Int {
        guard count <= nodes.count else { return 0 }
        let position = position(of: target)
        var longest = 0
        for start in max(0, position - count)...min(position, nodes.count - count) {
            let shared = min(
                target.commonPrefix(with: nodes[start].id), target.commonPrefix(with: nodes[start + count - 1].id))
            longest = max(longest, shared)
        }
        return longest
    }
}
