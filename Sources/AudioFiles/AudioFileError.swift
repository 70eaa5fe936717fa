/// Why an audio file could not be read or written.
public enum AudioFileError: Error, Hashable, Sendable {
    /// There is no file at the path.
    case notFound
    /// The file may not be opened, with the system's error number.
    case notReadable(errno: Int32)
    /// The file is not in a format that is understood.
    case notAudio
    /// The file holds no samples.
    case empty
    /// The file is longer than the limit, in seconds.
    case tooLong(limitSeconds: Int)
    /// The file cannot be created or opened for writing, with the system's error number.
    case notWritable(errno: Int32)
    /// Not all samples could be written; the disk may be full.
    case incompleteWrite
    /// The writer was closed.
    case closed
    /// Samples cannot be converted between these rates.
    case unsupportedRate(from: Int, to: Int)
}
