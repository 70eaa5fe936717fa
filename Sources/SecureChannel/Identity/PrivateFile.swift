internal import Glibc

/// Small files only their owner may read, replaced as a whole or not at all.
enum PrivateFile {
    /// More than any file of an identity holds.
    static let maximumBytes = 65_536

    static func exists(_ path: String) -> Bool {
        // The string lives across the call.
        unsafe access(path, F_OK) == 0
    }

    static func makeFolder(_ path: String) throws(IdentityError) {
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

    static func write(_ bytes: [UInt8], to path: String) throws(IdentityError) {
        let temporary = path + ".new"
        // A rest of an interrupted run may be there, with who knows what permissions.
        _ = unsafe unlink(temporary)
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(temporary) }
        do throws(IdentityError) {
            defer { _ = Glibc.close(descriptor) }
            try writeAll(bytes, to: descriptor, path: temporary)
            guard fsync(descriptor) == 0 else { throw failure(temporary) }
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
        // Both strings live across the call.
        guard unsafe rename(temporary, path) == 0 else { throw failure(path) }
    }

    static func read(_ path: String, isSecret: Bool) throws(IdentityError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { _ = Glibc.close(descriptor) }
        var facts = stat()
        guard unsafe fstat(descriptor, &facts) == 0 else { throw failure(path) }
        if isSecret, facts.st_mode & 0o077 != 0 { throw .exposed(path: path) }
        guard facts.st_size <= maximumBytes else { throw .overLimit(path: path, limit: maximumBytes) }
        return try readAll(from: descriptor, path: path)
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

    private static func readAll(from descriptor: Int32, path: String) throws(IdentityError) -> [UInt8] {
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
            guard bytes.count <= maximumBytes else { throw .overLimit(path: path, limit: maximumBytes) }
        }
    }

    private static func failure(_ path: String) -> IdentityError {
        errno == ENOENT || errno == ENOTDIR ? .missing(path: path) : .inaccessible(path: path, code: errno)
    }
}
