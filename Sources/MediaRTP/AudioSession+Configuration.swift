public import SansIO

extension AudioSession {
    /// What both sides agreed on, and our limits.
    public struct Configuration: Sendable {
        /// The RTP payload type of Opus in both directions; 104 in stock Jami.
        public var payloadType: UInt8 = 104
        /// What we protect with; from our own `a=crypto` line.
        public var localKey: SRTPKey
        /// What the peer protects with; from the peer's `a=crypto` line.
        public var remoteKey: SRTPKey
        /// The suite both keys are for.
        public var suite: SRTPSuite
        /// Whether RTCP is protected.
        public var controlMode: ControlMode
        /// Our CNAME (RFC 7022); drawn at random when `nil`. Never name the user or the machine.
        public var canonicalName: String?
        /// Bits a second of the audio sent, 6,000...510,000.
        public var bitRate = 32_000
        /// The least loss the encoder prepares for, in percent; more when the peer reports more.
        public var expectedLossPercent = 10
        /// The encoder's effort, 0...10.
        public var complexity = 7
        /// The longest datagram that is looked at, in bytes.
        public var datagramLimit = 2_048
        /// How the playout delay adapts.
        public var jitter = JitterBuffer.Configuration()
        /// The mean time between two reports.
        public var reportInterval = Duration.seconds(1)
        /// How long after the first packet the first report is sent.
        public var firstReportDelay = Duration.milliseconds(200)
        /// Where the driver's time line lies in civil time, for the timestamps of sender reports.
        public var wallClock: WallClock

        /// Creates a configuration with stock Jami's values where no others are given.
        public init(
            localKey: SRTPKey, remoteKey: SRTPKey, suite: SRTPSuite = .aes128CounterSHA1Tag80,
            controlMode: ControlMode = .clear, wallClock: WallClock = WallClock(epochOffset: 0)
        ) {
            self.localKey = localKey
            self.remoteKey = remoteKey
            self.suite = suite
            self.controlMode = controlMode
            self.wallClock = wallClock
        }
    }

    /// How RTCP travels.
    public enum ControlMode: Hashable, Sendable {
        /// Plain RTCP out, protected or plain RTCP in: what stock Jami does under the profile RTP/SAVP.
        ///
        /// Plain reports prove nothing about their sender: hand in only what came over the connected path.
        case clear
        /// SRTCP both ways; anything else is refused.
        case protected
    }

    /// What became of a received datagram.
    public enum Receipt: Hashable, Sendable {
        /// It was taken in.
        case accepted
        /// It was authentic, and received before.
        case duplicate
        /// It was authentic, and came after its time to be played.
        case late
        /// It was not taken in.
        case refused(Refusal)
    }

    /// Why a received datagram was refused.
    public enum Refusal: Error, Hashable, Sendable {
        /// It is longer than ``Configuration/datagramLimit``.
        case tooLong
        /// It does not authenticate under the peer's key, or is too short to.
        case authentication
        /// It was received before, or is too old to tell.
        case replayed
        /// The peer uses too many sources.
        case tooManySources
        /// It authenticates, and its bytes are not RTP or RTCP.
        case malformed(WireError)
        /// It carries another payload type than was agreed.
        case payloadType(UInt8)
        /// It carries our own source.
        case looped
        /// Its payload is not Opus.
        case codec

        init(_ error: MediaError) {
            self =
                switch error {
                case .replayed: .replayed
                case .tooManySources: .tooManySources
                default: .authentication
                }
        }
    }
}
