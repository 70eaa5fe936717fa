public import SansIO

/// A transport address a peer may be reached at (RFC 8445 §5.1).
public struct Candidate: Hashable, Sendable {
    /// How a candidate was learnt.
    public enum Kind: Hashable, Sendable, CaseIterable {
        /// An address of an interface of the host itself.
        case host
        /// The address a server or a port mapping saw or gave.
        case serverReflexive
        /// An address learnt from a check, never signalled.
        case peerReflexive
        /// An address on a relay.
        case relayed
    }

    /// The transport of a candidate, with the part it plays in setting up a TCP connection.
    public enum Transport: Hashable, Sendable {
        /// UDP.
        case udp
        /// TCP in one of the three ways of RFC 6544.
        case tcp(TCPRole)

        /// Whether this is TCP in any way.
        public var isTCP: Bool { self != .udp }
    }

    /// Who opens the connection of a TCP candidate (RFC 6544 §4.5).
    public enum TCPRole: Hashable, Sendable, CaseIterable {
        /// Opens connections from an ephemeral port; announced with port 9.
        case active
        /// Listens.
        case passive
        /// Opens and listens at once.
        case simultaneousOpen
    }

    /// Candidates of equal foundation are likely to work or fail together.
    public var foundation: Foundation
    /// The component of the session, 1 to 256.
    public var component: Int
    /// The transport.
    public var transport: Transport
    /// The priority, greater is better; never 0 from the wire.
    public var priority: UInt32
    /// The address and port.
    public var endpoint: Endpoint
    /// How the candidate was learnt.
    public var kind: Kind
    /// The base of a reflexive, or the mapped address of a relayed candidate; for diagnosis only.
    public var related: Endpoint?

    /// The port announced by candidates that open connections only (RFC 6544 §4.5).
    public static let discardPort: UInt16 = 9

    /// Describes a candidate.
    public init(
        foundation: Foundation, component: Int, transport: Transport, priority: UInt32, endpoint: Endpoint,
        kind: Kind, related: Endpoint? = nil
    ) {
        self.foundation = foundation
        self.component = component
        self.transport = transport
        self.priority = priority
        self.endpoint = endpoint
        self.kind = kind
        self.related = related
    }
}
