public import SansIO

/// The RTP and RTCP state of one stream each way between two parties (RFC 3550), without payloads and protection.
///
/// Legal at any time: ``header(octets:duration:at:)`` for every packet sent, ``receive(_:at:)`` for every packet
/// received, ``advance(to:)`` when ``deadline`` has come, ``leave(at:)`` once at the end.
public struct RTPSession: Machine {
    /// What the session asks of its driver.
    public enum Effect: Hashable, Sendable {
        /// Send these packets as one RTCP datagram.
        case report(RTCPDatagram)
    }

    /// What the session needs to know.
    public struct Configuration: Hashable, Sendable {
        /// The payload type of packets sent.
        public var payloadType: UInt8
        /// Ticks a second of the payload's clock.
        public var clockRate: Int
        /// Our CNAME (RFC 7022).
        public var canonicalName: String
        /// The mean time between two reports; each is spread by half of it either way (RFC 3550 §6.3.1).
        public var reportInterval = Duration.seconds(1)
        /// How long after the first packet the first report is sent.
        public var firstReportDelay = Duration.milliseconds(200)
        /// Whether reception is reported in a datagram of its own: stock Jami looks at the first packet of a
        /// datagram only, so that a sender report in front hides the losses from it.
        public var reportsReceptionApart = false
        /// Where the driver's time line lies in civil time.
        public var wallClock: WallClock

        /// Creates a configuration.
        public init(payloadType: UInt8, clockRate: Int, canonicalName: String, wallClock: WallClock) {
            self.payloadType = payloadType
            self.clockRate = clockRate
            self.canonicalName = canonicalName
            self.wallClock = wallClock
        }
    }

    /// A sender report of the peer.
    private struct RemoteReport {
        var source: UInt32
        var time: NTPTimestamp
        var arrival: Instant
    }

    private let configuration: Configuration
    /// Our synchronisation source.
    public private(set) var source: UInt32
    /// How many packets were sent.
    public private(set) var packetsSent: Int64 = 0
    /// How many payload bytes were sent.
    public private(set) var octetsSent: Int64 = 0
    /// What was received from the peer's current source, or `nil` before its first packet.
    public private(set) var reception: ReceptionStatistics?
    /// The time a packet takes there and back, from the peer's last report about us.
    public private(set) var roundTrip: Duration?
    /// The share of our packets the peer lost before its last report, in percent.
    public private(set) var remoteLossPercent: Int?
    /// Whether the peer said goodbye.
    public private(set) var peerLeft = false
    /// When the next report is due.
    public private(set) var deadline: Instant?

    private var random: RandomSource
    private var sequence: SequenceNumber
    private var timestamp: UInt32
    private var lastSent: Instant?
    private var lastTimestamp: UInt32 = 0
    private var packetsReported: Int64 = 0
    private var remoteReport: RemoteReport?
    private var hasLeft = false

    /// Draws a source, a first timestamp and a first sequence number below 32768.
    public init(configuration: Configuration, random: RandomSource) {
        self.configuration = configuration
        self.random = random
        source = UInt32(truncatingIfNeeded: self.random.next())
        timestamp = UInt32(truncatingIfNeeded: self.random.next())
        // The upper half would let the loss of the first packets cost the receiver a rollover (RFC 3711 §3.3.1).
        sequence = SequenceNumber(rawValue: UInt16(truncatingIfNeeded: self.random.next()) & 0x7FFF)
    }

    /// The header for the next packet, which carries `octets` bytes of payload lasting `duration` ticks.
    public mutating func header(octets: Int, duration: UInt32, at now: Instant) -> RTPHeader {
        let header = RTPHeader(
            marker: packetsSent == 0, payloadType: configuration.payloadType, sequence: sequence, timestamp: timestamp,
            source: source)
        packetsSent += 1
        octetsSent += Int64(octets)
        (lastSent, lastTimestamp) = (now, timestamp)
        sequence = sequence.next
        timestamp &+= duration
        scheduleFirst(at: now)
        return header
    }

    /// Lets `duration` ticks pass without a packet.
    public mutating func skip(_ duration: UInt32) { timestamp &+= duration }

    /// Begins the sequence numbers anew if they are about to roll over; for streams under a new key, whose receiver
    /// cannot know of a rollover before its first packet. The peer takes the numbers left out for lost packets.
    public mutating func startAnewNearRollover() {
        guard sequence.rawValue > UInt16.max - Self.rolloverMargin else { return }
        sequence = SequenceNumber(rawValue: 0)
    }

    /// How many packets may be lost before the first one that arrives.
    private static let rolloverMargin: UInt16 = 500

