package import SansIO

/// What the two ends of a connection say about themselves, on channel 0xffff: a map.
package enum ProtocolMessage: Hashable, Sendable {
    /// `{"v": n}`: which version of the multiplexer the sender speaks. Peers of version 1 and later answer beacons.
    case version(UInt32)
    /// `{"p": true}`: are you there? To be answered at once.
    case ping
    /// `{"p": false}`: the answer.
    case pong

    /// Reads one map of a payload, and appends what it says; unknown keys are passed over.
    @_lifetime(reader: copy reader)
    package static func read(_ reader: inout MessagePackReader, into messages: inout [Self]) throws(WireError) {
        for _ in 0..<(try reader.readMapHeader()) {
            switch try readKey(&reader) {
            case "v": messages.append(.version(try reader.readInteger()))
            case "p": messages.append(try reader.readBoolean() ? .ping : .pong)
            default: try reader.skip()
            }
        }
    }

    /// A key's text, or nothing when it is of another type, which no known key is.
    @_lifetime(reader: copy reader)
    private static func readKey(_ reader: inout MessagePackReader) throws(WireError) -> String? {
        if try reader.peek() == .string { return try reader.readString() }
        try reader.skip()
        return nil
    }

    /// The message as peers write it.
    package var bytes: [UInt8] {
        var writer = MessagePackWriter(capacity: 8)
        writer.writeMapHeader(1)
        switch self {
        case .version(let version):
            writer.write("v")
            writer.write(version)
        case .ping, .pong:
            writer.write("p")
            writer.write(self == .ping)
        }
        return writer.bytes
    }

    /// The whole frame that says this alone.
    package var frame: ChannelFrame { ChannelFrame(channel: .protocol, payload: bytes) }
}
