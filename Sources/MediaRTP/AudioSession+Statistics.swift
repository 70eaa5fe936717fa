extension AudioSession {
    /// What a session counts itself.
    struct Counts {
        var received = 0
        var octetsReceived = 0
        var refused = 0
        var reportsSent = 0
        var reportsReceived = 0
    }

    /// What happened in a session so far.
    public struct Statistics: Hashable, Sendable {
        /// RTP packets sent.
        public var sent: Int
        /// Payload bytes sent.
        public var octetsSent: Int
        /// Authentic RTP packets received.
        public var received: Int
        /// Payload bytes received.
        public var octetsReceived: Int
        /// Packets the peer sent that never came, by their sequence numbers; negative with many duplicates.
        public var lost: Int
        /// Packets that came after their time to be played.
        public var late: Int
        /// Authentic packets that came more than once; SRTP refuses most repetitions before.
        public var duplicates: Int
        /// Datagrams refused, of both components; most of them for failed authentication.
        public var refused: Int
        /// Packets given up to shorten the delay.
        public var discarded: Int
        /// Lost packets that were recovered from the copy in the following packet.
        public var recovered: Int
        /// Blocks of 20 ms that were made up because nothing was there to be played.
        public var concealedBlocks: Int
        /// Blocks of 20 ms that were played.
        public var playedBlocks: Int
        /// RTCP datagrams sent.
        public var reportsSent: Int
        /// RTCP datagrams received.
        public var reportsReceived: Int
        /// The mean deviation of the packets' spacing (RFC 3550 §6.4.1).
        public var jitter: Duration
        /// The time to the peer and back, once it reported.
        public var roundTrip: Duration?
        /// The share of our packets lost on the way to the peer lately, once it reported.
        public var remoteLossPercent: Int?
        /// How long packets wait before they are played, compared with the fastest ones.
        public var playoutDelay: Duration

        init(_ counts: Counts, session: RTPSession, player: AudioPlayer) {
            sent = Int(session.packetsSent)
            octetsSent = Int(session.octetsSent)
            received = counts.received
            octetsReceived = counts.octetsReceived
            lost = Int(session.reception?.lost ?? 0)
            late = player.buffer.late
            duplicates = player.buffer.duplicates
            refused = counts.refused
            discarded = player.buffer.discarded
            recovered = player.recovered
            concealedBlocks = player.concealedSamples / AudioSession.blockLength
            playedBlocks = player.playedSamples / AudioSession.blockLength
            reportsSent = counts.reportsSent
            reportsReceived = counts.reportsReceived
            jitter = session.reception?.jitter ?? .zero
            roundTrip = session.roundTrip
            remoteLossPercent = session.remoteLossPercent
            playoutDelay = player.buffer.delay
        }
    }
}
