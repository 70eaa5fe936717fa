/// The one format in which the package keeps audio: 48 kHz, mono, 16 bits.
public enum AudioFormat {
    /// Samples a second.
    public static let sampleRate = 48_000

    /// Turns -1...1 into 16 bits, cutting off what lies outside.
    static func integer(_ sample: Float) -> Int16 {
        // Also false for what is not a number.
        guard sample > -1 else { return sample <= -1 ? .min : 0 }
        return Int16(min((sample * 32_768).rounded(), 32_767))
    }

    /// Turns 16 bits into -1..<1.
    static func real(_ sample: Int16) -> Float { Float(sample) / 32_768 }
}
