package import SansIO

/// A NAT with its mappings, between a network of its own and another one.
package struct NATBox: Sendable {
    private struct Mapping: Sendable {
        let inside: Endpoint
        let outside: Endpoint
        /// The peer it was made for.
        let first: Endpoint
        var peers: [Endpoint]
    }

    package let nat: NAT
    /// Its address in the outer network.
    package let external: IPAddress
    /// The box whose inside is its outside; `nil` for the internet.
    package let network: Int?
    private var mappings: [Mapping] = []
    private var nextPort: UInt16 = 20_000

    init(_ nat: NAT, external: IPAddress, network: Int?) {
        (self.nat, self.external, self.network) = (nat, external, network)
    }

    /// The source address outside of a packet that leaves, or `nil` when it may not.
    mutating func outbound(from inside: Endpoint, to peer: Endpoint, random: inout RandomSource) -> Endpoint? {
        guard !nat.blocksUDP else { return nil }
        if let index = mappings.firstIndex(where: {
            $0.inside == inside && Self.agree($0.first, peer, nat.mapping)
        }) {
            if !mappings[index].peers.contains(peer) { mappings[index].peers.append(peer) }
            return mappings[index].outside
        }
        let outside = Endpoint(external, port: port(for: inside, random: &random))
        mappings.append(Mapping(inside: inside, outside: outside, first: peer, peers: [peer]))
        return outside
    }

    /// The inside address a packet that arrives is for, or `nil` when it is filtered.
    func inbound(from peer: Endpoint, to outside: Endpoint) -> Endpoint? {
        guard let mapping = mappings.first(where: { $0.outside == outside }),
            mapping.peers.contains(where: { Self.agree($0, peer, nat.filtering) })
        else { return nil }
        return mapping.inside
    }

    /// Loses all mappings, as a restart does.
    mutating func forget() { mappings = [] }

    private static func agree(_ one: Endpoint, _ other: Endpoint, _ dependence: NAT.Dependence) -> Bool {
        switch dependence {
        case .endpointIndependent: true
        case .addressDependent: one.address == other.address
        case .addressAndPortDependent: one == other
        }
    }

    private mutating func port(for inside: Endpoint, random: inout RandomSource) -> UInt16 {
        let isFree = { (port: UInt16, mappings: [Mapping]) in !mappings.contains { $0.outside.port == port } }
        if nat.allocation == .preserving, isFree(inside.port, mappings) { return inside.port }
        repeat {
            nextPort = nat.allocation == .random ? UInt16.random(in: 20_000...60_000, using: &random) : nextPort + 1
        } while !isFree(nextPort, mappings)
        return nextPort
    }
}
