/// What a node does and how much it will ever hold. The defaults are those of the released implementations.
public struct Configuration: Sendable {
    /// The network's number; nodes of different networks ignore each other.
    public var network: UInt32 = 0
    /// Whether to ask only: others are told not to list this node.
    public var isClient = false
    /// How this software calls itself on the wire; not interpreted by anyone.
    public var agent = "SL1"
    /// Whether requests above ``requestsPerSource`` and ``requestsPerSecond`` are dropped.
    public var limitsRequestRate = true
    /// Requests answered per second and source address (IPv6: per /64).
    public var requestsPerSource = 1024
    /// Requests answered per second in all.
    public var requestsPerSecond = 8192
    /// How many source addresses the rate limit keeps count of.
    public var rateSourceLimit = 16384

    // MARK: Nodes

    /// Nodes per bucket, per answer, and copies of each value.
    public var replication = 8
    /// How many nodes one family remembers in all.
    public var nodeLimit = 4096
    /// How long a node that replied counts as good.
    public var replyFreshness: Duration = .seconds(120 * 60)
    /// How long a node that was heard counts as good.
    public var hearingFreshness: Duration = .seconds(10 * 60)
    /// How many endpoints may be banned, and for how long.
    public var banLimit = 1024
    /// How long a banned endpoint stays banned.
    public var banTime: Duration = .seconds(3600)
    /// How many bootstrap endpoints are kept.
    public var bootstrapLimit = 64
    /// The first wait before bootstrapping again while disconnected; doubles each time.
    public var bootstrapInterval: Duration = .seconds(10)
    /// The longest wait between bootstraps.
    public var bootstrapIntervalLimit: Duration = .seconds(24 * 3600)
    /// How many distinct own addresses reported by others are counted.
    public var observedAddressLimit = 32

    // MARK: Requests

    /// How often a request is sent before its node counts as expired.
    public var requestAttempts = 3
    /// Half the wait for an answer to the first attempt; each wait is twice the last plus up to ``requestJitter``.
    public var requestInterval: Duration = .milliseconds(500)
    /// The random part of each wait.
    public var requestJitter: Duration = .milliseconds(250)
    /// How many requests may be unanswered at a time.
    public var pendingRequestLimit = 65536
    /// The shortest wait before the next closest node is asked as well.
    public var hedgeDelay: Duration = .milliseconds(50)
    /// The wait before the next closest node is asked, in round-trip times.
    public var hedgeRoundTrips = 4
    /// The wait before the next closest node is asked, while no round-trip time is known.
    public var initialHedgeDelay: Duration = .milliseconds(250)

    // MARK: Searches and operations

    /// Nodes kept per search, not counting bad ones.
    public var searchWidth = 14
    /// Nodes kept per search in all.
    public var searchNodeLimit = 64
    /// Unanswered lookups per search.
    public var searchConcurrency = 4
    /// Nodes that are asked to report new values.
    public var listenTargets = 4
    /// How many nodes must have answered before slow ones are given up.
    public var quorum = 3
    /// How often in a row a node may refuse the token it gave before it counts as expired.
    public var tokenRefusalLimit = 3
    /// A put younger than this names no creation time, which clocks that differ would make an old one.
    public var creationOmission: Duration = .seconds(5)
    /// How long an answer keeps a node of a search synchronised.
    public var tokenFreshness: Duration = .seconds(10 * 60)
    /// How many gets, puts and listens may run at a time.
    public var operationLimit = 16384
    /// How long a get or put may take, waiting for a connection included.
    public var operationTimeout: Duration = .seconds(30)
    /// How often a listen is renewed at each storing node.
    public var listenInterval: Duration = .seconds(20)
    /// How long before the end of its lifetime a permanent value is stored again.
    public var refreshMargin: Duration = .seconds(10)
    /// How many values one get or listen distinguishes.
    public var knownValueLimit = 4096

    // MARK: Storage

