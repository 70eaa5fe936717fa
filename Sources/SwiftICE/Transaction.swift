internal import SansIO

/// A Binding request of ours that may still be answered.
struct Transaction: Sendable {
    /// What the request was for.
    enum Purpose: Hashable, Sendable {
        /// Checks a pair; nominates it when asked to.
        case check(nominating: Bool)
        /// Renews the peer's consent on the selected pair of a component, and nominates it once more when asked to.
        case consent(component: Int, nominating: Bool)

        var nominates: Bool {
            switch self {
            case .check(let nominating), .consent(_, let nominating): nominating
            }
        }
    }

    /// Repetitions ahead of the regular schedule.
    struct Haste: Hashable, Sendable {
        /// The wait before the next one.
        var wait: Duration
        /// What it grows by each time.
        let growth: Int
        /// When they end.
        let end: Instant
    }

    let id: TransactionID
    let pair: Int
    let purpose: Purpose
    /// What the answer is protected with.
    let remoteKey: IntegrityKey
    /// Our role in the request, to which a role conflict refers.
    let role: Role
    let path: ICEAgent.Path
    let request: [UInt8]
    let sentAt: Instant
    let timing: Retransmission
    var attempts = 1
    /// When the request was last sent.
    var lastSent: Instant
    /// When the regular schedule wants to repeat the request, or to give it up.
    var regular: Instant
    /// How it is repeated ahead of the regular schedule.
    var haste: Haste?
    /// Whether it has been repeated because another pair works.
    var isHastened = false
    /// Whether it is repeated no more, though an answer still counts.
    var isCancelled = false

    /// How long the answer that comes now took. Of a request that was repeated nobody knows which one is answered, so
    /// this is the shortest it can be.
    func roundTrip(at now: Instant) -> Duration { lastSent.duration(to: now) }

    var isConsent: Bool {
        if case .consent = purpose { true } else { false }
    }
}

/// A check of the peer, authenticated.
struct ReceivedCheck: Hashable, Sendable {
    let path: ICEAgent.Path
    /// The transport address it came from.
    let source: Endpoint
    let component: Int
    /// The priority of a peer-reflexive candidate born from it.
    let priority: UInt32
    var nominates: Bool
    /// The number of the nomination, between peers that renominate.
    var nomination: UInt32 = 0
}

/// A TCP connection the agent opened or accepted.
struct Connection: Sendable {
    enum Phase: Hashable, Sendable {
        case connecting
        case open
    }

    let id: ICEAgent.ConnectionID
    let component: Int
    /// The base it was accepted on, or the one whose address it was opened from.
    let base: Endpoint
    let remote: Endpoint
    let isAccepted: Bool
    var phase: Phase
    /// Our own end, once known.
    var local: Endpoint?
    var pair: Int?
    /// Whether a valid check or response has arrived on it.
    var isIdentified = false
    /// Whether the peer sent application data on it, and so means to use it.
    var carriesData = false
    var deframer = StreamDeframer()
    /// Application data that came before a pair was selected.
    var early: [[UInt8]] = []
    var earlyCount = 0
}
