/// Where the sound of a call comes from and goes to: 48 kHz, mono, 16 bits.
public struct Audio: Sendable {
    /// What the peer hears.
    public enum Input: Sendable {
        /// Silence.
        case silence
        /// These samples once, then silence.
        case samples([Int16])
        /// One block of 960 samples (20 ms) a call; `nil` or a block of another length is silence. Called on the node's
        /// thread every 20 ms, so it must not block.
        case blocks(@Sendable () -> [Int16]?)
    }

    /// What becomes of what the peer says.
    public enum Output: Sendable {
        /// Nothing.
        case discard
        /// A WAV file at this path, made new.
        case file(String)
        /// Given block by block, 960 samples each 20 ms, on the node's thread: it must not block.
        case blocks(@Sendable ([Int16]) -> Void)
    }

    /// What the peer hears.
    public var input: Input
    /// What becomes of what the peer says.
    public var output: Output
    /// Told what was sent and what was heard, 960 samples each every 20 ms, such as to show levels. Called on the node's
    /// thread, so it must not block.
    public var observer: (@Sendable (_ sent: [Int16], _ heard: [Int16]) -> Void)?

    /// Joins an input and an output.
    public init(input: Input = .silence, output: Output = .discard) {
        self.input = input
        self.output = output
    }
}
