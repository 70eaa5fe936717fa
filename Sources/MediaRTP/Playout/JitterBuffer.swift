public import SansIO

/// Puts received packets in order, decides when each one is due, and adapts how long they wait.
///
/// It knows neither codec nor clock. Its caller decodes: whenever it has too few samples for the next block it asks
/// ``next(at:decoded:)`` what to do, as often as needed. No packet is handed out twice.
public struct JitterBuffer: Sendable {
    /// The limits within which the delay adapts.
    public struct Configuration: Hashable, Sendable {
        /// Ticks a second of the payload's clock.
        public var clockRate = 48_000
        /// The delay before anything was measured.
        public var startDelay = Duration.milliseconds(40)
        /// The shortest delay.
        public var minimumDelay = Duration.milliseconds(20)
        /// The longest delay.
        public var maximumDelay = Duration.milliseconds(500)
        /// How many packets are kept at most.
        public var capacity = 200
        /// How long concealment goes on before silence, in ticks; 120 ms.
        public var concealmentLimit = 5_760
        /// A packet that comes this much earlier or later than the stream so far starts the measuring again.
        public var discontinuity = Duration.seconds(2)

        /// The default limits.
        public init() {}
    }

    /// One received packet.
    public struct Packet: Hashable, Sendable {
        /// The sequence number, extended so that it never wraps.
        public var sequence: Int64
        /// When its first sample was taken, in ticks since the start of measuring.
        var position: Int64
        /// The encoded audio.
        public var payload: [UInt8]
        /// How long it lasts, in ticks.
        public var sampleCount: Int
    }

    /// What became of a received packet.
    public enum Insertion: Hashable, Sendable {
        /// It waits for its time.
        case queued
        /// It waits for its time, and everything before it was given up: another source, or a jump.
        case restarted
        /// It was received before.
        case duplicate
        /// Its time is over.
        case late
    }

    /// Whether the audio should be stretched a little to reach the wanted delay.
    public enum Pace: Hashable, Sendable {
        /// Play as it is.
        case steady
        /// Drop a little: the delay is longer than wanted.
        case faster
        /// Insert a little: the delay is shorter than wanted.
        case slower
    }

    /// What to play next.
    public enum Step: Hashable, Sendable {
        /// Decode this packet.
        case decode(Packet, Pace)
        /// A packet of `sampleCount` ticks was lost: recover it from the one that follows it.
        case recover(from: Packet, sampleCount: Int)
        /// Make up `sampleCount` ticks.
        case conceal(sampleCount: Int)
        /// Go on for `sampleCount` ticks with what the sender's pause sounds like; nothing is missing.
        case comfort(sampleCount: Int)
        /// Be silent for `sampleCount` ticks: nothing has come yet, or for long.
        case silence(sampleCount: Int)
    }

    private let configuration: Configuration
    private var source: UInt32?
    private var extender = SequenceExtender()
    /// Sorted by sequence number, without repetition, all at or after `due`.
    private var packets: [Packet] = []
    /// The extended number of the packet to be played next, or `nil` before the source's first was.
    private var due: Int64?
    /// Which of the 64 packets before `due` were handed out: bit 0 is the latest.
    private var handedOut: UInt64 = 0
    private var isPlaying = false
    /// How many ticks were made up since the last packet, while none was waiting.
    private var dry = 0
    private var lastSampleCount = 960
    private var lastWasPause = false
    private var delays: DelayEstimate

    /// How many packets were passed over because they had not come in time.
    public private(set) var lost = 0
    /// How many packets came after their time.
    public private(set) var late = 0
    /// How many packets came more than once.
    public private(set) var duplicates = 0
    /// How many packets were given up to shorten the delay or to stay within the capacity.
    public private(set) var discarded = 0
    /// How long the last packet handed out had waited, compared with the fastest ones.
    public private(set) var delay = Duration.zero

