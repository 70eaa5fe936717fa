/// Why an account's archive could not be read or written.
public enum AccountArchiveError: Error, Hashable, Sendable {
    /// The bytes are neither a gzip file nor anything that could be sealed with a password, or hold something else.
    case notAnArchive
    /// The archive is sealed, and no password was given.
    case passwordNeeded
    /// The password does not open the archive; a sealed archive with a damaged byte looks the same, on purpose.
    case wrongPassword
    /// The archive was opened, but its content is cut, broken or over a limit.
    case damaged
    /// The archive lacks a member that no account can do without.
    case incomplete(key: String)
    /// A member does not hold what its name says.
    case malformed(key: String)
    /// The archive's certificates are not those of its keys.
    case mismatched
    /// More than an archive may have, in bytes.
    case overLimit(limit: Int)
    /// There was not enough memory to stretch the password or to compress.
    case outOfMemory
}
