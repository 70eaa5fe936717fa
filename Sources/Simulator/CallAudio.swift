internal import MediaRTP
internal import SansIO
internal import Swiftlet

/// The media plane of one simulated call: real sessions, a made-up voice, blocks of 20 ms in virtual time.
final class CallAudio {
    static let blockTime = Duration.milliseconds(20)

    private let session: AudioSession
    private let plan: MediaPlan
    private unowned let world: World
    private let send: (_ bytes: [UInt8], MediaPath) -> Void
    private let heard: () -> Void
    private var voice = Voice()
    private var nextReport: Instant?
    private var isRunning = true
    private var hasHeard = false
    /// The loudest block that was played, as the mean of the squares of its samples.
    private(set) var loudest = 0.0

    init(
        _ plan: MediaPlan, in world: World, send: @escaping (_ bytes: [UInt8], MediaPath) -> Void,
        heard: @escaping () -> Void
    ) throws(MediaError) {
        self.plan = plan
        self.world = world
        self.send = send
        self.heard = heard
        var configuration = AudioSession.Configuration(
            localKey: plan.localKey, remoteKey: plan.remoteKey, controlMode: .clear, wallClock: world.clock)
        configuration.payloadType = plan.payloadType
        session = try AudioSession(configuration: configuration, random: world.splitRandom(), at: world.now)
    }

    var statistics: MediaStatistics { session.statistics }

    func start() { tick() }

    func receive(_ datagram: [UInt8], on base: Endpoint) {
        var bytes = datagram
        guard base == plan.rtp.local else {
            _ = session.receiveRTCP(bytes, at: world.now)
            return
        }
        guard session.receiveRTP(&bytes, at: world.now) == .accepted, !hasHeard else { return }
        hasHeard = true
        heard()
    }

    func stop() {
        isRunning = false
        for datagram in session.goodbye(at: world.now) { send(datagram, plan.rtcp) }
    }

    private func tick() {
        guard isRunning else { return }
        if let packet = try? session.packet(for: voice.next(), at: world.now) { send(packet, plan.rtp) }
        let block = session.playout(at: world.now)
        loudest = max(loudest, block.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(block.count, 1)))
        report()
        world.schedule(after: Self.blockTime) { [weak self] in self?.tick() }
    }

    private func report() {
        guard let deadline = session.deadline, deadline <= world.now else { return }
        for datagram in session.dueReports(at: world.now) { send(datagram, plan.rtcp) }
    }
}

/// A tone that swells and fades a few times a second, which codecs and meters take for a voice.
struct Voice {
    /// One second of it, made once, as trigonometry is slow without optimisation.
    private static let second: [Int16] = (0..<48_000).map { sample in
        let swell = triangle(sample, period: 12_000)
        return Int16(8_000 * swell * (2 * triangle(sample, period: 218) - 1))
    }

    private var offset = 0

    mutating func next() -> [Int16] {
        defer { offset = (offset + AudioSession.blockLength) % Self.second.count }
        return Array(Self.second[offset..<offset + AudioSession.blockLength])
    }

    /// Rises from 0 to 1 and falls again within `period` samples.
    private static func triangle(_ sample: Int, period: Int) -> Double {
        let phase = Double(sample % period) / Double(period)
        return phase < 0.5 ? 2 * phase : 2 - 2 * phase
    }
}
