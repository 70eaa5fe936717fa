package import SansIO

/// One frame of the multiplexer: the array `[channel, payload]`, with the payload as bytes.
package struct ChannelFrame: Hashable, Sendable {
    /// The channel the payload belongs to.
    package let channel: Multiplexer.ChannelID
    /// At most ``payloadLimit`` bytes. On a data channel no bytes at all end the channel.
    package let payload: [UInt8]

    /// The most bytes one frame carries, which is what the length of a write means to peers.
    package static let payloadLimit = 65_535

    /// Joins a channel and a payload.
    package init(channel: Multiplexer.ChannelID, payload: [UInt8]) {
        self.channel = channel
        self.payload = payload
    }

    /// The frame as peers write it, each number in its shortest form.
    package var bytes: [UInt8] {
        var writer = MessagePackWriter(capacity: payload.count + 7)
        writer.writeArrayHeader(2)
        writer.write(channel.rawValue)
        writer.write(payload)
        return writer.bytes
    }
}

/// Cuts a plaintext stream into frames, wherever reads end.
///
/// What is kept between two pieces is at most a head of ``headLimit`` bytes or an unfinished payload.
package struct ChannelDeframer: Sendable {
    /// The longest head: array, channel and payload length, each in its widest form.
    package static let headLimit = 19

    private struct Head {
        let channel: Multiplexer.ChannelID
        let count: Int
    }

    private var buffer: [UInt8] = []
    /// How much of the buffer was used; it is dropped once for each piece received, not for each frame.
    private var start = 0
    private var head: Head?

    /// Starts at the beginning of a stream.
    package init() {}

    /// How many bytes wait for the rest of their frame.
    package var unfinishedCount: Int { buffer.count - start }

    /// Takes the next piece of the stream; ``next()`` tells what it completes.
    package mutating func append(_ bytes: [UInt8]) {
        buffer.removeFirst(start)
        start = 0
        buffer += bytes
    }

    /// Returns the next whole frame, or `nil` until more bytes come; after an error the stream cannot be read further.
    package mutating func next() throws(WireError) -> ChannelFrame? {
        if head == nil { head = try takeHead() }
        guard let head, unfinishedCount >= head.count else { return nil }
        defer { self.head = nil }
        let end = start + head.count
        defer { start = end }
        return ChannelFrame(channel: head.channel, payload: Array(buffer[start..<end]))
    }

    private mutating func takeHead() throws(WireError) -> Head? {
        let available = Array(buffer[start...].prefix(Self.headLimit))
        do throws(WireError) {
            var reader = MessagePackReader(available.span)
            guard try reader.readArrayHeader() == 2 else { throw .malformed("channel frame", at: 0) }
            let channel = Multiplexer.ChannelID(rawValue: try reader.readInteger())
            let count = try reader.readByteCount()
            guard count <= ChannelFrame.payloadLimit else {
                throw .overLimit("channel payload", limit: ChannelFrame.payloadLimit)
            }
            start += reader.offset
            return Head(channel: channel, count: count)
        } catch .truncated(let offset) {
            guard available.count < Self.headLimit else { throw .malformed("channel frame", at: offset) }
            return nil
        }
    }
}
