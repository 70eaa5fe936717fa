public import SansIO

/// The media plane of one audio call: samples in, protected packets out, and back.
///
/// It keeps no clock and opens no socket. The driver calls ``packet(for:at:)`` with every 20 ms block it captured and
/// sends the datagram over the RTP component, hands in what arrives, takes one block from ``playout(at:)`` every
/// 20 ms, and sends ``dueReports(at:)`` over the RTCP component whenever ``deadline`` has come. At the end it sends
/// ``goodbye(at:)``. One thread at a time.
public final class AudioSession {
    /// Samples in one block of 20 ms at 48 kHz, in both directions.
    public static let blockLength = OpusEncoder.blockLength

    let configuration: Configuration
    private let encoder: OpusEncoder
    var outbound: SRTPContext
    var inbound: InboundProtection
    private let player: AudioPlayer
    var session: RTPSession
    private var counts = Counts()
    private let started: Instant

    /// When the first authentic packet came, or `nil` before.
    public private(set) var firstPacketReceived: Instant?
    /// When the latest authentic packet came, or `nil` before the first.
    public private(set) var lastPacketReceived: Instant?

    /// Prepares both directions; nothing is sent before the driver hands in samples.
    public init(configuration: Configuration, random: RandomSource, at now: Instant) throws(MediaError) {
        var random = random
        self.configuration = configuration
        started = now
        encoder = try OpusEncoder(
            bitRate: configuration.bitRate, expectedLossPercent: configuration.expectedLossPercent,
            complexity: configuration.complexity)
        outbound = try SRTPContext(key: configuration.localKey, suite: configuration.suite, direction: .outbound)
        inbound = try InboundProtection(key: configuration.remoteKey, suite: configuration.suite)
        player = try AudioPlayer(configuration.jitter)
        let name = configuration.canonicalName ?? Base64.encode(random.bytes(12))
        var rules = RTPSession.Configuration(
            payloadType: configuration.payloadType, clockRate: OpusEncoder.sampleRate, canonicalName: name,
            wallClock: configuration.wallClock)
        rules.reportInterval = configuration.reportInterval
        rules.firstReportDelay = configuration.firstReportDelay
        rules.reportsReceptionApart = configuration.controlMode == .clear
        session = RTPSession(configuration: rules, random: random.split())
    }

    /// How long no authentic packet has come, counted from the start before the first.
    ///
    /// The driver may show a poor line after a few seconds of it, and end the media after half a minute.
    public func silence(at now: Instant) -> Duration {
        max((lastPacketReceived ?? started).duration(to: now), .zero)
    }

    /// Our synchronisation source.
    public var source: UInt32 { session.source }

    /// Whether the peer ended its stream with an RTCP goodbye.
    public var peerLeft: Bool { session.peerLeft }

    // MARK: Sending

    /// Makes one protected RTP packet from exactly ``blockLength`` samples.
    public func packet(for samples: [Int16], at now: Instant) throws(MediaError) -> [UInt8] {
        let payload = try encoder.encode(samples)
        let header = session.header(octets: payload.count, duration: UInt32(Self.blockLength), at: now)
        var packet = RTPPacket(header: header, payload: payload).bytes
        try outbound.protect(&packet)
        return packet
    }

    // MARK: Receiving

    /// Takes in a datagram of the RTP component; its bytes are decrypted in place.
    public func receiveRTP(_ bytes: inout [UInt8], at now: Instant) -> Receipt {
        do throws(Refusal) {
            let packet = try authenticate(&bytes)
            return try accept(packet, at: now)
        } catch {
            counts.refused += 1
            return .refused(error)
        }
    }

    /// Takes in a datagram of the RTCP component.
    public func receiveRTCP(_ bytes: [UInt8], at now: Instant) -> Receipt {
        do throws(Refusal) {
            guard bytes.count <= configuration.datagramLimit else { throw .tooLong }
            let datagram = try control(bytes)
            session.receive(datagram, at: now)
            counts.reportsReceived += 1
            if let percent = session.remoteLossPercent {
                encoder.setExpectedLoss(percent: max(percent, configuration.expectedLossPercent))
            }
            return .accepted
        } catch {
            counts.refused += 1
            return .refused(error)
        }
    }

    private func authenticate(_ bytes: inout [UInt8]) throws(Refusal) -> RTPPacket {
        guard bytes.count <= configuration.datagramLimit else { throw .tooLong }
        do throws(MediaError) {
            try inbound.unprotect(&bytes) { (context, bytes) throws(MediaError) in try context.unprotect(&bytes) }
        } catch {
            throw Refusal(error)
        }
        do throws(WireError) {
            return try RTPPacket(bytes.span)
        } catch {
            throw .malformed(error)
        }
    }

    private func accept(_ packet: RTPPacket, at now: Instant) throws(Refusal) -> Receipt {
        guard packet.header.payloadType == configuration.payloadType else {
            throw .payloadType(packet.header.payloadType)
        }
        guard packet.header.source != session.source else { throw .looped }
        guard let insertion = player.receive(packet, at: now) else { throw .codec }
        session.receive(packet.header, at: now)
        firstPacketReceived = firstPacketReceived ?? now
        lastPacketReceived = now
        counts.received += 1
        counts.octetsReceived += packet.payload.count
        return switch insertion {
        case .queued, .restarted: .accepted
        case .duplicate: .duplicate
        case .late: .late
        }
    }

    /// Reads RTCP; toward stock Jami plain RTCP is read where it does not authenticate.
    private func control(_ bytes: [UInt8]) throws(Refusal) -> RTCPDatagram {
        var clear = bytes
        do throws(MediaError) {
            try inbound.unprotect(&clear) { (context, bytes) throws(MediaError) in try context.unprotectControl(&bytes)
            }
        } catch {
            guard configuration.controlMode == .clear, error != .replayed else { throw Refusal(error) }
            clear = bytes
        }
        do throws(WireError) {
            return try RTCPDatagram(clear.span)
        } catch {
            throw .malformed(error)
        }
    }

    // MARK: Playing

    /// Returns the next ``blockLength`` samples to play: received, concealed or silent.
    ///
    /// `now` is when the block is due, 20 ms after the previous one, even where the driver is late: the delay adapts to
    /// it, and would follow the driver's own unevenness.
    public func playout(at now: Instant) -> [Int16] { player.pull(Self.blockLength, at: now) }

    // MARK: Reports

    /// When ``dueReports(at:)`` next has something to send, or `nil` before the first packet and after the goodbye.
    public var deadline: Instant? { session.deadline }

    /// Returns the RTCP datagrams that are due.
    public func dueReports(at now: Instant) -> [[UInt8]] { datagrams(session.advance(to: now)) }

    /// Returns the RTCP datagrams that end the stream.
    public func goodbye(at now: Instant) -> [[UInt8]] { datagrams(session.leave(at: now)) }

    private func datagrams(_ effects: [RTPSession.Effect]) -> [[UInt8]] {
        var datagrams: [[UInt8]] = []
        for case .report(let datagram) in effects {
            var bytes = datagram.bytes
            if configuration.controlMode == .protected {
                // Only an exhausted key can fail here, and then nothing may be sent any more.
                guard (try? outbound.protectControl(&bytes)) != nil else { continue }
            }
            datagrams.append(bytes)
        }
        counts.reportsSent += datagrams.count
        return datagrams
    }

    /// What happened so far.
    public var statistics: Statistics { Statistics(counts, session: session, player: player) }
}
