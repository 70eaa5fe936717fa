internal import SansIO

/// Frames of RFC 4571: a 16-bit length, then that many bytes.
public enum StreamFraming {
    /// The most bytes one frame may carry.
    public static let payloadLimit = 65_535

    /// Puts bytes into one frame, or into several when they do not fit or `limit` is lower; empty bytes make an empty frame.
    public static func frame(_ payload: [UInt8], limit: Int = payloadLimit) -> [UInt8] {
        let limit = min(max(limit, 1), payloadLimit)
        var writer = ByteWriter(capacity: payload.count + 2 * (payload.count / limit + 1))
        var start = 0
        repeat {
            let end = min(start + limit, payload.count)
            writer.write(UInt16(end - start))
            writer.write(payload[start..<end])
            start = end
        } while start < payload.count
        return writer.bytes
    }
}

/// Cuts a byte stream into the frames of RFC 4571, wherever reads end.
public struct StreamDeframer: Sendable {
    private var buffer: [UInt8] = []

    /// Starts at the beginning of a stream.
    public init() {}

    /// Takes bytes cut anywhere, and returns the payloads they complete, empty ones included.
    ///
    /// What is kept in between is less than one frame, so at most 65 536 bytes.
    public mutating func receive(_ bytes: Span<UInt8>) -> [[UInt8]] {
        buffer.append(contentsOf: [UInt8](bytes))
        var (payloads, start) = ([[UInt8]](), 0)
        while buffer.count - start >= 2 {
            let count = Int(buffer[start]) << 8 | Int(buffer[start + 1])
            guard buffer.count - start - 2 >= count else { break }
            payloads.append(Array(buffer[start + 2..<start + 2 + count]))
            start += 2 + count
        }
        buffer.removeFirst(start)
        return payloads
    }
}
