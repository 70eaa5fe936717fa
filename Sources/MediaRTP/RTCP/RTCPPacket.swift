/// One packet of an RTCP datagram (RFC 3550 §6).
public enum RTCPPacket: Hashable, Sendable {
    /// What a sender sent, and how it receives others (SR).
    case senderReport(SenderReport)
    /// How a participant receives others (RR).
    case receiverReport(ReceiverReport)
    /// Who the sources are (SDES).
    case description([SourceDescription])
    /// Sources that leave (BYE).
    case goodbye(Goodbye)
    /// Any other kind, feedback and applications included, kept verbatim.
    case other(Other)

    /// How one source is received by the reporter (RFC 3550 §6.4.1).
    public struct ReportBlock: Hashable, Sendable {
        /// The source reported on.
        public var source: UInt32
        /// The share of packets lost since the last report, in 1/256.
        public var fractionLost: UInt8
        /// All packets lost, -8388608...8388607; negative when duplicates outweigh losses.
        public var cumulativeLost: Int32
        /// The highest sequence number received, extended by the count of its cycles.
        public var highestSequence: UInt32
        /// The jitter of arrival in units of the payload's clock.
        public var jitter: UInt32
        /// ``NTPTimestamp/middle`` of the last sender report received; 0 before the first.
        public var lastSenderReport: UInt32
        /// How long ago it was received, in 1/65536 s.
        public var delaySinceLastSenderReport: UInt32

        /// Creates a block.
        public init(
            source: UInt32, fractionLost: UInt8, cumulativeLost: Int32, highestSequence: UInt32, jitter: UInt32,
            lastSenderReport: UInt32, delaySinceLastSenderReport: UInt32
        ) {
            self.source = source
            self.fractionLost = fractionLost
            self.cumulativeLost = cumulativeLost
            self.highestSequence = highestSequence
            self.jitter = jitter
            self.lastSenderReport = lastSenderReport
            self.delaySinceLastSenderReport = delaySinceLastSenderReport
        }
    }

    /// A sender report.
    public struct SenderReport: Hashable, Sendable {
        /// The reporting source.
        public var source: UInt32
        /// When the report was made, in civil time.
        public var time: NTPTimestamp
        /// The same moment in units of the payload's clock.
        public var timestamp: UInt32
        /// How many packets the source sent.
        public var packetCount: UInt32
        /// How many payload bytes it sent.
        public var octetCount: UInt32
        /// At most 31 blocks.
        public var blocks: [ReportBlock]
        /// What a profile adds behind the blocks, a multiple of four bytes.
        public var profileExtension: [UInt8]

        /// Creates a report.
        public init(
            source: UInt32, time: NTPTimestamp, timestamp: UInt32, packetCount: UInt32, octetCount: UInt32,
            blocks: [ReportBlock] = [], profileExtension: [UInt8] = []
        ) {
            self.source = source
            self.time = time
            self.timestamp = timestamp
            self.packetCount = packetCount
            self.octetCount = octetCount
            self.blocks = blocks
            self.profileExtension = profileExtension
        }
    }

    /// A receiver report.
    public struct ReceiverReport: Hashable, Sendable {
        /// The reporting source.
        public var source: UInt32
        /// At most 31 blocks.
        public var blocks: [ReportBlock]
        /// What a profile adds behind the blocks, a multiple of four bytes.
        public var profileExtension: [UInt8]

        /// Creates a report.
        public init(source: UInt32, blocks: [ReportBlock] = [], profileExtension: [UInt8] = []) {
            self.source = source
            self.blocks = blocks
            self.profileExtension = profileExtension
        }
    }

    /// What one source says about itself (RFC 3550 §6.5).
    public struct SourceDescription: Hashable, Sendable {
        /// One item, such as the CNAME.
        public struct Item: Hashable, Sendable {
            /// The type of the canonical name.
            public static let canonicalName: UInt8 = 1

            /// The item's type, 1...255.
            public var type: UInt8
            /// At most 255 bytes of UTF-8, by rule.
            public var text: [UInt8]

            /// Creates an item.
            public init(type: UInt8, text: [UInt8]) {
                self.type = type
                self.text = text
            }
        }

        /// The source described.
        public var source: UInt32
        /// Its items.
        public var items: [Item]

        /// Creates a description.
        public init(source: UInt32, items: [Item]) {
            self.source = source
            self.items = items
        }
    }

    /// The end of sources.
    public struct Goodbye: Hashable, Sendable {
        /// At most 31 sources that leave.
        public var sources: [UInt32]
        /// Why, at most 255 bytes of UTF-8; `nil` when nothing is said.
        public var reason: [UInt8]?

        /// Creates a goodbye.
        public init(sources: [UInt32], reason: [UInt8]? = nil) {
            self.sources = sources
            self.reason = reason
        }
    }

    /// A packet of a kind that is not interpreted here.
    public struct Other: Hashable, Sendable {
        /// The type of application-defined packets.
        public static let application: UInt8 = 204
        /// The type of transport-layer feedback (RFC 4585).
        public static let transportFeedback: UInt8 = 205
        /// The type of payload-specific feedback (RFC 4585), under which REMB travels too.
        public static let payloadFeedback: UInt8 = 206

        /// The packet type.
        public var type: UInt8
        /// The five bits before the type: a count, a format or a subtype.
        public var format: UInt8
        /// What follows the first four bytes, a multiple of four bytes.
        public var body: [UInt8]

        /// Creates a packet.
        public init(type: UInt8, format: UInt8, body: [UInt8]) {
            self.type = type
            self.format = format
            self.body = body
        }
    }
}
