internal import CSndFile
internal import Glibc

/// Writes 48 kHz mono samples to a 16-bit WAV file, piece by piece.
///
/// The header is brought up to date at least once a second of audio, so that the file stays readable when the process
/// dies. One thread at a time.
@safe
public final class AudioFileWriter {
    /// The most samples one file takes; a WAV file holds less than 4 GiB, about 12 hours.
    public static let sampleLimit = 2_000_000_000

    /// How many samples may be missing from the header.
    private static let headerInterval = AudioFormat.sampleRate

    /// The library's file, and `nil` after closing; owned, released in `close` or `deinit`.
    private var file: OpaquePointer?
    private let descriptor: Int32
    private var samplesSinceHeader = 0

    /// How many samples were written.
    public private(set) var sampleCount = 0

    /// Creates the file, or empties the one that is there.
    public init(path: String) throws(AudioFileError) {
        // The path's C string lives through the call.
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .notWritable(errno: errno) }
        var format = SF_INFO()
        format.samplerate = Int32(AudioFormat.sampleRate)
        format.channels = 1
        format.format = Int32(SF_FORMAT_WAV | SF_FORMAT_PCM_16)
        // The library reads `format` and owns the descriptor from here on: it closes it when opening fails, even where
        // it is asked to leave it open.
        guard let file = unsafe sf_open_fd(descriptor, Int32(SFM_WRITE), &format, Int32(SF_TRUE)) else {
            throw .notWritable(errno: EIO)
        }
        unsafe self.file = file
        self.descriptor = descriptor
        updateHeader()
    }

    deinit { release() }

    /// Appends samples.
    public func append(_ samples: [Int16]) throws(AudioFileError) {
        guard let file = unsafe file else { throw .closed }
        guard sampleCount + samples.count <= Self.sampleLimit else {
            throw .tooLong(limitSeconds: Self.sampleLimit / AudioFormat.sampleRate)
        }
        // The call reads exactly the samples of the buffer.
        let written = unsafe samples.withUnsafeBufferPointer { buffer in
            unsafe Int(sf_writef_short(file, buffer.baseAddress, sf_count_t(buffer.count)))
        }
        sampleCount += max(written, 0)
        samplesSinceHeader += max(written, 0)
        if samplesSinceHeader >= Self.headerInterval { updateHeader() }
        guard written == samples.count else { throw .incompleteWrite }
    }

    /// Completes the header, waits until the disk has the file, and closes it; closing again does nothing.
    public func close() throws(AudioFileError) {
        guard unsafe file != nil else { return }
        updateHeader()
        let isSafe = fsync(descriptor) == 0
        release()
        guard isSafe else { throw .incompleteWrite }
    }

    private func updateHeader() {
        // The command takes no data.
        _ = unsafe sf_command(file, Int32(SFC_UPDATE_HEADER_NOW), nil, 0)
        samplesSinceHeader = 0
    }

    private func release() {
        guard let open = unsafe file else { return }
        // Closed once, and the descriptor with it: the reference is dropped here.
        _ = unsafe sf_close(open)
        unsafe file = nil
    }
}