    /// Creates an empty buffer.
    public init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
        delays = DelayEstimate(configuration)
    }

    /// How long packets should wait, compared with the fastest ones.
    public var targetDelay: Duration { delays.target }

    /// How many packets are waiting.
    public var count: Int { packets.count }

    /// Takes in one packet that lasts `sampleCount` ticks.
    public mutating func insert(
        _ payload: [UInt8], sequence: SequenceNumber, timestamp: UInt32, source: UInt32, sampleCount: Int,
        at now: Instant
    ) -> Insertion {
        var result = Insertion.queued
        if source != self.source {
            if self.source != nil { result = .restarted }
            restart(with: source)
        }
        let extended = extender.extend(sequence)
        if let due, extended < due { return refuse(extended, due: due) }
        if let earliest = due ?? packets.first?.sequence {
            let ahead = extended - earliest
            if ahead > Int64(configuration.capacity) || delays.isDiscontinuous(timestamp, at: now) {
                resynchronize(at: extended)
                result = .restarted
            } else if ahead < -Int64(configuration.capacity) {
                late += 1
                return .late
            }
        }
        let index = packets.lastIndex { $0.sequence <= extended }.map { $0 + 1 } ?? 0
        if index > 0, packets[index - 1].sequence == extended {
            duplicates += 1
            return .duplicate
        }
        // After a silence it is unknown whether the path became slower or the sender paused: no delay is taken for late.
        if !isPlaying, due != nil, packets.isEmpty { delays.forgetMinimum() }
        let position = delays.measure(timestamp, at: now)
        let ticks = min(max(sampleCount, 1), configuration.clockRate)
        packets.insert(Packet(sequence: extended, position: position, payload: payload, sampleCount: ticks), at: index)
        trim()
        return result
    }

    /// Says what to play at the moment when `decoded` ticks of earlier audio are still to be played.
    public mutating func next(at now: Instant, decoded: Int) -> Step {
        let start = now.advanced(by: duration(ofTicks: decoded))
        guard isPlaying || shouldStart(at: start) else { return .silence(sampleCount: lastSampleCount) }
        guard !packets.isEmpty else { return runDry() }
        dropExcess(at: start)
        return play(due: due ?? packets[0].sequence, at: start)
    }

    // MARK: Playing

    /// Waits until one more block of waiting would make the delay longer than wanted.
    private mutating func shouldStart(at start: Instant) -> Bool {
        guard let first = packets.first else { return false }
        let waited = delays.delay(ofPosition: first.position, at: start)
        guard waited + duration(ofTicks: first.sampleCount) > delays.target else { return false }
        isPlaying = true
        return true
    }

    private mutating func play(due: Int64, at start: Instant) -> Step {
        let first = packets[0]
        // What was made up while nothing was waiting stood for the packets that are missing now.
        let covered = min(first.sequence - due, Int64(dry / max(lastSampleCount, 1)))
        dry = 0
        passOver(covered)
        guard first.sequence > due + covered else { return decodeFirst(at: start) }
        passOver(1)
        if first.sequence == due + covered + 1 { return .recover(from: first, sampleCount: lastSampleCount) }
        return .conceal(sampleCount: lastSampleCount)
    }

    private mutating func decodeFirst(at start: Instant) -> Step {
        let packet = packets.removeFirst()
        handedOut = handedOut << 1 | 1
        due = packet.sequence + 1
        lastSampleCount = packet.sampleCount
        // Opus in discontinuous transmission sends packets without audio (RFC 7587 §3.1.3).
        lastWasPause = packet.payload.count <= 2
        delay = delays.delay(ofPosition: packet.position, at: start)
        return .decode(packet, pace)
    }

    private var pace: Pace {
        let target = delays.target
        if delay > target + max(target / 4, .milliseconds(10)) {
            // Without others waiting it is not the buffer that delays: the path became slower, or the sender paused.
            return duration(ofTicks: packets.count * lastSampleCount) >= target / 2 ? .faster : .steady
        }
        return delay < target - .milliseconds(20) ? .slower : .steady
    }

    private mutating func passOver(_ count: Int64) {
        guard count > 0, let due else { return }
        handedOut = count < 64 ? handedOut << UInt64(count) : 0
        lost += Int(count)
        self.due = due + count
    }

    private mutating func runDry() -> Step {
        guard !lastWasPause else { return .comfort(sampleCount: lastSampleCount) }
        guard dry < configuration.concealmentLimit else {
            isPlaying = false
            return .silence(sampleCount: lastSampleCount)
        }
        dry += lastSampleCount
        return .conceal(sampleCount: lastSampleCount)
    }

    /// Gives up packets when the delay has grown so long that playing faster would take too long.
    private mutating func dropExcess(at start: Instant) {
        let limit = min(max(delays.target * 4, .milliseconds(500)), .seconds(1))
        guard let first = packets.first, delays.delay(ofPosition: first.position, at: start) > limit else { return }
        while packets.count > 1, delays.delay(ofPosition: packets[0].position, at: start) > delays.target {
            giveUpFirst()
        }
    }

    // MARK: Keeping order

    private mutating func refuse(_ sequence: Int64, due: Int64) -> Insertion {
        let age = due - sequence - 1
        guard age < 64, handedOut >> UInt64(age) & 1 == 1 else {
            late += 1
            return .late
        }
        duplicates += 1
        return .duplicate
    }

    private mutating func trim() {
        while packets.count > max(configuration.capacity, 1) { giveUpFirst() }
    }

    /// Removes the first packet as if it had been played, so that a repetition is known as one.
    private mutating func giveUpFirst() {
        let packet = packets.removeFirst()
        if let due { passOver(packet.sequence - due) }
        handedOut = handedOut << 1 | 1
        due = packet.sequence + 1
        discarded += 1
    }

    private mutating func restart(with source: UInt32) {
        self.source = source
        extender = SequenceExtender()
        handedOut = 0
        due = nil
        forgetStream()
    }

    private mutating func resynchronize(at sequence: Int64) {
        discarded += packets.count
        if let due {
            handedOut = sequence - due < 64 ? handedOut << UInt64(sequence - due) : 0
            self.due = sequence
        }
        forgetStream()
    }

    private mutating func forgetStream() {
        packets.removeAll(keepingCapacity: true)
        isPlaying = false
        dry = 0
        delays = DelayEstimate(configuration)
    }

    private func duration(ofTicks ticks: Int) -> Duration {
        .nanoseconds(Int64(ticks) * 1_000_000_000 / Int64(max(configuration.clockRate, 1)))
    }
}
