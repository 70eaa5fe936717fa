internal import SansIO

/// How much longer packets travel than the fastest of the last two seconds, and how long they should wait therefore.
struct DelayEstimate: Sendable {
    private static let binCount = 100
    private static let binWidth = Duration.milliseconds(20)
    /// The share of packets that should come in time.
    private static let quantile = 0.97
    /// The weight one packet keeps when the next comes: the histogram remembers about 200 packets, four seconds.
    private static let memory = 0.995
    /// The minimum of travel times is taken over one to two of these, which removes the drift of the clocks.
    private static let minimumWindow = Duration.seconds(1)

    private let clockRate: Int64
    private let discontinuity: UInt64
    private let limits: ClosedRange<Duration>
    private var histogram = [Double](repeating: 0, count: binCount)
    private var packetCount = 0.0
    private var reference: UInt32?
    /// The highest position seen, in ticks since the first packet.
    private var position: Int64 = 0
    private var windowStart = Instant.zero
    private var currentMinimum = Int64.max
    private var previousMinimum = Int64.max

    /// How long packets should wait.
    private(set) var target: Duration

    init(_ configuration: JitterBuffer.Configuration) {
        clockRate = Int64(max(configuration.clockRate, 1))
        discontinuity = configuration.discontinuity.nanoseconds.magnitude
        limits = configuration.minimumDelay...max(configuration.minimumDelay, configuration.maximumDelay)
        target = min(max(configuration.startDelay, limits.lowerBound), limits.upperBound)
    }

    /// Whether a packet lies so far from its expected time that the stream must have begun anew.
    func isDiscontinuous(_ timestamp: UInt32, at now: Instant) -> Bool {
        guard reference != nil else { return false }
        let (difference, overflow) = transit(ofPosition: unwrapped(timestamp), at: now).subtractingReportingOverflow(
            base)
        return overflow || difference.magnitude > discontinuity
    }

    /// Learns from one packet and returns its position.
    mutating func measure(_ timestamp: UInt32, at now: Instant) -> Int64 {
        let place = unwrapped(timestamp)
        if reference == nil || place > position { (reference, position) = (timestamp, place) }
        let transit = transit(ofPosition: place, at: now)
        if windowStart.duration(to: now) >= Self.minimumWindow {
            (previousMinimum, currentMinimum, windowStart) = (currentMinimum, transit, now)
        } else {
            currentMinimum = min(currentMinimum, transit)
        }
        learn(.nanoseconds(max(transit - base, 0)))
        return place
    }

    /// Lets the next packet be the fastest.
    mutating func forgetMinimum() { (currentMinimum, previousMinimum) = (.max, .max) }

    /// How much longer than the fastest packets one at `place` has been under way, when it is played at `instant`.
    func delay(ofPosition place: Int64, at instant: Instant) -> Duration {
        .nanoseconds(transit(ofPosition: place, at: instant) - base)
    }

    /// The travel time of the fastest packets, on the arbitrary scale of `transit`.
    private var base: Int64 { min(currentMinimum, previousMinimum) }

    private func transit(ofPosition place: Int64, at now: Instant) -> Int64 {
        now.nanoseconds &- place &* 1_000_000 / clockRate &* 1_000
    }

    private func unwrapped(_ timestamp: UInt32) -> Int64 {
        guard let reference else { return 0 }
        return position + Int64(Int32(bitPattern: timestamp &- reference))
    }

    private mutating func learn(_ delay: Duration) {
        let bin = min(Int(delay.nanoseconds / Self.binWidth.nanoseconds), Self.binCount - 1)
        packetCount += 1
        // The first packets weigh equally, later ones fade.
        let memory = min(Self.memory, 1 - 1 / (packetCount + 1))
        for index in histogram.indices { histogram[index] *= memory }
        histogram[bin] += 1 - memory
        guard packetCount >= 5 else { return }
        target = min(max(quantileDelay + Self.binWidth, limits.lowerBound), limits.upperBound)
    }

    /// The upper edge of the bin below which ``quantile`` of the packets lie.
    private var quantileDelay: Duration {
        let total = histogram.reduce(0, +)
        var sum = 0.0
        for (index, share) in histogram.enumerated() {
            sum += share
            if sum >= Self.quantile * total { return Self.binWidth * (index + 1) }
        }
        return Self.binWidth * Self.binCount
    }
}
