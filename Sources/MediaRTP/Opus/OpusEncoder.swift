internal import COpus

/// Encodes 48 kHz mono speech in blocks of 20 ms, with in-band forward error correction (RFC 6716, RFC 7587).
@safe
public final class OpusEncoder {
    /// Samples a second.
    public static let sampleRate = 48_000
    /// Samples in a block of 20 ms.
    public static let blockLength = 960
    /// The longest packet the codec makes for one frame, in bytes (RFC 6716 §3.2.1).
    static let packetLimit = 1_276

    /// The library's encoder; owned, released in `deinit`.
    private let encoder: OpaquePointer

    /// Creates an encoder.
    /// - Parameters:
    ///   - bitRate: Bits a second, 6,000...510,000.
    ///   - expectedLossPercent: See ``setExpectedLoss(percent:)``.
    ///   - complexity: 0...10; higher sounds better and costs more.
    public init(bitRate: Int = 32_000, expectedLossPercent: Int = 10, complexity: Int = 7) throws(MediaError) {
        var status: Int32 = OPUS_OK
        // The status outlives the call; the encoder returned is checked before use.
        guard let created = unsafe opus_encoder_create(Int32(Self.sampleRate), 1, OPUS_APPLICATION_VOIP, &status) else {
            throw .codec(status: status)
        }
        unsafe encoder = created
        // The encoder is alive until `deinit`; each call stores one number in it.
        try Self.check(unsafe copus_set_bitrate(encoder, Int32(clamping: min(max(bitRate, 6_000), 510_000))))
        try Self.check(unsafe copus_set_inband_fec(encoder, 1))
        try Self.check(unsafe copus_set_complexity(encoder, Int32(clamping: min(max(complexity, 0), 10))))
        setExpectedLoss(percent: expectedLossPercent)
    }

    deinit {
        // The encoder is ours alone.
        unsafe opus_encoder_destroy(encoder)
    }

    /// Says how many packets of a hundred are lost, from which the share of error correction follows; 0...25.
    public func setExpectedLoss(percent: Int) {
        // The value is in range, so the call cannot fail.
        _ = unsafe copus_set_packet_loss_percent(encoder, Int32(min(max(percent, 0), 25)))
    }

    /// Encodes exactly ``blockLength`` samples.
    public func encode(_ samples: [Int16]) throws(MediaError) -> [UInt8] {
        var packet: [UInt8] = []
        try encode(samples, appendingTo: &packet)
        return packet
    }

    /// Encodes exactly ``blockLength`` samples behind what `packet` holds already.
    func encode(_ samples: [Int16], appendingTo packet: inout [UInt8]) throws(MediaError) {
        guard samples.count == Self.blockLength else {
            throw .blockLength(expected: Self.blockLength, actual: samples.count)
        }
        let start = packet.count
        packet.append(contentsOf: repeatElement(0, count: Self.packetLimit))
        // The encoder reads `blockLength` samples and writes at most `packetLimit` bytes from `start` on.
        let length = unsafe samples.withUnsafeBufferPointer { input in
            unsafe packet.withUnsafeMutableBufferPointer { output in
                guard let samples = input.baseAddress, let bytes = output.baseAddress else { return Int32(0) }
                return unsafe opus_encode(
                    encoder, samples, Int32(Self.blockLength), bytes + start, Int32(Self.packetLimit))
            }
        }
        packet.removeLast(Self.packetLimit - max(Int(length), 0))
        guard length > 0 else { throw .codec(status: length) }
    }

    private static func check(_ status: Int32) throws(MediaError) {
        guard status == OPUS_OK else { throw .codec(status: status) }
    }
}
