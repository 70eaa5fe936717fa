internal import MediaRTP
internal import SansIO
internal import Swiftlet

/// The media plane of one simulated call: real sessions, a made-up voice, blocks of 20 ms in virtual time.
final class CallAudio {
    static let blockTime = Duration.milliseconds(20)

    private let session: AudioSession
    private var plan: MediaPlan
    private var flow = MediaFlow()
    private unowned let world: World
    private let send: (_ bytes: [UInt8], MediaPath, _ session: Int) -> Void
    private let heard: () -> Void
    private var voice = Voice()
    private var nextReport: Instant?
    private var isRunning = true
    private var hasHeard = false
    /// The loudest block that was played, as the mean of the squares of its samples.
    private(set) var loudest = 0.0
    /// The longest time between two packets of the peer since it was set to zero.
    var longestGap = Duration.zero
    private var lastPacket: Instant?

    init(
        _ plan: MediaPlan, in world: World, send: @escaping (_ bytes: [UInt8], MediaPath, _ session: Int) -> Void,
        heard: @escaping () -> Void
    ) throws(MediaError) {
        self.plan = plan
        self.world = world
        self.send = send
        self.heard = heard
        var configuration = AudioSession.Configuration(
            localKey: plan.localKey, remoteKey: plan.remoteKey, controlMode: plan.controlMode, wallClock: world.clock)
        configuration.payloadType = plan.payloadType
        session = try AudioSession(configuration: configuration, random: world.splitRandom(), at: world.now)
    }

    var statistics: MediaStatistics { session.statistics }

    func start() { tick() }

    func move(to plan: MediaPlan) -> Bool {
        defer { self.plan = plan }
        guard plan.localKey != self.plan.localKey || plan.remoteKey != self.plan.remoteKey else { return true }
        do throws(MediaError) { try session.move(toLocal: plan.localKey, remote: plan.remoteKey) } catch {
            return false
        }
        return true
    }

    func expect(_ key: SRTPKey) { try? session.expect(key) }

    func direct(_ flow: MediaFlow) { self.flow = flow }

    /// The loudest block from now on is another one.
    func forgetLoudest() { loudest = 0 }

    func receive(_ datagram: [UInt8]) {
        var bytes = datagram
        guard !RTCPDatagram.isRTCP(datagram.span) else {
            _ = session.receiveRTCP(bytes, at: world.now)
            return
        }
        guard session.receiveRTP(&bytes, at: world.now) == .accepted else { return }
        if let lastPacket { longestGap = max(longestGap, lastPacket.duration(to: world.now)) }
        lastPacket = world.now
        guard !hasHeard else { return }
        hasHeard = true
        heard()
    }

    func stop() {
        isRunning = false
        for datagram in session.goodbye(at: world.now) { send(datagram, plan.rtcp, plan.session) }
    }

    private func tick() {
        guard isRunning else { return }
        sendBlock()
        let received = session.playout(at: world.now)
        let block = flow.plays ? received : Voice.silence
        loudest = max(loudest, block.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(block.count, 1)))
        report()
        world.schedule(after: Self.blockTime) { [weak self] in self?.tick() }
    }

    private func sendBlock() {
        let block = voice.next()
        guard flow.sends else { return session.skip() }
        guard let packet = try? session.packet(for: flow.isMuted ? Voice.silence : block, at: world.now) else { return }
        send(packet, plan.rtp, plan.session)
    }

    private func report() {
        guard let deadline = session.deadline, deadline <= world.now else { return }
        for datagram in session.dueReports(at: world.now) { send(datagram, plan.rtcp, plan.session) }
    }
}

/// A tone that swells and fades a few times a second, which codecs and meters take for a voice.
struct Voice {
    static let silence = [Int16](repeating: 0, count: AudioSession.blockLength)
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
