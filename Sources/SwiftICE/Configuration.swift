/// The limits and intervals of an agent; the defaults suit a session with a Jami peer.
public struct Configuration: Hashable, Sendable {
    /// Consent freshness of RFC 7675.
    public struct Consent: Hashable, Sendable {
        /// The mean time between two checks; each is drawn from 0.8 to 1.2 times this.
        public var interval = Duration.seconds(5)
        /// How long after the last valid answer sending stops.
        public var expiry = Duration.seconds(30)

        /// The values of RFC 7675 §5.1.
        public init() {}
    }

    /// Which candidates are shown to the peer and checked from (RFC 8828 calls such choices modes).
    public enum Policy: Hashable, Sendable, CaseIterable {
        /// All.
        case all
        /// No address of the host's own interfaces is shown; they are checked from all the same.
        case noHost
        /// The peer sees addresses of relays only, and nothing arrives or leaves but over them.
        case relayOnly
    }

    /// Which candidates are used.
    public var policy = Policy.all
    /// Whether TCP bases get a simultaneous-open candidate too (RFC 6544 §4.1); no stock Jami peer knows them.
    public var opensSimultaneously = false

    /// The time between two ordinary checks (Ta of RFC 8445 §14.2).
    public var pacing = Duration.milliseconds(20)
    /// How many triggered checks may leave unpaced within ``triggeredWindow``.
    public var triggeredBurst = 5
    /// The window of ``triggeredBurst``.
    public var triggeredWindow = Duration.milliseconds(50)
    /// How checks over UDP are repeated; its total also bounds a check over TCP.
    public var retransmission = Retransmission()
    /// The wait before a check over UDP is repeated ahead of ``retransmission``, doubled with each such repetition;
    /// `nil` is only where something is known of the path.
    public var earlyRepetition: Duration?
    /// The wait before a nomination over UDP is repeated, ten times; twice its round trip if that is more.
    public var nominationRepetition = Duration.milliseconds(100)
    /// The longest wait for a better pair once one is valid.
    public var nominationDelay = Duration.milliseconds(400)
    /// The shortest wait for a direct pair once one over a relay is valid.
    public var relayedNominationDelay = Duration.milliseconds(50)
    /// How long after the start, or after the end of remote candidates, a session may stay without a path (RFC 8863).
    public var patience = Duration.milliseconds(39_500)
    /// How much longer a session waits for the nomination when every component has a valid pair by then.
    public var nominationPatience = Duration.seconds(10)
    /// The time without sending after which a selected path is kept alive by an indication (RFC 8445 §11).
    public var keepalive = Duration.seconds(15)
    /// Consent checks, or `nil` to only answer those of the peer, as stock Jami does.
    public var consent: Consent? = Consent()

    /// How long after the selection a peer's check from elsewhere is taken for the leftover of its search for paths.
    public var settling = Duration.milliseconds(400)
    /// The time between two questions whether a selected pair still works, at least; twice its round trip if that is
    /// more.
    public var probeInterval = Duration.milliseconds(250)
    /// How many such questions stay without an answer until other pairs are taken instead.
    public var probeAttempts = 4

    /// The mean time between two attempts of a simultaneous-open candidate to connect; each is drawn from 0.75 to 1.25 times
    /// this.
    public var simultaneousRetryInterval = Duration.milliseconds(150)
    /// How many times it tries again.
    public var simultaneousRetries = 66

    /// How long a connection may take to be set up.
    public var connectTimeout = Duration.seconds(15)
    /// The time between two attempts to connect.
    public var connectRetryInterval = Duration.milliseconds(500)
    /// How many times a connection is tried again.
    public var connectRetries = 24
    /// How long an accepted connection may stay without a valid check.
    public var identificationTimeout = Duration.seconds(10)
    /// How many accepted connections may wait for their first valid check.
    public var unidentifiedConnectionLimit = 16
    /// How many connections, of any kind, may exist.
    public var connectionLimit = 64
    /// How long connections that lost stay open after the nomination, as an aggressive peer may send on another one;
    /// `nil` is until the session ends.
    ///
    /// A stock Jami peer (13.7.0) that sees one of a session's connections closed reads the others every half second
    /// only, for as long as the session lasts.
    public var linger: Duration?
    /// The most bytes of application data put in one frame on TCP; longer data is cut (RFC 4571 allows 65535).
    public var framePayloadLimit = 65_533
    /// The most bytes of application data kept per connection until a pair is selected.
    public var earlyDataLimit = 262_144

    /// How many candidates of our own a component may have; Jami reads 31.
    public var localCandidateLimit = 31
    /// How many remote candidates a component may have, peer-reflexive ones included.
    public var remoteCandidateLimit = 64
    /// How many of them may be peer-reflexive, so that replayed checks from many addresses crowd nothing out.
    public var peerReflexiveLimit = 16
    /// How many answers may come from elsewhere than their checks went to, until checks from new addresses are answered
    /// only.
    public var asymmetryLimit = 8
    /// How many ports of a peer's NAT are guessed for each component, where that was agreed on.
    public var predictionLimit = 8
    /// How far two ports of a NAT may be apart that counts them up.
    public var predictionStep = 4
    /// How long a session that may probe random ports goes without a path before it does.
    public var birthdayDelay = Duration.seconds(2)
    /// How many sockets a side with a NAT that draws ports opens for that, for each component.
    public var birthdaySocketLimit = 256
    /// How many ports the other side tries: of 64512 with 256 open, one in 252 leads to a meeting, so 98 % of so many do.
    public var birthdayProbeLimit = 1024
    /// The time between two packets of such a search, for each component.
    public var birthdayInterval = Duration.milliseconds(10)
    /// How many addresses may be let through on relays.
    public var permissionLimit = 64
    /// How many names of the peer may be under resolution.
    public var resolutionLimit = 8
    /// How long the resolution of a name may take.
    public var resolutionTimeout = Duration.seconds(5)
    /// How many pairs are checked at most (RFC 8445 §6.1.2.5).
    public var pairLimit = 100
    /// How many checks of each component are remembered while the remote description is not known.
    public var earlyCheckLimit = 64
    /// How many transactions may be open.
    public var transactionLimit = 512

    /// The defaults.
    public init() {}
}

/// When a request over UDP is repeated and given up (RFC 8489 §6.2.1).
public struct Retransmission: Hashable, Sendable {
    /// The wait after the first transmission; it doubles with each one (RTO).
    public var initial: Duration
    /// How many times the request is sent (Rc).
    public var attempts: Int
    /// The wait after the last transmission, in multiples of ``initial`` (Rm).
    public var lastWaitFactor: Int

    /// The defaults of RFC 8489.
    public init(initial: Duration = .milliseconds(500), attempts: Int = 7, lastWaitFactor: Int = 16) {
        self.initial = initial
        self.attempts = max(1, attempts)
        self.lastWaitFactor = max(1, lastWaitFactor)
    }

    /// How long to wait after transmission number `attempt`, counted from 1.
    public func wait(after attempt: Int) -> Duration {
        guard attempt < attempts else { return initial * lastWaitFactor }
        return initial * (1 << min(max(attempt - 1, 0), 20))
    }

    /// The time from the first transmission to giving up; also the whole time of a request over TCP (Ti).
    public var total: Duration { (1...attempts).reduce(.zero) { $0 + wait(after: $1) } }
}
