public import SansIO

/// Why an identity could not be kept or found in a folder; every case names the path.
public enum IdentityError: Error, Hashable, Sendable {
    /// The file or folder does not exist.
    case missing(path: String)
    /// A system call on the path failed with this `errno`.
    case inaccessible(path: String, code: Int32)
    /// The file is larger than any identity's.
    case overLimit(path: String, limit: Int)
    /// The file does not hold what its name says.
    case malformed(path: String, WireError)
    /// Others than the owner may read or write the file.
    case exposed(path: String)
    /// The chain does not certify the keys beside it.
    case mismatched(path: String)
    /// There is an identity already, which is never overwritten.
    case exists(path: String)
}
