internal import CSndFile
internal import Glibc

/// Reads whole audio files of any format, rate and channel count that libsndfile knows.
public enum AudioFileReader {
    /// The longest file that is read unless the caller says otherwise, in seconds.
    public static let defaultLimitSeconds = 600
    /// The most channels a file may have.
    public static let channelLimit = 32

    private static let framesPerStep = 4_096

    /// Returns the file's samples at 48 kHz; several channels are mixed to their mean.
    public static func samples(
        ofFileAt path: String, limitSeconds: Int = defaultLimitSeconds
    ) throws(AudioFileError) -> [Int16] {
        let descriptor = try open(path)
        var format = SF_INFO()
        // The library fills in `format` and owns the descriptor from here on: it closes it when opening fails, even
        // where it is asked to leave it open.
        guard let file = unsafe sf_open_fd(descriptor, Int32(SFM_READ), &format, Int32(SF_TRUE)) else {
            throw .notAudio
        }
        // Closed once, after the last use, and the descriptor with it.
        defer { _ = unsafe sf_close(file) }
        let (rate, channels) = (Int(format.samplerate), Int(format.channels))
        guard Resampler.rates.contains(rate), (1...channelLimit).contains(channels) else { throw .notAudio }
        // The file is open until this function returns.
        let read = unsafe read(file, channels: channels, limit: rate * min(max(limitSeconds, 0), 86_400))
        guard let mono = read else { throw .tooLong(limitSeconds: limitSeconds) }
        guard !mono.isEmpty else { throw .empty }
        return try Resampler.convert(mono, from: rate, to: AudioFormat.sampleRate).map(AudioFormat.integer)
    }

    /// Opens a regular file; anything else could block or never end.
    private static func open(_ path: String) throws(AudioFileError) -> Int32 {
        // The path's C string lives through the call.
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let number = errno
            throw number == ENOENT || number == ENOTDIR ? .notFound : .notReadable(errno: number)
        }
        var status = stat()
        // `status` is filled in by the call.
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            _ = Glibc.close(descriptor)
            throw .notAudio
        }
        return descriptor
    }

    /// Reads at most `limit` frames and mixes them to mono; `nil` when there are more.
    private static func read(_ file: OpaquePointer, channels: Int, limit: Int) -> [Float]? {
        var mono: [Float] = []
        var step = [Float](repeating: 0, count: framesPerStep * channels)
        while true {
            // The buffer holds `framesPerStep` frames of `channels` samples, which the call does not exceed.
            let frames = unsafe step.withUnsafeMutableBufferPointer { buffer in
                unsafe Int(sf_readf_float(file, buffer.baseAddress, sf_count_t(framesPerStep)))
            }
            guard frames > 0 else { return mono }
            guard mono.count + frames <= limit else { return nil }
            for frame in 0..<min(frames, framesPerStep) {
                mono.append(step[frame * channels..<(frame + 1) * channels].reduce(0, +) / Float(channels))
            }
        }
    }
}
