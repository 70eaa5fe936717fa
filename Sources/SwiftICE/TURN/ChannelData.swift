public import SansIO

extension WireError.Field {
    static let channelNumber: Self = "channel number"
}

/// Data on a TURN channel (RFC 8656 §12.4): the channel, a length, the data.
public struct ChannelData: Hashable, Sendable {
    /// The numbers a channel may have; RFC 8656 binds up to 0x4FFF only, older servers more.
    public static let channels: ClosedRange<UInt16> = 0x4000...0x7FFF

    /// The channel.
    public let channel: UInt16
    /// The data, at most 65535 bytes.
    public let data: [UInt8]

    /// Joins a channel and data; `nil` when the number is no channel's or the data too long.
    public init?(channel: UInt16, data: [UInt8]) {
        guard Self.channels.contains(channel), data.count <= Int(UInt16.max) else { return nil }
        self.channel = channel
        self.data = data
    }

    /// Reads a datagram; bytes behind the data are padding and ignored.
    public init(datagram: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(datagram)
        (channel, data) = try Self.read(&reader)
    }

    /// Reads a datagram from an array.
    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(datagram: bytes.span) }

    @_lifetime(reader: copy reader)
    private static func read(_ reader: inout ByteReader) throws(WireError) -> (UInt16, [UInt8]) {
        let channel: UInt16 = try reader.read()
        guard channels.contains(channel) else { throw .malformed(.channelNumber, at: 0) }
        let count: UInt16 = try reader.read()
        return (channel, try reader.readBytes(Int(count)))
    }

    /// The message for UDP, without padding.
    public var datagram: [UInt8] {
        var writer = ByteWriter(capacity: data.count + 8)
        writer.write(channel)
        writer.write(UInt16(data.count))
        writer.write(data)
        return writer.bytes
    }

    /// The message for TCP and TLS, padded to a multiple of four.
    public var framed: [UInt8] { datagram + Array(repeating: 0, count: (4 - data.count % 4) % 4) }
}
