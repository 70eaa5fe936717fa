internal import SansIO
internal import SwiftDHT

/// One get as the network sees it: which nodes were asked, and how far each was from what the asker knew before.
struct Lookup {
    let key: InfoHash
    let started: Instant
    /// How many answers led to each endpoint; 1 is a node the asker knew.
    private var depths: [Endpoint: Int] = [:]
    private(set) var messages = 0
    private(set) var bytes = 0
    /// The depth of the node that sent the value first.
    private(set) var hops: Int?
    /// When the value came.
    private(set) var found: Instant?

    init(key: InfoHash, started: Instant) { (self.key, self.started) = (key, started) }

    /// The asker sends a datagram; one that asks for the key belongs to the lookup.
    mutating func sent(_ packet: Packet, bytes count: Int, to target: Endpoint) {
        guard case .request(let request) = packet.message, case .get(key, _, _) = request.method else { return }
        messages += 1
        bytes += count
        if depths[target] == nil { depths[target] = 1 }
    }

    /// The asker has the value.
    mutating func noteValue(at now: Instant) { found = found ?? now }

    /// The asker receives a datagram.
    mutating func received(_ packet: Packet, bytes count: Int, from source: Endpoint) {
        guard case .reply(let reply) = packet.message, let depth = depths[source] else { return }
        messages += 1
        bytes += count
        if hops == nil, !reply.values.isEmpty { hops = depth }
        for node in reply.nodes4 where depths[node.endpoint] == nil { depths[node.endpoint] = depth + 1 }
    }
}
