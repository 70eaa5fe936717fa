internal import Glibc

/// Small files only their owner may read, replaced as a whole or not at all.
package enum PrivateFile {
    /// More than any file of an identity holds.
    package static let maximumBytes = 65_536

    package static func exists(_ path: String) -> Bool {
        // The string lives across the call.
        unsafe access(path, F_OK) == 0
    }

    package static func makeFolder(_ path: String) throws(IdentityError) {
        // The string lives across the call.
        guard unsafe mkdir(path, 0o700) != 0 else { return }
        guard errno == EEXIST else { throw failure(path) }
        // A folder that was there keeps its files safe only if it is the owner's alone.
        guard unsafe chmod(path, 0o700) == 0 else { throw failure(path) }
    }

    static func flushFolder(_ path: String) throws(IdentityError) {
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { _ = Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(path) }
    }

    /// Replaces the file, or makes it.
    package static func write(_ bytes: [UInt8], to path: String) throws(IdentityError) {
        let temporary = path + ".new"
        // A rest of an interrupted run may be there, with who knows what permissions.
        _ = unsafe unlink(temporary)
        try create(bytes, at: temporary)
        // Both strings live across the call.
        guard unsafe rename(temporary, path) == 0 else { throw failure(path) }
    }

    /// Makes the file, whole or not at all; what is there already is kept and reported.
    package static func create(_ bytes: [UInt8], at path: String) throws(IdentityError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw errno == EEXIST ? .exists(path: path) : failure(path) }
        do throws(IdentityError) {
            defer { _ = Glibc.close(descriptor) }
            try writeAll(bytes, to: descriptor, path: path)
            guard fsync(descriptor) == 0 else { throw failure(path) }
        } catch {
            _ = unsafe unlink(path)
            throw error
        }
    }

    /// Removes the file if there is one.
    package static func remove(_ path: String) throws(IdentityError) {
        // The string lives across the call.
        guard unsafe unlink(path) == 0 || errno == ENOENT else { throw failure(path) }
    }

    /// Reads the whole file; `limit` is in bytes.
    package static func read(
        _ path: String, isSecret: Bool, limit: Int = maximumBytes
    ) throws(IdentityError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { _ = Glibc.close(descriptor) }
        var facts = stat()
        guard unsafe fstat(descriptor, &facts) == 0 else { throw failure(path) }
        if isSecret, facts.st_mode & 0o077 != 0 { throw .exposed(path: path) }
        guard facts.st_size <= limit else { throw .overLimit(path: path, limit: limit) }
        return try readAll(from: descriptor, path: path, limit: limit)
    }

    private static func writeAll(
        _ bytes: [UInt8], to descriptor: Int32, path: String
    ) throws(IdentityError) {
        var start = 0
        while start < bytes.count {
            // The buffer lives across the call.
            let count = unsafe bytes[start...].withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { throw failure(path) }
            start += count
        }
    }

    private static func readAll(
        from descriptor: Int32, path: String, limit: Int
    ) throws(IdentityError) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            var count = 0
            // The buffer has the capacity that is passed on; the kernel says how much of it was written.
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, initialized in
                count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                initialized = max(0, count)
            }
            guard count >= 0 else { throw failure(path) }
            guard count > 0 else { return bytes }
            bytes += piece
            guard bytes.count <= limit else { throw .overLimit(path: path, limit: limit) }
        }
    }

    private static func failure(_ path: String) -> IdentityError {
        errno == ENOENT || errno == ENOTDIR ? .missing(path: path) : .inaccessible(path: path, code: errno)
    }
}