    /// Bytes of memory that values of others may take.
    public var storageLimit = 64 << 20
    /// Bytes of memory that values of one IPv4 address or IPv6 /64 may take.
    public var storageLimitPerSource = 24 << 20
    /// Bytes of memory that values of one IPv4 /24 or IPv6 /48 may take.
    public var storageLimitPerPrefix = 40 << 20
    /// Keys stored, and listened to by others.
    public var keyLimit = 1 << 18
    /// Values stored per key.
    public var valuesPerKeyLimit = 16384
    /// Listeners served per key.
    public var listenersPerKeyLimit = 1024
    /// Listeners served in all.
    public var listenerLimit = 65536
    /// Listeners served of one source.
    public var listenersPerSource = 8192
    /// Bytes of memory that the query of a listener may take.
    public var listenQueryLimit = 2048
    /// How long a listener is served after it last asked.
    public var listenerLifetime: Duration = .seconds(600)
    /// The range of the random time a token secret is in use; the previous one stays valid.
    public var tokenInterval: ClosedRange<Duration> = .seconds(15 * 60)...(.seconds(45 * 60))

    // MARK: Storage maintenance

    /// Whether long-lived values of others are given to closer nodes as they appear.
    public var maintainsStorage = true
    /// The range of the time between two looks at everything stored.
    public var maintenanceInterval: ClosedRange<Duration> = .seconds(8 * 60)...(.seconds(12 * 60))
    /// The range of the time from the appearance of a neighbour to a look at everything stored.
    public var handoverDelay: ClosedRange<Duration> = .seconds(20)...(.seconds(60))
    /// A value that lives no longer than this is not handed over.
    public var handoverMargin: Duration = .seconds(15 * 60)
    /// A value that lives no longer than this is not handed over by a node that leaves.
    public var leavingMargin: Duration = .seconds(10)
    /// How many values are handed over at a time.
    public var handoverConcurrency = 16
    /// How many keys are looked at in one go.
    public var sweepSize = 512
    /// The pause between two goes.
    public var sweepPause: Duration = .milliseconds(100)

    // MARK: Examinations

    /// Signatures and certificates that the driver checks at a time.
    public var examinationConcurrency = 32
    /// Values that are checked or wait for it.
    public var examinationLimit = 8192
    /// Bytes of values that are checked or wait for it.
    public var examinationBytesLimit = 16 << 20
    /// Values of one source, to be stored, that are checked or wait for it.
    public var examinationsPerSource = 256
    /// How many puts and operations may wait for the check of the same value.
    public var examinationPurposeLimit = 64

    // MARK: Large values

    /// Values below this many packed bytes in all travel inside a message; others as fragments.
    public var inlineLimit = 600
    /// More values than this travel as fragments.
    public var inlineCountLimit = 50
    /// The largest packed value.
    public var packedValueLimit = 65568
    /// Packed bytes of values in one answer; what does not fit is left out.
    public var answerLimit = 512 << 10
    /// Packed bytes of values in one push to a listener; the rest follows in further pushes.
    public var pushLimit = 56 << 10
    /// Transfers of fragments that may be under way.
    public var transferLimit = 1024
    /// Bytes of fragments held while transfers are under way.
    public var transferBytesLimit = 16 << 20
    /// Transfers of one source that may be under way.
    public var transfersPerSource = 256
    /// Bytes of fragments of one source held while transfers are under way.
    public var transferBytesPerSource = 6 << 20
    /// Bytes of fragments held that came before the message announcing them.
    public var earlyBytesLimit = 120 << 10
    /// How long a transfer may take in all.
    public var transferTime: Duration = .seconds(10)
    /// How long a transfer may go without a new fragment.
    public var transferIdleTime: Duration = .seconds(3)
    /// How many fragments leave at once; the rest follows in bursts of as many.
    public var fragmentBurst = 64
    /// The pause between bursts of fragments.
    public var fragmentPause: Duration = .milliseconds(5)
    /// How many fragments may wait to be sent.
    public var fragmentQueueLimit = 16384

    /// The released implementations' choices.
    public init() {}
}
