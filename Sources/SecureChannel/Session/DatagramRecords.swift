/// What can be said about a datagram from its record headers alone (RFC 6347 §4.1).
enum DatagramRecords {
    /// Type, version, epoch, sequence number and length.
    private static let headerLength = 13
    private static let handshake: UInt8 = 22
    private static let clientHello: UInt8 = 1

    /// Whether whole records, and nothing else, fill the datagram.
    ///
    /// GnuTLS waits for the rest of a record that was cut short and takes the next datagram for it, so that any
    /// stray datagram would cost a good one.
    static func fill(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            guard offset + headerLength <= bytes.count, (20...25).contains(bytes[offset]), bytes[offset + 1] == 0xFE
            else { return false }
            offset += headerLength + Int(bytes[offset + 11]) << 8 + Int(bytes[offset + 12])
        }
        return offset == bytes.count && offset > 0
    }

    /// Whether the first record starts a ClientHello; the datagram is filled by records.
    static func beginClientHello(_ bytes: [UInt8]) -> Bool {
        bytes.count > headerLength && bytes[0] == handshake && bytes[headerLength] == clientHello
    }
}
