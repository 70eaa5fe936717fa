public import SansIO

/// Cuts the byte stream of a TURN connection into messages, which delimit themselves (RFC 8656 §2.1).
public struct TURNDeframer: Sendable {
    /// One message of the stream.
    public enum Element: Hashable, Sendable {
        /// The bytes of a STUN message, not looked into.
        case message([UInt8])
        /// Data on a channel.
        case channelData(ChannelData)
    }

    private var buffer: [UInt8] = []

    /// Starts at the beginning of a stream.
    public init() {}

    /// Takes bytes cut anywhere, and returns what they complete; an error ends the stream.
    ///
    /// What is kept in between is less than one message, so at most 65 555 bytes.
    public mutating func receive(_ bytes: Span<UInt8>) throws(WireError) -> [Element] {
        buffer.append(contentsOf: [UInt8](bytes))
        var (elements, start) = ([Element](), 0)
        while let count = try lengthOfNext(at: start), buffer.count - start >= count {
            let message = buffer[start..<start + count]
            if message[start] < 0x40 {
                elements.append(.message(Array(message)))
            } else {
                elements.append(.channelData(try ChannelData(decoding: Array(message))))
            }
            start += count
        }
        buffer.removeFirst(start)
        return elements
    }

    private func lengthOfNext(at start: Int) throws(WireError) -> Int? {
        guard buffer.count - start >= 4 else { return nil }
        let count = Int(buffer[start + 2]) << 8 | Int(buffer[start + 3])
        switch buffer[start] {
        case 0x00...0x3F where count.isMultiple(of: 4): return Message.headerLength + count
        case 0x40...0x7F: return 4 + count + (4 - count % 4) % 4
        default: throw .malformed(.messageType, at: start)
        }
    }
}
