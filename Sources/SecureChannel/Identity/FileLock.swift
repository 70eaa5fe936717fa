internal import Glibc

/// What one process holds alone, from its making to its end: advice that programs of this package take, and nobody else
/// need.
///
/// The kernel lets it go with the process, however that ends; the file stays, as removing it would let two hold it.
package final class FileLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock of a file, which is made if need be.
    /// - Throws: `.exists` while somebody else holds it, in this process or another.
    package init(_ path: String) throws(IdentityError) {
        // The string lives across the call.
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .inaccessible(path: path, code: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) != 0 else { return }
        let code = errno
        // A class that throws from its initializer with all it stores is ended like any other: `deinit` closes.
        throw code == EWOULDBLOCK ? .exists(path: path) : .inaccessible(path: path, code: code)
    }

    deinit { _ = Glibc.close(descriptor) }
}
