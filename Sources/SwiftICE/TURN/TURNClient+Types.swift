public import SansIO

extension TURNClient {
    /// What is asked of the server.
    public struct Request: Hashable, Sendable {
        /// The families of relayed addresses.
        public enum Families: Hashable, Sendable {
            /// An IPv4 address.
            case v4
            /// An IPv6 address (RFC 6156).
            case v6
            /// One of each, as far as the server has both (RFC 8656 §7.1).
            case both
        }

        /// How the server talks to peers.
        public enum RelayedTransport: UInt8, Hashable, Sendable {
            /// By connections (RFC 6062); needs a stream to the server.
            case tcp = 6
            /// By datagrams.
            case udp = 17
        }

        /// What is wished of the relayed port; given up where the server cannot.
        public enum Port: Hashable, Sendable {
            /// Any.
            case any
            /// An even one, as old RTP wants it.
            case even
            /// An even one with the next one kept for a second allocation.
            case evenAndNext
            /// The one kept by an earlier allocation.
            case reserved(token: UInt64)
        }

        /// How the server talks to peers.
        public var transport = RelayedTransport.udp
        /// The families of relayed addresses.
        public var families = Families.v4
        /// The wish for a port; only over UDP (RFC 6062 §4.1).
        public var port = Port.any
        /// How long the allocation should live before it is refreshed; the server decides.
        public var lifetime: Duration? = .seconds(600)

        /// An IPv4 address for datagrams.
        public init() {}
    }

    /// What the server granted.
    public struct Allocation: Hashable, Sendable {
        /// The relayed addresses, at most one of each family, in the server's order.
        public let relayed: [Endpoint]
        /// Our address as the server sees it; server-reflexive where the leg is UDP.
        public let mapped: Endpoint?
        /// How long it lives without a refresh.
        public let lifetime: Duration
        /// Names the port kept for a second allocation.
        public let reservation: UInt64?
    }

    /// The limits and intervals.
    public struct Configuration: Hashable, Sendable {
        /// How requests are made.
        public var stun: STUNClient.Configuration
        /// How many peer addresses may be permitted or waiting.
        public var peerLimit = 64
        /// How many channels may be bound in the life of an allocation.
        public var channelLimit = 256
        /// When a permission, which lives 300 s, is refreshed.
        public var permissionInterval = Duration.seconds(240)
        /// When a channel is bound anew; also refreshes the permission, so no later than one.
        public var channelInterval = Duration.seconds(240)
        /// How long a permission lives (RFC 8656 §9).
        public var permissionLifetime = Duration.seconds(300)
        /// The wait before a refresh that was not answered is tried again.
        public var retryInterval = Duration.seconds(2)
        /// The silence on a leg over UDP after which a NAT on the way is reminded of it.
        public var keepalive = Duration.seconds(15)
        /// The longest lifetime taken from a server.
        public var lifetimeLimit = Duration.seconds(86_400)
        /// The most bytes of one message to a peer.
        public var dataLimit = 65_000
        /// How many connections to peers may exist (RFC 6062).
        public var connectionLimit = 32
        /// How long a connection to the server may take until it is bound to a peer's (RFC 6062 §5.3).
        public var bindTimeout = Duration.seconds(30)
        /// The most bytes of the answer that turns a connection into one to a peer.
        public var bindResponseLimit = 2_048

        /// The usual limits.
        public init() {
            stun = STUNClient.Configuration()
            stun.requestLimit = 512
        }
    }

    /// A connection to the server that becomes one to a peer (RFC 6062).
    public struct ConnectionID: Hashable, Sendable {
        /// Counts from 1.
        public let number: UInt64
    }

    /// An ICMP error that the relay received about a peer (RFC 8656 §11.5).
    public struct ICMPError: Hashable, Sendable {
        /// The type of the message.
        public let type: UInt8
        /// The code of the message.
        public let code: UInt16
    }

    /// What the client asks of its driver, and tells it.
    public enum Effect: Hashable, Sendable {
        /// Send bytes to the server on the control leg: a datagram, or the next bytes of the stream.
        case send([UInt8])
        /// The allocation stands.
        case allocated(Allocation)
        /// The peer's address may send and be sent to.
        case permitted(IPAddress)
        /// The peer's address may not, or no longer.
        case permissionFailed(IPAddress, STUNClient.Failure)
        /// Data to the peer travel on a channel now.
        case bound(channel: UInt16, to: Endpoint)
        /// There is no channel to the peer, or no longer; data travel in indications.
        case bindingFailed(Endpoint, STUNClient.Failure)
        /// Data of a peer.
        case received([UInt8], from: Endpoint)
        /// The relay cannot reach a peer.
        case unreachable(Endpoint, ICMPError)
        /// Open one more connection to the server, in the way of the control leg, then call `opened(_:at:)`.
        case open(ConnectionID)
        /// Write to a connection.
        case write([UInt8], on: ConnectionID)
        /// The connection is one to the peer now; what is written to it goes to the peer as it is.
        case connected(ConnectionID, peer: Endpoint)
        /// Bytes of the peer.
        case piped([UInt8], on: ConnectionID)
        /// There will be no connection; close it if it is open.
        case connectionFailed(ConnectionID, STUNClient.Failure)
        /// Close a connection.
        case close(ConnectionID)
        /// The allocation is over, and the client with it. The last effect.
        case ended(Ending)
        /// Input that changes nothing.
        case ignored(Refusal)
    }

    /// Why an allocation is over.
    public enum Ending: Error, Hashable, Sendable {
        /// It was released.
        case released
        /// The server refuses it.
        case refused(STUNClient.Failure)
        /// The server's answer holds no usable relayed address or lifetime.
        case unusable
        /// The 5-tuple has an allocation already (437): try again from another local port.
        case mismatch
        /// It could not be refreshed in time, or the server no longer knows it.
        case lost
        /// The connection to the server is gone, or what comes on it is not TURN.
        case legFailed
    }

    /// Why input changes nothing.
    public enum Refusal: Hashable, Sendable {
        /// The client is not in a state for it.
        case wrongState
        /// What STUN refuses.
        case stun(STUNClient.Refusal)
        /// The bytes are no message.
        case malformed(WireError)
        /// The channel has no peer.
        case unknownChannel(UInt16)
        /// The peer has no permission.
        case notPermitted(IPAddress)
        /// An indication lacks what it needs.
        case incomplete
        /// The family of the peer is not the relay's.
        case familyMismatch
        /// A limit was reached.
        case overLimit
    }
}
