internal import Compression
internal import SecureChannel

extension AccountArchive {
    /// The largest file that is read, in bytes.
    public static let maximumFileBytes = 4 << 20

    /// The first bytes of a gzip file that uses DEFLATE (RFC 1952 §2.3.1), as every one does.
    private static let gzipStart: [UInt8] = [0x1F, 0x8B, 0x08]

    /// Whether reading `bytes` takes a password. Bytes that are no archive do not.
    public static func isSealed(_ bytes: [UInt8]) -> Bool {
        guard !bytes.starts(with: gzipStart), bytes.count >= PasswordSeal.overheadBytes else { return false }
        // A seal begins with random bytes: that none of 28 has its top bit set will not be seen.
        return bytes.prefix(PasswordSeal.randomBytes).contains { $0 >= 0x80 }
    }

    /// Reads an archive: a gzip file, or zlib sealed with a password.
    ///
    /// Stretching a password takes a good part of a second; never on an event loop.
    /// - Parameter password: ignored where none is needed.
    public init(decoding bytes: [UInt8], password: String? = nil) throws(AccountArchiveError) {
        guard bytes.count <= Self.maximumFileBytes else { throw .overLimit(limit: Self.maximumFileBytes) }
        if bytes.starts(with: Self.gzipStart) {
            try self.init(json: Self.expand(bytes, .gzip))
        } else if Self.isSealed(bytes) {
            guard let password else { throw .passwordNeeded }
            try self.init(json: Self.expand(Self.open(bytes, password), .zlib))
        } else {
            throw .notAnArchive
        }
    }

    /// Writes the archive: a gzip file, or sealed where there is a password.
    ///
    /// Stretching a password takes a good part of a second; never on an event loop.
    public func encoded(password: String? = nil) throws(AccountArchiveError) -> [UInt8] {
        let text = text(isSealed: password != nil)
        guard text.count <= Self.maximumBytes else { throw .overLimit(limit: Self.maximumBytes) }
        do {
            guard let password else { return try CompressionFormat.gzip.deflate(text) }
            return try PasswordSeal.seal(CompressionFormat.zlib.deflate(text), password: password)
        } catch { throw .outOfMemory }
    }

    private static func open(_ bytes: [UInt8], _ password: String) throws(AccountArchiveError) -> [UInt8] {
        do throws(SecureChannelError) { return try PasswordSeal.open(bytes, password: password) } catch {
            throw error == .unopenable ? .wrongPassword : .outOfMemory
        }
    }

    private static func expand(
        _ bytes: [UInt8], _ format: CompressionFormat
    ) throws(AccountArchiveError) -> [UInt8] {
        do throws(CompressionError) { return try format.inflate(bytes, limit: maximumBytes) } catch {
            switch error {
            case .truncated, .malformed: throw .damaged
            case .overLimit(let limit): throw .overLimit(limit: limit)
            case .outOfMemory: throw .outOfMemory
            }
        }
    }
}
