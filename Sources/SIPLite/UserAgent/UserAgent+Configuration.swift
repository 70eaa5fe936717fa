public import SansIO

extension UserAgent {
    /// Everything about an agent that may be tuned.
    public struct Configuration: Sendable {
        /// The `User-Agent` text. Jami peers search it for `Jami Daemon <version>` to learn what we can do.
        public var userAgent = "Swiftlet/0.1 (Jami Daemon 13.7.0 ; compatible)"
        /// The methods we answer, as `Allow` lists them. Peers do not send `MESSAGE` inside a call to who does not list it.
        public var allow: [Method] = [.invite, .ack, .bye, .cancel, .update, .info, .options, .message]
        /// The options we know (`Supported`); a request that requires another one is answered 420.
        public var supported: [String] = []
        /// The `Subject` of our calls.
        public var subject = "Phone call"
        /// The types of bodies we say we read (`Accept`).
        public var accept = ["application/sdp", "text/plain", "application/im-iscomposing+xml"]
        /// How long an incoming call may ring before it is declined with 486.
        public var ringingTimeout: Duration = .seconds(30)
        /// How long our call may go unanswered before it is cancelled.
        public var noAnswerTimeout: Duration = .seconds(60)
        /// The waiting times of transactions.
        public var timing = TransactionTiming()
        /// What the parser accepts.
        public var limits = MessageLimits()
        /// The largest message we send: stock Jami drops a channel at 8,000 octets.
        public var maximumMessageSize = 7_900
        /// The most flows open at once.
        public var maximumFlows = 4_096
        /// The most calls at once.
        public var maximumCalls = 256
        /// The most transactions at once; requests beyond it are answered 503.
        public var maximumTransactions = 16_384
        /// The most transactions on one flow.
        public var maximumTransactionsPerFlow = 2_048
        /// The most requests inside one call that wait for an answer of the peer; a profile card is one for each
        /// thousand characters.
        public var maximumPendingRequests = 2_048
        /// How long an unfinished message may stay in the framer of a stream, from its first octet.
        public var unfinishedMessageTimeout: Duration = .seconds(32)
        /// Where the time line lies in civil time, for the `Date` of messages outside calls; without it none is written.
        public var wallClock: WallClock?

        /// How large a description may be so that it surely fits a message with header fields of usual length; for
        /// ``SessionDescription/trimmed(toFit:)``.
        public var roomForDescription: Int { max(0, maximumMessageSize - 1_900) }

        /// Creates the configuration for Jami peers.
        public init() {}
    }
}
