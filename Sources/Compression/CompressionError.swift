/// Why bytes could not be compressed or expanded.
public enum CompressionError: Error, Hashable, Sendable {
    /// The compressed bytes end before their end mark.
    case truncated
    /// The bytes are not of the format, fail its checksum, or go on behind its end.
    case malformed
    /// The expanded bytes are more than the caller allows, in bytes.
    case overLimit(limit: Int)
    /// zlib could not have the memory it works in.
    case outOfMemory
}
