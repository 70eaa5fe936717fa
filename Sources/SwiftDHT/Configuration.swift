/// What a node does and how much it will ever hold.
///
/// Where the released implementations have a choice of their own, the default is theirs; waits adapt to the network,
/// with theirs as the longest.
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
    /// Requests answered per second in all to Internet addresses that are not proven: the rest is kept for others.
    public var requestsFromStrangers = 6144
    /// How many source addresses the rate limit keeps count of.
    public var rateSourceLimit = 16384
    /// Whether an Internet address must have answered a ping, or shown a token, before it is sent more than it sent.
    public var provesAddresses = true
    /// How many proven addresses are remembered.
    public var provenAddressLimit = 16384
    /// How long an address stays proven.
    public var proofTime: Duration = .seconds(10 * 60)
    /// How many requests wait for their senders' addresses to be proven.
    public var withheldRequestLimit = 4096
    /// How many of them one address has.
    public var withheldPerAddress = 8
    /// The largest request that waits for a proof, in bytes.
    public var withheldSizeLimit = 1024

    // MARK: Nodes

    /// Nodes per bucket, per answer, and copies of each value.
    public var replication = 8
    /// How many nodes one family remembers in all.
    public var nodeLimit = 4096
    /// How many of them one address prefix has (IPv4: /24, IPv6: /56; Internet addresses only).
    public var nodesPerPrefix = 64
    /// How many members of a bucket one address prefix has.
    public var bucketMembersPerPrefix = 2
    /// How often a node that is heard is offered to a bucket that has no room for it.
    public var offerInterval: Duration = .seconds(1)
    /// How many nodes of one answer are looked at, per family; no release sends more than 8.
    public var namedNodeLimit = 16
    /// How many nodes that were lost are remembered, to be found again.
    public var formerNodeLimit = 64
    /// How many known nodes are asked at a time whether they are back.
    public var reunionProbes = 16
    /// How many nodes must stay silent one after another, with nobody heard, for the family to look cut off.
    public var silenceLimit = 3
    /// How many nodes are asked then; when they are silent too, the family counts as disconnected.
    public var silenceProbes = 8
    /// How often a node may be asked whether it is still at its address, because its identifier was seen at another.
    public var challengeInterval: Duration = .seconds(10)
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
    public var bootstrapIntervalLimit: Duration = .seconds(5 * 60)
    /// How many others, told apart by address or prefix, are heard about our own address; the latest count.
    public var observerLimit = 32

    // MARK: Requests

    /// How often a request is sent before its node counts as expired.
    public var requestAttempts = 4
    /// The shortest wait for the answer to a first attempt, however near a node is; each further wait is twice the last.
    public var shortestWait: Duration = .milliseconds(50)
    /// The wait for the answer to a first attempt while no round-trip time is known.
    public var initialWait: Duration = .milliseconds(250)
    /// The longest wait for the answer to a first attempt.
    public var longestWait: Duration = .seconds(1)
    /// The shortest wait after the second attempt: a get may pass over a node only then, while few have answered.
    public var patience: Duration = .milliseconds(250)
    /// How long a node must be silent to count as expired.
    public var expirySilence: Duration = .seconds(3)
    /// How long a request may go unanswered in all.
    public var requestLifetime: Duration = .seconds(8)
    /// How many reports that nobody listens somewhere are looked at per second.
    public var refusalsPerSecond = 256
    /// How many requests may be unanswered at a time.
    public var pendingRequestLimit = 65536

    // MARK: Searches and operations

    /// Nodes kept per search, not counting bad ones.
    public var searchWidth = 14
    /// Nodes kept per search in all.
    public var searchNodeLimit = 64
    /// Nodes kept per search of one address prefix.
    public var searchNodesPerPrefix = 16
    /// Nodes kept per search that are closer to the key than nodes should be in a network of this size.
    public var implausibleNodeLimit = 16
    /// Nodes of one address prefix that count towards the closest ones wanted; more are used besides.
    public var targetsPerPrefix = 3
    /// How many searches near a new node may have no use for it before no others are asked.
    public var offerRefusalLimit = 8
    /// The shortest time between looks of one search at all nodes known.
    public var refillInterval: Duration = .seconds(1)
    /// Unanswered lookups per search, besides those to nodes that are among the closest anyway.
    public var searchConcurrency = 4
    /// How many of the closest nodes a put or listen asks for closer ones, while it knows the tokens of the others.
    public var explorations = 3
    /// How many nodes' tokens one family remembers, for the puts and listens of any key.
    public var knownTokenLimit = 1024
    /// How many searches that nothing needs any more are kept, with the tokens of their nodes.
    public var idleSearchLimit = 8
    /// How long a search that nothing needs any more is kept.
    public var idleSearchTime: Duration = .seconds(60)
    /// Nodes that are asked to report new values.
    public var listenTargets = 4
    /// How many nodes must have answered before slow ones are given up.
    public var quorum = 3
    /// How many copies of a value are enough to report a put while others are tried in the places of slow nodes.
    public var putQuorum = 5
    /// How long a put that was reported as done goes on at nodes that were slow, and at those in the place of dead ones.
    public var lingering: Duration = .seconds(15)
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
    /// Bytes of memory that values of one IPv4 /24 or IPv6 /56 of the Internet may take.
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
