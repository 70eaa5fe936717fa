/// How a NAT behaves, in the words of RFC 4787.
package struct NAT: Hashable, Sendable {
    /// What of the peer's transport address a decision depends on.
    package enum Dependence: Int, Hashable, Sendable, CaseIterable {
        case endpointIndependent
        case addressDependent
        case addressAndPortDependent
    }

    /// Which external port a new mapping gets.
    package enum Allocation: Hashable, Sendable, CaseIterable {
        /// The internal one where it is free, else the next one.
        case preserving
        /// The one after the last.
        case sequential
        /// Any.
        case random
    }

    /// When a flow gets a mapping of its own (§4.1).
    package var mapping = Dependence.endpointIndependent
    /// Who may send to a mapping (§5).
    package var filtering = Dependence.addressAndPortDependent
    /// The choice of ports (§4.2).
    package var allocation = Allocation.sequential
    /// Whether inside hosts reach each other at their external addresses (§6).
    package var hairpins = false
    /// Whether datagrams may leave at all.
    package var blocksUDP = false

    package init(
        mapping: Dependence = .endpointIndependent, filtering: Dependence = .addressAndPortDependent,
        allocation: Allocation = .sequential, hairpins: Bool = false, blocksUDP: Bool = false
    ) {
        (self.mapping, self.filtering, self.allocation) = (mapping, filtering, allocation)
        (self.hairpins, self.blocksUDP) = (hairpins, blocksUDP)
    }

    /// The most common home router.
    package static let portRestricted = NAT()
    /// A mapping for every peer.
    package static let symmetric = NAT(mapping: .addressAndPortDependent)
}