    /// Counts an authenticated packet of the peer; a new source starts new counts.
    public mutating func receive(_ header: RTPHeader, at now: Instant) {
        if reception?.source != header.source {
            reception = ReceptionStatistics(source: header.source, clockRate: configuration.clockRate)
            peerLeft = false
        }
        reception?.receive(header.sequence, timestamp: header.timestamp, at: now)
        scheduleFirst(at: now)
    }

    /// Takes in the peer's reports.
    public mutating func receive(_ datagram: RTCPDatagram, at now: Instant) {
        for packet in datagram.packets {
            switch packet {
            case .senderReport(let report):
                remoteReport = RemoteReport(source: report.source, time: report.time, arrival: now)
                takeIn(report.blocks, at: now)
            case .receiverReport(let report):
                takeIn(report.blocks, at: now)
            case .goodbye(let goodbye):
                if let reception, goodbye.sources.contains(reception.source) { peerLeft = true }
            case .description, .other:
                break
            }
        }
    }

    /// Makes the report that is due.
    public mutating func advance(to now: Instant) -> [Effect] {
        guard let deadline, deadline <= now else { return [] }
        let spread = random.duration(in: configuration.reportInterval / 2...configuration.reportInterval * 3 / 2)
        self.deadline = now.advanced(by: spread)
        return reports(at: now, leaving: false)
    }

    /// Says goodbye; afterwards no more reports are due.
    public mutating func leave(at now: Instant) -> [Effect] {
        guard !hasLeft else { return [] }
        hasLeft = true
        deadline = nil
        return reports(at: now, leaving: true)
    }

    private mutating func scheduleFirst(at now: Instant) {
        guard deadline == nil, !hasLeft else { return }
        deadline = now.advanced(by: configuration.firstReportDelay)
    }

    private mutating func takeIn(_ blocks: [RTCPPacket.ReportBlock], at now: Instant) {
        for block in blocks where block.source == source {
            remoteLossPercent = Int(block.fractionLost) * 100 / 256
            guard block.lastSenderReport != 0 else { continue }
            let middle = NTPTimestamp(now, clock: configuration.wallClock).middle
            let units = middle &- block.lastSenderReport &- block.delaySinceLastSenderReport
            // A report from the future is a rounding error or a lie: no time at all (RFC 3550 §6.4.1).
            roundTrip = Int32(bitPattern: units) < 0 ? .zero : ShortNTP.duration(units)
        }
    }

    private mutating func reports(at now: Instant, leaving: Bool) -> [Effect] {
        let blocks = reportBlocks(at: now)
        let isSender = packetsSent > packetsReported
        packetsReported = packetsSent
        var datagrams: [[RTCPPacket]] = []
        if let lastSent, isSender {
            let report = senderReport(
                lastSent: lastSent, blocks: configuration.reportsReceptionApart ? [] : blocks, at: now)
            datagrams.append([.senderReport(report), description])
        }
        if !isSender || configuration.reportsReceptionApart && !blocks.isEmpty {
            datagrams.append([.receiverReport(.init(source: source, blocks: blocks)), description])
        }
        if leaving { datagrams[datagrams.count - 1].append(.goodbye(.init(sources: [source]))) }
        return datagrams.map { .report(RTCPDatagram($0)) }
    }

    private mutating func reportBlocks(at now: Instant) -> [RTCPPacket.ReportBlock] {
        guard let remote = reception?.source else { return [] }
        let last = remoteReport.flatMap { $0.source == remote ? (time: $0.time, arrival: $0.arrival) : nil }
        guard let block = reception?.report(lastReport: last, at: now) else { return [] }
        return [block]
    }

    private func senderReport(
        lastSent: Instant, blocks: [RTCPPacket.ReportBlock], at now: Instant
    ) -> RTCPPacket.SenderReport {
        let elapsed = min(max(lastSent.duration(to: now).seconds, 0), 3_600) * Double(configuration.clockRate)
        return RTCPPacket.SenderReport(
            source: source, time: NTPTimestamp(now, clock: configuration.wallClock),
            timestamp: lastTimestamp &+ UInt32(clamping: Int64(elapsed)),
            packetCount: UInt32(truncatingIfNeeded: packetsSent), octetCount: UInt32(truncatingIfNeeded: octetsSent),
            blocks: blocks)
    }

    private var description: RTCPPacket {
        let name = RTCPPacket.SourceDescription.Item(
            type: RTCPPacket.SourceDescription.Item.canonicalName, text: Array(configuration.canonicalName.utf8))
        return .description([.init(source: source, items: [name])])
    }
}
