public import SansIO

extension ICEAgent {
    /// A bound socket the agent may use.
    public struct Base: Hashable, Sendable {
        /// What the socket speaks.
        public enum Transport: Hashable, Sendable {
            /// A UDP socket.
            case udp
            /// A listening TCP socket; connections from its address may also be opened.
            case tcp
        }

        /// The component the socket serves, counted from 1.
        public var component: Int
        /// The local address and port the socket is bound to, never a wildcard address.
        public var endpoint: Endpoint
        /// What the socket speaks.
        public var transport: Transport
        /// ``Candidate/Kind/host``, or ``Candidate/Kind/relayed`` for an address on a relay that acts as a socket.
        public var kind: Candidate.Kind

        /// Describes a bound socket.
        public init(component: Int, endpoint: Endpoint, transport: Transport, kind: Candidate.Kind = .host) {
            self.component = component
            self.endpoint = endpoint
            self.transport = transport
            self.kind = kind
        }
    }

    /// Names one TCP connection between the agent and its driver; never used twice in one session.
    public struct ConnectionID: Hashable, Sendable {
        let rawValue: UInt64
    }

    /// How packets of a pair travel.
    public enum Path: Hashable, Sendable {
        /// Datagrams from a base to the peer.
        case datagram(from: Endpoint, to: Endpoint)
        /// Frames on a connection.
        case stream(ConnectionID)
    }

    /// What the peer said of itself beside its candidates.
    public struct PeerOptions: Hashable, Sendable {
        /// It answers checks and makes none (RFC 8445 §2.5).
        public var isLite = false
        /// Both sides agreed that the controlling one may nominate again and again, the last nomination counting: a
        /// call starts on the first path found, moves to clearly better ones, and off paths that died. Only between
        /// agents of this kind; the agreement is the embedder's.
        public var renominates = false
        /// Both sides agreed to guess the next ports of a NAT that counts them up, which leads to a direct path where only
        /// a relay would be left. It sends a few checks to ports that may be another host's behind the same NAT, so it is
        /// for agents of this kind that agreed to it.
        public var predictsPorts = false
        /// Both sides agreed to look for each other at ports drawn at random, where no relay is at hand and nothing else has
        /// led anywhere for ``Configuration/birthdayDelay``. One side opens hundreds of sockets for it, and the other one
        /// sends up to a thousand packets to ports that may be other hosts' behind the same NAT, so it is for agents of
        /// this kind that agreed to it. It needs two STUN servers, as one alone does not show that ports are drawn.
        public var probesRandomPorts = false

        /// A full agent that follows RFC 8445.
        public init() {}
    }

    /// The pair both sides agreed on for one component.
    public struct SelectedPair: Hashable, Sendable {
        /// Our candidate as the peer sees it.
        public let local: Candidate
        /// The peer's candidate.
        public let remote: Candidate
        /// How to reach the peer.
        public let path: Path
    }

    /// Where a session stands.
    public enum State: Hashable, Sendable {
        /// Waits for ``ICEAgent/start(remote:peer:at:)``; checks of the peer are answered and remembered. After a
        /// restart the pairs from before stay in use.
        case new
        /// Looks for paths.
        case checking
        /// Every component has a selected pair.
        case completed
        /// Gave up; checks are still answered, and ``ICEAgent/restart(at:)`` begins anew.
        case failed(Failure)
        /// Closed by us.
        case closed
    }

    /// Why a session failed.
    public enum Failure: Error, Hashable, Sendable {
        /// No pair was nominated for some component in time.
        case noPath
        /// The peer stopped answering on a selected pair (RFC 7675).
        case consentLost
        /// The connection of a selected pair was closed or reset.
        case disconnected
    }

    /// What the agent asks of its driver.
    public enum Effect: Hashable, Sendable {
        /// Send a datagram from the base bound to `from`.
        case send([UInt8], from: Endpoint, to: Endpoint)
        /// Open a TCP connection from the local address `from`, whose port is 0, or for a simultaneous-open candidate
        /// the one of its listening socket, to be shared with it (`SO_REUSEPORT`), and report it with
        /// ``ICEAgent/connected(_:local:at:)`` or ``ICEAgent/disconnected(_:at:)``.
        case connect(ConnectionID, from: Endpoint, to: Endpoint)
        /// Write all of these bytes on a connection, in order.
        case write([UInt8], on: ConnectionID)
        /// Close a connection, or stop opening it; nothing about it needs to be reported any more.
        case disconnect(ConnectionID)
        /// The payload of one frame of application data from TCP; never before `selected` of its component.
        case received([UInt8], component: Int)
        /// A component has a pair, or a better one than before.
        case selected(SelectedPair, component: Int)
        /// Every component has a selected pair; sent once after each start.
        case completed
        /// The path of a component is gone; others are looked for, and bases may be added. What else to do until the
        /// next ``selected(_:component:)`` is the embedder's choice.
        case lost(component: Int)
        /// Have the relay behind the base `on` let this address through, and report it with
        /// ``ICEAgent/permitted(_:on:at:)`` or ``ICEAgent/permissionFailed(_:on:at:)``; the pairs wait for that.
        case permit(IPAddress, on: Endpoint)
        /// Bind `count` more UDP sockets at the address of the base `beside`, each to a port of its own, and report them
        /// with ``ICEAgent/opened(_:beside:at:)``. They are the agent's alone and not told to the peer.
        case openSockets(beside: Endpoint, count: Int)
        /// Close these of them.
        case closeSockets([Endpoint])
        /// Look up a name ending in `.local` by multicast DNS, and report it with ``ICEAgent/resolved(_:to:at:)``.
        case resolve(host: String)
        /// The session is over; close the bases, or restart it.
        case failed(Failure)
        /// An input was refused.
        case ignored(Reason)
    }

    /// Why an input was refused.
    public enum Reason: Hashable, Sendable {
        /// The bytes are no well-formed STUN message.
        case malformed(WireError)
        /// No base is bound to this endpoint.
        case unknownBase
        /// No such connection, or not in this state.
        case unknownConnection
        /// A response to nothing we asked.
        case unknownTransaction
        /// A message whose integrity does not hold; a request was answered by this error code.
        case unauthenticated(ErrorCode?)
        /// A method or class that has no place in ICE.
        case unexpected(MessageType)
        /// The response came from elsewhere than its request went to (RFC 8445 §7.2.5.2.1).
        case asymmetric
        /// The peer's role conflicts with ours; it was told so.
        case roleConflict
        /// Application data on a connection that no valid check has arrived on.
        case unidentifiedData
        /// A candidate that cannot be used: of a component we do not have, of a useless address, or known already.
        case unusableCandidate
        /// A candidate of another generation than the current one.
        case otherGeneration
        /// The policy of the configuration forbids it.
        case policy
        /// A limit of the configuration was reached.
        case overLimit
        /// There is no path to send on.
        case noPath
        /// The call is not legal in this state.
        case wrongState
    }
}
