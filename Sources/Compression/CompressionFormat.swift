/// A wrapping of DEFLATE (RFC 1951) with a header and a checksum of its own.
public enum CompressionFormat: Hashable, Sendable {
    /// RFC 1950: two bytes of header, Adler-32.
    case zlib
    /// RFC 1952: one member of a gzip file, CRC-32.
    case gzip

    /// Compresses `bytes` as far as DEFLATE goes.
    public func deflate(_ bytes: [UInt8]) throws(CompressionError) -> [UInt8] {
        try ZlibStream(.deflate, self).run(over: bytes, limit: .max)
    }

    /// Expands `bytes`, which must be one whole stream and nothing else.
    /// - Parameter limit: the most bytes that may come out; a byte of input can stand for a thousand of output.
    public func inflate(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        try ZlibStream(.inflate, self).run(over: bytes, limit: limit)
    }
}
