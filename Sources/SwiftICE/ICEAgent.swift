public import SansIO

/// One ICE session (RFC 8445, RFC 6544 for TCP) as a machine: N components of one stream, over UDP or TCP.
///
/// Order of use: create, ``addBase(_:at:)`` for each bound socket, optionally ``addMapped(_:base:tcp:at:)``, send
/// ``localDescription`` to the peer, ``start(remote:at:)`` once its description is known, and from then on feed what
/// arrives. Checks that arrive before ``start(remote:at:)`` are answered and remembered. Every method is legal in
/// every state; what makes no sense is refused with ``Effect/ignored(_:)``.
public struct ICEAgent: Machine {
    /// The limits and intervals.
    public let configuration: Configuration
    /// How many components the session has; they are numbered from 1.
    public let components: Int
    /// The credentials the peer makes its checks with.
    public let localCredentials: Credentials
    /// Our role, which changes when it conflicts with the peer's.
    public internal(set) var role: Role
    /// Where the session stands.
    public internal(set) var state = State.new

    /// Creates a session; draws its credentials and tie-breaker.
    ///
    /// - Parameter components: how many components the stream has, 1 to 256.
    public init(configuration: Configuration = Configuration(), role: Role, components: Int, random: RandomSource) {
        var random = random
        self.configuration = configuration
        self.components = min(max(components, 1), 256)
        self.role = role
        localCredentials = Credentials(random: &random)
    }

    /// Our candidates, most useful first, for the peer.
    public var localCandidates: [Candidate] { [] }

    /// What to tell the peer.
    public var localDescription: SessionDescription {
        SessionDescription(credentials: localCredentials, candidates: localCandidates)
    }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? { nil }

    /// Fires every timer due at or before `now`.
    public mutating func advance(to now: Instant) -> [Effect] { [] }

    /// Adds a bound socket: one candidate for UDP, a passive and an active one for TCP.
    public mutating func addBase(_ base: Base, at now: Instant) -> [Effect] { [] }

    /// Adds a server-reflexive candidate learnt elsewhere: from a STUN server, a port mapping, or other peers.
    public mutating func addMapped(
        _ mapped: Endpoint, base: Base, tcp: Candidate.TCPRole = .passive, at now: Instant
    ) -> [Effect] { [] }

    /// Starts the checks; legal once, in state ``State/new``.
    public mutating func start(remote: SessionDescription, at now: Instant) -> [Effect] { [] }

    /// Adds candidates of the peer after the start.
    public mutating func addRemoteCandidates(_ candidates: [Candidate], at now: Instant) -> [Effect] { [] }

    /// Tells that no more candidates will come; ``Configuration/patience`` starts anew.
    public mutating func endOfRemoteCandidates(at now: Instant) {}

    /// Takes a UDP datagram for which ``isSTUN(_:)`` holds.
    public mutating func receive(
        _ datagram: Span<UInt8>, on base: Endpoint, from source: Endpoint, at now: Instant
    ) -> [Effect] { [] }

    /// Takes a connection accepted on a TCP base; `nil` when over a limit: close it.
    public mutating func accept(on base: Endpoint, from source: Endpoint, at now: Instant) -> ConnectionID? { nil }

    /// Reports that a connection of ``Effect/connect(_:from:to:)`` stands; `local` is its own address and port.
    public mutating func connected(_ id: ConnectionID, local: Endpoint, at now: Instant) -> [Effect] { [] }

    /// Reports that a connection could not be set up, was closed by the peer, or broke.
    public mutating func disconnected(_ id: ConnectionID, at now: Instant) -> [Effect] { [] }

    /// Takes bytes read from a connection, cut anywhere.
    public mutating func receive(_ bytes: Span<UInt8>, on id: ConnectionID, at now: Instant) -> [Effect] { [] }

    /// Sends application data: one datagram over the selected or else the best valid pair, or frames over the
    /// selected connection. On TCP nothing is sent before a pair is selected, as a stream cannot move to another connection.
    public mutating func send(_ payload: [UInt8], component: Int, at now: Instant) -> [Effect] { [] }

    /// Ends the session: connections are closed, nothing is answered any more.
    public mutating func close() -> [Effect] { [] }

    /// The pair a component uses, if one is selected.
    public func selectedPair(component: Int) -> SelectedPair? { nil }

    /// Whether a datagram is STUN as of RFC 8489 §5: length, top bits and cookie agree.
    public static func isSTUN(_ datagram: Span<UInt8>) -> Bool { false }
}
