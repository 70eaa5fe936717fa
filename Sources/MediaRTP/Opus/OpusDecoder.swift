internal import COpus

/// Decodes Opus packets, mono or stereo, to 48 kHz mono, and conceals the ones that were lost.
@safe
public final class OpusDecoder {
    /// The longest audio one packet may carry, 120 ms in samples (RFC 6716 §3.2.5).
    public static let packetSampleLimit = 5_760

    /// The library's decoder; owned, released in `deinit`.
    private let decoder: OpaquePointer

    /// Creates a decoder without history.
    public init() throws(MediaError) {
        var status: Int32 = OPUS_OK
        // The status outlives the call; the decoder returned is checked before use.
        guard let created = unsafe opus_decoder_create(Int32(OpusEncoder.sampleRate), 1, &status) else {
            throw .codec(status: status)
        }
        unsafe decoder = created
    }

    deinit {
        // The decoder is ours alone.
        unsafe opus_decoder_destroy(decoder)
    }

    /// How many samples at 48 kHz a packet holds, or `nil` when it is not an Opus packet.
    public static func sampleCount(in packet: [UInt8]) -> Int? {
        // Only the first `count` bytes are read.
        let count = unsafe packet.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return Int32(0) }
            return unsafe opus_packet_get_nb_samples(
                base, Int32(clamping: bytes.count), Int32(OpusEncoder.sampleRate))
        }
        return count > 0 && count <= packetSampleLimit ? Int(count) : nil
    }

    /// Decodes the packet that follows the previous one.
    public func decode(_ packet: [UInt8]) throws(MediaError) -> [Int16] {
        try run(packet, sampleCount: Self.packetSampleLimit, correction: false)
    }

    /// Makes the audio of a lost packet from the copy that the following packet carries.
    ///
    /// Where `following` carries none this is the same as ``conceal(sampleCount:)``.
    public func recover(from following: [UInt8], sampleCount: Int) throws(MediaError) -> [Int16] {
        try run(following, sampleCount: Self.concealable(sampleCount), correction: true)
    }

    /// Makes up audio in place of a lost packet.
    public func conceal(sampleCount: Int) throws(MediaError) -> [Int16] {
        try run([], sampleCount: Self.concealable(sampleCount), correction: false)
    }

    /// The decoder conceals multiples of 2.5 ms up to the longest packet.
    private static func concealable(_ sampleCount: Int) -> Int {
        min(max((sampleCount + 119) / 120 * 120, 120), packetSampleLimit)
    }

    private func run(_ packet: [UInt8], sampleCount: Int, correction: Bool) throws(MediaError) -> [Int16] {
        var samples = [Int16](repeating: 0, count: sampleCount)
        // The decoder reads the packet and writes at most `sampleCount` samples; a nil packet asks for concealment.
        let count = unsafe packet.withUnsafeBufferPointer { input in
            unsafe samples.withUnsafeMutableBufferPointer { output in
                guard let base = output.baseAddress else { return Int32(0) }
                return unsafe opus_decode(
                    decoder, input.isEmpty ? nil : input.baseAddress, Int32(clamping: input.count), base,
                    Int32(sampleCount), correction ? 1 : 0)
            }
        }
        guard count >= 0 else { throw .codec(status: count) }
        samples.removeLast(sampleCount - Int(count))
        return samples
    }
}
