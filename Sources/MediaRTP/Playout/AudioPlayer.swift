internal import SansIO

/// Turns the packets of a jitter buffer into a steady flow of samples.
final class AudioPlayer {
    private(set) var buffer: JitterBuffer
    private let decoder: OpusDecoder
    /// Decoded samples that are not played yet.
    private var samples: [Int16] = []

    /// How many lost packets were recovered from the following one.
    private(set) var recovered = 0
    /// How many samples were made up.
    private(set) var concealedSamples = 0
    /// How many samples were played that came from packets.
    private(set) var playedSamples = 0

    init(_ configuration: JitterBuffer.Configuration) throws(MediaError) {
        buffer = JitterBuffer(configuration: configuration)
        decoder = try OpusDecoder()
    }

    /// Takes in one packet, or returns `nil` when its payload is not Opus.
    func receive(_ packet: RTPPacket, at now: Instant) -> JitterBuffer.Insertion? {
        guard let count = OpusDecoder.sampleCount(in: packet.payload) else { return nil }
        let header = packet.header
        return buffer.insert(
            packet.payload, sequence: header.sequence, timestamp: header.timestamp, source: header.source,
            sampleCount: count, at: now)
    }

    /// Returns exactly `count` samples to be played from `now` on.
    func pull(_ count: Int, at now: Instant) -> [Int16] {
        while samples.count < count {
            append(buffer.next(at: now, decoded: samples.count))
        }
        let block = Array(samples.prefix(count))
        samples.removeFirst(count)
        return block
    }

    private func append(_ step: JitterBuffer.Step) {
        switch step {
        case .decode(let packet, let pace):
            guard let decoded = try? decoder.decode(packet.payload), !decoded.isEmpty else {
                return conceal(packet.sampleCount)
            }
            playedSamples += decoded.count
            samples += TimeScale.adapt(decoded, pace)
        case .recover(let following, let sampleCount):
            guard let decoded = try? decoder.recover(from: following.payload, sampleCount: sampleCount),
                !decoded.isEmpty
            else { return conceal(sampleCount) }
            recovered += 1
            samples += decoded
        case .conceal(let sampleCount):
            conceal(sampleCount)
        case .comfort(let sampleCount):
            samples += concealment(sampleCount)
        case .silence(let sampleCount):
            samples += repeatElement(0, count: max(sampleCount, 1))
        }
    }

    private func conceal(_ sampleCount: Int) {
        let made = concealment(sampleCount)
        concealedSamples += made.count
        samples += made
    }

    private func concealment(_ sampleCount: Int) -> [Int16] {
        let count = min(max(sampleCount, 1), OpusDecoder.packetSampleLimit)
        // A decoder that cannot even conceal is replaced by silence.
        let made = (try? decoder.conceal(sampleCount: count)) ?? []
        return made.isEmpty ? [Int16](repeating: 0, count: count) : made
    }
}
