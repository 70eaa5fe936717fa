public import SansIO

/// A TURN server as a user configures it.
public struct TURNServer: Hashable, Sendable {
    /// Where the server is.
    public enum Host: Hashable, Sendable {
        /// An address.
        case address(IPAddress)
        /// A name with addresses.
        case name(String)
        /// A domain whose service records name servers and ports (RFC 5928 §3), under the label of ``Transport/service``.
        case domain(String)
    }

    /// How to talk to the server.
    public enum Transport: Hashable, Sendable, CaseIterable {
        /// Datagrams.
        case udp
        /// A connection.
        case tcp
        /// TLS on a connection.
        case tls

        /// What a STUN client sees.
        public var leg: STUNClient.Leg { self == .udp ? .datagram : .stream }
        /// The port where none is told.
        public var defaultPort: UInt16 { self == .tls ? 5349 : 3478 }
        /// The service and protocol labels of its service records.
        public var service: String {
            switch self {
            case .udp: "_turn._udp"
            case .tcp: "_turn._tcp"
            case .tls: "_turns._tcp"
            }
        }
    }

    /// Where the server is.
    public var host: Host
    /// The port; that of the transport unless told, and that of service records for a domain.
    public var port: UInt16
    /// How to talk to it.
    public var transport: Transport
    /// The user's name there.
    public var username: String
    /// The user's password there.
    public var password: String

    /// Names a server.
    public init(_ host: Host, port: UInt16? = nil, transport: Transport = .udp, username: String, password: String) {
        self.host = host
        self.port = port ?? transport.defaultPort
        self.transport = transport
        self.username = username
        self.password = password
    }

    /// The credentials as requests need them.
    public var credentials: STUNClient.Credentials { .longTerm(username: username, password: password) }
}
