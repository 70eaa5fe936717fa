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
    private let plan: MediaPlan
    private let loop: EventLoop
    private let send: (_ bytes: [UInt8], MediaPath) -> Void
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
    ///   - send: carries a datagram over one of the plan's paths.
    ///   - heard: called once, with the first authentic audio of the peer.
    ///   - recordingFailed: called at most once, when the recording cannot go on; the call does.
    init(
        _ plan: MediaPlan, audio: Audio, clock: WallClock, on loop: EventLoop,
        send: @escaping (_ bytes: [UInt8], MediaPath) -> Void, heard: @escaping () -> Void,
        recordingFailed: @escaping (AudioFileError) -> Void
    ) throws {
        self.plan = plan
        self.loop = loop
        self.send = send
        self.heard = heard
        self.recordingFailed = recordingFailed
        var configuration = AudioSession.Configuration(
            localKey: plan.localKey, remoteKey: plan.remoteKey, controlMode: .clear, wallClock: clock)
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

    /// Takes a datagram of the call's media session that is not STUN.
    ///
    /// RTP proves itself. RTCP in clear does not, so that it must come by the nominated pair.
    func receive(_ datagram: Span<UInt8>, on base: Endpoint, from peer: Endpoint) {
        var bytes = [UInt8](datagram)
        if base == plan.rtp.local {
            let receipt = session.receiveRTP(&bytes, at: loop.now)
            guard !hasHeard, receipt == .accepted else { return }
            hasHeard = true
            heard()
        } else if peer == plan.rtcp.remote {
            _ = session.receiveRTCP(bytes, at: loop.now)
        }
    }

    /// Ends the stream, tells the peer, and closes the recording.
    func stop() {
        ticker.set(nil)
        reporter.set(nil)
        for datagram in session.goodbye(at: loop.now) { send(datagram, plan.rtcp) }
        record { recorder throws(AudioFileError) in try recorder.close() }
    }

    private func tick() {
        let now = loop.now
        // After a stall of the process the missed blocks are made up for at once, up to a fifth of a second.
        let behind = max(0, nextBlock.duration(to: now).nanoseconds / Self.blockTime.nanoseconds)
        if behind > 10 { nextBlock = now }
        while nextBlock <= now {
            let sent = source.next()
            if let packet = try? session.packet(for: sent, at: now) { send(packet, plan.rtp) }
            // The time a block is due, not the time the loop got to it: the jitter buffer paces by it.
            let heard = session.playout(at: nextBlock)
            play(heard)
            observer?(sent, heard)
            nextBlock = nextBlock.advanced(by: Self.blockTime)
        }
        ticker.set(nextBlock)
        reporter.set(session.deadline)
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
        for datagram in session.dueReports(at: loop.now) { send(datagram, plan.rtcp) }
        reporter.set(session.deadline)
    }
}

/// Cuts what the peer is to hear into blocks.
struct BlockSource {
    private static let silence = [Int16](repeating: 0, count: AudioSession.blockLength)
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
