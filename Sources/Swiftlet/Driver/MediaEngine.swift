internal import AudioFiles
internal import EventLoop
internal import MediaRTP
internal import SansIO

/// Runs the media plane of one call: every 20 ms one block goes out and one block is played.
///
/// Lives on the loop's thread; packets go from socket to sink without a hop.
final class MediaEngine {
    static let blockTime = Duration.milliseconds(20)

    private let session: AudioSession
    private var plan: MediaPlan
    private var flow = MediaFlow()
    private let loop: EventLoop
    private let send: (_ bytes: [UInt8], MediaPath, _ session: Int) -> Void
    private let heard: () -> Void
    private let recordingFailed: (AudioFileError) -> Void
    private var source: BlockSource
    private let output: Audio.Output
    private let observer: (@Sendable (_ sent: [Int16], _ heard: [Int16]) -> Void)?
    private var recorder: AudioFileWriter?
    private var nextBlock: Instant
    private var hasHeard = false
    private lazy var ticker = Alarm(on: loop) { [weak self] in self?.tick() }
    private lazy var reporter = Alarm(on: loop) { [weak self] in self?.report() }

    /// - Parameters:
    ///   - send: carries a datagram over a path of a media session.
    ///   - heard: called once, with the first authentic audio of the peer.
    ///   - recordingFailed: called at most once, when the recording cannot go on; the call does.
    init(
        _ plan: MediaPlan, audio: Audio, clock: WallClock, on loop: EventLoop,
        send: @escaping (_ bytes: [UInt8], MediaPath, _ session: Int) -> Void, heard: @escaping () -> Void,
        recordingFailed: @escaping (AudioFileError) -> Void
    ) throws {
        self.plan = plan
        self.loop = loop
        self.send = send
        self.heard = heard
        self.recordingFailed = recordingFailed
        var configuration = AudioSession.Configuration(
            localKey: plan.localKey, remoteKey: plan.remoteKey, controlMode: plan.controlMode, wallClock: clock)
        configuration.payloadType = plan.payloadType
        session = try AudioSession(configuration: configuration, random: .system, at: loop.now)
        source = BlockSource(audio.input)
        output = audio.output
        observer = audio.observer
        recorder = if case .file(let path) = audio.output { try AudioFileWriter(path: path) } else { nil }
        nextBlock = loop.now
    }

    var statistics: MediaStatistics { session.statistics }

    func start() { tick() }

    /// Goes on over another session's paths and under its keys.
    func move(to plan: MediaPlan) throws {
        if plan.localKey != self.plan.localKey || plan.remoteKey != self.plan.remoteKey {
            try session.move(toLocal: plan.localKey, remote: plan.remoteKey)
        }
        self.plan = plan
    }

    /// Takes packets under this key as well. Without it the first ones over the next session's paths would be lost.
    func expect(_ key: SRTPKey) { try? session.expect(key) }

    func direct(_ flow: MediaFlow) { self.flow = flow }

    /// Takes a datagram of one of the call's media sessions that is not STUN.
    ///
    /// RTP and SRTCP prove themselves. RTCP in clear does not, so that it must come by the nominated pair.
    func receive(_ datagram: Span<UInt8>, from peer: Endpoint) {
        var bytes = [UInt8](datagram)
        guard !RTCPDatagram.isRTCP(datagram) else {
            guard plan.protectsControl || peer == plan.rtcp.remote else { return }
            _ = session.receiveRTCP(bytes, at: loop.now)
            return
        }
        let receipt = session.receiveRTP(&bytes, at: loop.now)
        guard !hasHeard, receipt == .accepted else { return }
        hasHeard = true
        heard()
    }

    /// Ends the stream, tells the peer, and closes the recording.
    func stop() {
        ticker.set(nil)
        reporter.set(nil)
        for datagram in session.goodbye(at: loop.now) { send(datagram, plan.rtcp, plan.session) }
        record { recorder throws(AudioFileError) in try recorder.close() }
    }

    private func tick() {
        let now = loop.now
        // After a stall of the process the missed blocks are made up for at once, up to a fifth of a second.
        let behind = max(0, nextBlock.duration(to: now).nanoseconds / Self.blockTime.nanoseconds)
        if behind > 10 { nextBlock = now }
        while nextBlock <= now {
            let sent = sendBlock(at: now)
            // The time a block is due, not the time the loop got to it: the jitter buffer paces by it.
            let block = session.playout(at: nextBlock)
            let heard = flow.plays ? block : BlockSource.silence
            play(heard)
            observer?(sent, heard)
            nextBlock = nextBlock.advanced(by: Self.blockTime)
        }
        ticker.set(nextBlock)
        reporter.set(session.deadline)
    }

    /// Sends what the microphone said, which speaks on while nobody may hear it; returns what the peer hears.
    private func sendBlock(at now: Instant) -> [Int16] {
        let block = source.next()
        guard flow.sends else {
            session.skip()
            return BlockSource.silence
        }
        let sent = flow.isMuted ? BlockSource.silence : block
        if let packet = try? session.packet(for: sent, at: now) { send(packet, plan.rtp, plan.session) }
        return sent
    }

    private func play(_ block: [Int16]) {
        switch output {
        case .discard: break
        case .file: record { recorder throws(AudioFileError) in try recorder.append(block) }
        case .blocks(let sink): sink(block)
        }
    }

    /// Does something with the recording, if there is one, and ends it at the first failure.
    private func record(_ step: (AudioFileWriter) throws(AudioFileError) -> Void) {
        guard let recorder else { return }
        do throws(AudioFileError) { try step(recorder) } catch {
            self.recorder = nil
            recordingFailed(error)
        }
    }

    private func report() {
        for datagram in session.dueReports(at: loop.now) { send(datagram, plan.rtcp, plan.session) }
        reporter.set(session.deadline)
    }
}

/// Cuts what the peer is to hear into blocks.
struct BlockSource {
    static let silence = [Int16](repeating: 0, count: AudioSession.blockLength)
    private let input: Audio.Input
    private var offset = 0

    init(_ input: Audio.Input) { self.input = input }

    mutating func next() -> [Int16] {
        switch input {
        case .silence: return Self.silence
        case .blocks(let block):
            guard let samples = block(), samples.count == AudioSession.blockLength else { return Self.silence }
            return samples
        case .samples(let samples):
            let piece = samples[min(offset, samples.count)..<min(offset + AudioSession.blockLength, samples.count)]
            offset += piece.count
            return Array(piece) + Self.silence.dropFirst(piece.count)
        }
    }
}
