public import SansIO

/// How the NATs before a socket treat it (RFC 4787, discovered as of RFC 5780). A diagnosis, never a gate.
public struct NATBehavior: Hashable, Sendable {
    /// What a property depends on.
    public enum Dependence: Hashable, Sendable {
        /// Nothing: the same for everyone.
        case endpointIndependent
        /// The address of the other side.
        case addressDependent
        /// Its port as well.
        case addressAndPortDependent
    }

    /// Our address as the server sees it.
    public let mapped: Endpoint
    /// Whether that is our own address; `nil` when we do not know our own.
    public let isDirect: Bool?
    /// What the external port depends on; `nil` when the server cannot tell.
    public let mapping: Dependence?
    /// From whom something gets in; `nil` when the server cannot tell.
    public let filtering: Dependence?
    /// Whether a host behind the NAT reaches another by its external address; `nil` without a NAT.
    public let hairpins: Bool?
    /// Whether the external port is our own one; `nil` when we do not know our own.
    public let preservesPort: Bool?
}
