package import SansIO

/// What peers say about a channel, on channel 0: the array `[name, channel, state]`.
package struct ChannelRequest: Hashable, Sendable {
    /// What is said.
    package enum State: UInt8, Sendable {
        /// The channel is asked for.
        case request
        /// It is granted.
        case accept
        /// It is refused.
        case decline
    }

    /// What the channel is for; answers repeat it.
    package let name: String
    /// The number the requester chose; answers repeat it.
    package let channel: Multiplexer.ChannelID
    /// Request or answer.
    package let state: State

    /// Joins the fields.
    package init(name: String, channel: Multiplexer.ChannelID, state: State) {
        self.name = name
        self.channel = channel
        self.state = state
    }

    /// Reads one of the requests of a payload.
    @_lifetime(reader: copy reader)
    package init(from reader: inout MessagePackReader) throws(WireError) {
        let start = reader.offset
        guard try reader.readArrayHeader() == 3 else { throw .malformed("channel request", at: start) }
        name = try reader.readString()
        channel = Multiplexer.ChannelID(rawValue: try reader.readInteger())
        let state: UInt8 = try reader.readInteger()
        guard let state = State(rawValue: state) else { throw .malformed("channel state", at: start) }
        self.state = state
    }

    /// The request as peers write it.
    package var bytes: [UInt8] {
        var writer = MessagePackWriter(capacity: name.utf8.count + 8)
        writer.writeArrayHeader(3)
        writer.write(name)
        writer.write(channel.rawValue)
        writer.write(state.rawValue)
        return writer.bytes
    }

    /// The whole frame that says this alone.
    package var frame: ChannelFrame { ChannelFrame(channel: .control, payload: bytes) }
}
