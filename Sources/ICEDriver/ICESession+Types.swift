public import SansIO
public import SecureChannel
public import SwiftICE

extension ICESession {
    /// What a session uses.
    public struct Configuration {
        /// The limits and intervals of the agent, with the shortest pacing RFC 8445 §14.2 allows and an early repetition
        /// of checks: the time to a path that is not the first to be tried is mostly that, or that of a lost packet.
        public var agent: SwiftICE.Configuration
        /// How many components the session has.
        public var components = 1
        /// Whether UDP sockets are opened.
        public var usesUDP = true
        /// Whether TCP listeners are opened.
        public var usesTCP = false
        /// The addresses sockets are bound to, best first; their ports are ignored. `nil` is those of the interfaces, whose
        /// changes the session then follows.
        public var addresses: [Endpoint]?
        /// The STUN servers each UDP socket asks for its address.
        public var stunServers: [Endpoint] = []
        /// How the servers are asked.
        public var stunTiming = Retransmission()
        /// The TURN servers, best first; a relay is kept for each component at one of them.
        public var turnServers: [TURNServer] = []
        /// Which TURN servers are talked to under TLS.
        public var turnTrust = ServerTrust.system
        /// Whether gateways are asked to map the ports of our sockets.
        public var mapsPorts = false
        /// How long gathering waits for gateways.
        public var mappingPatience = Duration.milliseconds(250)
        /// How long gathering waits for servers once a relay stands.
        public var patienceWithRelay = Duration.milliseconds(700)
        /// How long gathering waits for further servers once one has answered every socket and no relay is to come.
        public var patienceWithAddress = Duration.milliseconds(700)
        /// How long gathering may take; what turns up later is told by ``Handlers/found``.
        public var gatheringPatience = Duration.milliseconds(2_500)
        /// Whether the peer is told names ending in `.local` instead of the host's addresses, which only a peer on one of our
        /// links can look up: ``ICESession/namedCandidates`` beside ``ICESession/localDescription``.
        public var namesHosts = false
        /// How many bytes each direction of a UDP socket may queue in the kernel, which may grant less; `nil` is its default.
        public var socketBuffer: Int?

        /// Host candidates over UDP.
        public init() {
            agent = SwiftICE.Configuration()
            agent.pacing = .milliseconds(5)
            agent.earlyRepetition = .milliseconds(150)
        }
    }

    /// What a session tells its owner. Each is called on the loop's thread, and none after ``close()``.
    public struct Handlers {
        /// All our candidates are known, or took too long: ``localDescription`` is ready.
        public var gathered: () -> Void = {}
        /// A candidate turned up after `gathered`, to be told to a peer that takes them late (RFC 8838).
        public var found: (Candidate) -> Void = { _ in }
        /// A candidate told by name turned up after `gathered`; see ``ICESession/namedCandidates``.
        public var named: (_ host: String, Candidate) -> Void = { _, _ in }
        /// Data of a component can be sent from now on.
        public var writable: (_ component: Int) -> Void = { _ in }
        /// A component has a pair, or a better one than before.
        public var selected: (ICEAgent.SelectedPair, _ component: Int) -> Void = { _, _ in }
        /// The path of a component is gone and others are looked for; `writable` is called again when one is found.
        public var lost: (_ component: Int) -> Void = { _ in }
        /// Every component has a pair.
        public var completed: () -> Void = {}
        /// Data of the peer came, valid during the call.
        public var received: (Span<UInt8>, _ component: Int) -> Void = { _, _ in }
        /// The session is over.
        public var failed: (ICEAgent.Failure) -> Void = { _ in }

        /// Handlers that do nothing.
        public init() {}
    }

    /// What happened so far.
    public struct Counters: Hashable, Sendable {
        /// STUN messages sent to the peer or to servers.
        public var controlSent = 0
        /// Datagrams of application data handed up.
        public var dataReceived = 0
        /// Datagrams of application data the kernel took.
        public var dataSent = 0
        /// Datagrams dropped because they are not the peer's.
        public var strangers = 0
        /// Connections to TURN servers whose certificate did not hold, or that TLS failed on in another way.
        public var distrustedServers = 0
        /// Inputs the agent refused.
        public var ignored = 0
    }
}
