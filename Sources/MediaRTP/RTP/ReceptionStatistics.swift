public import SansIO

/// What RFC 3550 asks a receiver to count about one source (A.1, A.3, A.8).
public struct ReceptionStatistics: Hashable, Sendable {
    /// A jump of the sequence number beyond this many packets is not taken for loss (RFC 3550 A.1).
    static let dropoutLimit = 3_000
    /// A packet further behind than this is not taken for reordered (RFC 3550 A.1).
    static let misorderLimit = 100

    /// The source counted.
    public let source: UInt32
    /// Ticks a second of the payload's clock.
    public let clockRate: Int
    /// How many packets were received, duplicates included.
    public private(set) var received: Int64 = 0

    private var extender = SequenceExtender()
    private var first: Int64?
    private var resynchronizing: SequenceNumber?
    private var expectedBefore: Int64 = 0
    private var receivedBefore: Int64 = 0
    private var previous: Arrival?
    /// The jitter, scaled by 16 as in RFC 3550 A.8.
    private var scaledJitter: Int64 = 0

    private struct Arrival: Hashable {
        var instant: Instant
        var timestamp: UInt32
    }

    /// Starts counting a source.
    public init(source: UInt32, clockRate: Int) {
        self.source = source
        self.clockRate = max(clockRate, 1)
    }

    /// Counts one packet of the source.
    public mutating func receive(_ sequence: SequenceNumber, timestamp: UInt32, at now: Instant) {
        guard accept(sequence) else { return }
        received += 1
        measure(timestamp, at: now)
    }

    /// How many packets were sent as far as the sequence numbers tell.
    public var expected: Int64 {
        guard let first, let highest = extender.highest else { return 0 }
        return highest - first + 1
    }

    /// How many packets were lost; negative when duplicates outweigh losses.
    public var lost: Int64 { expected - received }

    /// The mean deviation of the packets' spacing in ticks of the payload's clock.
    public var jitterTicks: UInt32 { UInt32(clamping: scaledJitter >> 4) }

    /// The mean deviation of the packets' spacing.
    public var jitter: Duration { .seconds(Double(scaledJitter) / 16 / Double(clockRate)) }

    /// Makes a report block and begins the next interval for the share of loss.
    ///
    /// `lastReport` is the last sender report of the source and when it arrived.
    public mutating func report(
        lastReport: (time: NTPTimestamp, arrival: Instant)?, at now: Instant
    ) -> RTCPPacket.ReportBlock {
        let (expectedNow, receivedNow) = (expected - expectedBefore, received - receivedBefore)
        (expectedBefore, receivedBefore) = (expected, received)
        let lostNow = expectedNow - receivedNow
        let fraction = expectedNow > 0 && lostNow > 0 ? min(lostNow * 256 / expectedNow, 255) : 0
        return RTCPPacket.ReportBlock(
            source: source, fractionLost: UInt8(clamping: fraction),
            cumulativeLost: Int32(min(max(lost, -0x80_0000), 0x7F_FFFF)),
            highestSequence: UInt32(truncatingIfNeeded: max((extender.highest ?? 0) - Self.cycle, 0)),
            jitter: jitterTicks, lastSenderReport: lastReport?.time.middle ?? 0,
            delaySinceLastSenderReport: lastReport.map { ShortNTP.units($0.arrival.duration(to: now)) } ?? 0)
    }

    /// ``SequenceExtender`` begins one cycle high.
    private static let cycle: Int64 = 1 << 16

    /// Follows the sequence; a big jump is believed when the next packet continues it.
    private mutating func accept(_ sequence: SequenceNumber) -> Bool {
        if let highest = extender.highest {
            let distance = SequenceNumber(rawValue: UInt16(truncatingIfNeeded: highest)).distance(to: sequence)
            if distance > Self.dropoutLimit || distance < -Self.misorderLimit {
                guard resynchronizing == sequence else {
                    resynchronizing = sequence.next
                    return false
                }
                self = ReceptionStatistics(source: source, clockRate: clockRate)
            }
        }
        resynchronizing = nil
        let extended = extender.extend(sequence)
        first = min(first ?? extended, extended)
        return true
    }

    private mutating func measure(_ timestamp: UInt32, at now: Instant) {
        defer { previous = Arrival(instant: now, timestamp: timestamp) }
        // Packets that share a timestamp say nothing about the spacing of their sampling.
        guard let previous, timestamp != previous.timestamp else { return }
        let elapsed = previous.instant.duration(to: now).seconds * Double(clockRate)
        let sampled = Int64(Int32(bitPattern: timestamp &- previous.timestamp))
        let deviation = abs(Int64(min(max(elapsed, -1e9), 1e9).rounded()) - sampled)
        scaledJitter += deviation - ((scaledJitter + 8) >> 4)
    }
}
