internal import CSampleRate

/// Converts mono samples from one rate to another.
public enum Resampler {
    /// The rates that can be converted, in samples a second.
    public static let rates = 1_000...768_000

    /// Converts `samples` from the rate `source` to the rate `target`.
    public static func convert(
        _ samples: [Int16], from source: Int, to target: Int
    ) throws(AudioFileError) -> [Int16] {
        guard source != target else { return samples }
        return try convert(samples.map(AudioFormat.real), from: source, to: target).map(AudioFormat.integer)
    }

    static func convert(_ samples: [Float], from source: Int, to target: Int) throws(AudioFileError) -> [Float] {
        guard source != target, !samples.isEmpty else { return samples }
        guard rates.contains(source), rates.contains(target) else { throw .unsupportedRate(from: source, to: target) }
        let ratio = Double(target) / Double(source)
        guard src_is_valid_ratio(ratio) != 0 else { throw .unsupportedRate(from: source, to: target) }
        var output = [Float](repeating: 0, count: Int((Double(samples.count) * ratio).rounded(.up)))
        var status: Int32 = 0
        var produced = 0
        // The converter reads and writes within the counts it is given, and keeps no pointer.
        unsafe samples.withUnsafeBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { result in
                var data = unsafe SRC_DATA()
                unsafe data.data_in = input.baseAddress
                unsafe data.data_out = result.baseAddress
                unsafe data.input_frames = input.count
                unsafe data.output_frames = result.count
                unsafe data.src_ratio = ratio
                status = unsafe src_simple(&data, Int32(SRC_SINC_MEDIUM_QUALITY), 1)
                produced = unsafe data.output_frames_gen
            }
        }
        guard status == 0 else { throw .unsupportedRate(from: source, to: target) }
        output.removeLast(output.count - min(max(produced, 0), output.count))
        return output
    }
}
