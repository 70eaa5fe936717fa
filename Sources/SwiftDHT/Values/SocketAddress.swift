internal import SansIO

/// An address as released implementations embed it: the memory of a Linux `sockaddr_in` or `sockaddr_in6`.
///
/// The family is little-endian, everything else in network order.
enum SocketAddress {
    private static let families: (v4: UInt16, v6: UInt16) = (0x0200, 0x0A00)

    /// Reads 16 or 28 bytes; `nil` for anything else.
    static func decode(_ bytes: Span<UInt8>) -> Endpoint? {
        var reader = ByteReader(bytes)
        guard let family: UInt16 = try? reader.read(), let port: UInt16 = try? reader.read() else { return nil }
        switch (family, bytes.count) {
        case (families.v4, 16):
            guard let word: UInt32 = try? reader.read() else { return nil }
            return Endpoint(.v4(word), port: port)
        case (families.v6, 28):
            guard (try? reader.skip(4)) != nil, let high: UInt64 = try? reader.read(),
                let low: UInt64 = try? reader.read()
            else { return nil }
            return Endpoint(.v6(high: high, low: low), port: port)
        default: return nil
        }
    }

    /// Writes the 16 or 28 bytes of `endpoint`.
    static func encode(_ endpoint: Endpoint) -> [UInt8] {
        var writer = ByteWriter(capacity: 28)
        writer.write(endpoint.address.family == .v4 ? families.v4 : families.v6)
        writer.write(endpoint.port)
        if endpoint.address.family == .v6 { writer.write(repeating: 0, count: 4) }
        writer.write(endpoint.address.bytes)
        writer.write(repeating: 0, count: endpoint.address.family == .v4 ? 8 : 4)
        return writer.bytes
    }
}
