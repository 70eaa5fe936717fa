public import SansIO

/// Cuts messages from a byte stream by `Content-Length` (RFC 3261 §18.3), however the stream is split.
///
/// Records of DTLS are a stream with holes: a message may span several, and any of them may be lost. There each message
/// begins with a record, so a record that begins as messages do gives an unfinished one up, and pieces without a
/// beginning are passed over; repetition brings what was lost.
public struct StreamFramer: Sendable {
    /// What was found in the stream.
    public enum Frame: Hashable, Sendable {
        /// A message.
        case message(Message)
        /// The peer asks whether the flow is alive (RFC 5626 §4.4.1): answer with one CRLF.
        case ping
        /// The stream cannot be read any further. The message is there when it can be answered before closing.
        case broken(Message?, WireError)
    }

    private enum Phase: Sendable {
        /// Between messages, this many line ends in.
        case idle
        /// In the header fields; nothing before this offset can be their end.
        case head(searched: Int)
        /// In the body of this message, which ends at `end`.
        case body(Message, end: Int)
        /// After an error.
        case broken
    }

    private let limits: MessageLimits
    private let mayLose: Bool
    private var buffer: [UInt8] = []
    /// How much of the buffer was used; it is dropped once for each piece received, not for each message.
    private var start = 0
    private var phase = Phase.idle

    /// Starts at the beginning of a stream.
    ///
    /// - Parameter mayLose: whether what is received are records any of which may be lost, each a piece of one message.
    public init(limits: MessageLimits = MessageLimits(), mayLose: Bool = false) {
        self.limits = limits
        self.mayLose = mayLose
    }

    /// Whether an unfinished message waits for more bytes.
    public var isUnfinished: Bool {
        switch phase {
        case .idle: false
        case .head, .body: true
        case .broken: false
        }
    }

    /// Takes the next bytes of the stream and returns what they complete.
    public mutating func receive(_ bytes: Span<UInt8>) -> [Frame] {
        var frames: [Frame] = []
        if mayLose, !isWanted(record: bytes) { return frames }
        if case .broken = phase { return frames }
        buffer.reserveCapacity(buffer.count + bytes.count)
        for index in bytes.indices { buffer.append(bytes[index]) }
        while let frame = next() { frames.append(frame) }
        dropUsed()
        return frames
    }

    /// Gives an unfinished message up, as records after it are missing; the next one is looked for.
    public mutating func interrupt() {
        guard mayLose, isUnfinished else { return }
        startOver()
    }

    private mutating func startOver() {
        buffer = []
        start = 0
        phase = .idle
    }

    /// Whether a record goes on with what there is, or begins a message; that starts over.
    private mutating func isWanted(record: Span<UInt8>) -> Bool {
        if Self.beginsMessage(record) {
            startOver()
            return true
        }
        if isUnfinished { return true }
        return record.count > 0 && record[0] == ASCII.carriageReturn
    }

    /// How far into a record the end of a start line is looked for.
    private static let startLineLimit = 512

    /// Whether the first line is a request's or a response's.
    private static func beginsMessage(_ record: Span<UInt8>) -> Bool {
        var line: [UInt8] = []
        for index in record.indices.prefix(startLineLimit) {
            if record[index] == ASCII.carriageReturn { break }
            line.append(record[index])
        }
        return line.starts(with: "SIP/2.0 ".utf8) || line.suffix(8).elementsEqual(" SIP/2.0".utf8)
    }

    private mutating func dropUsed() {
        buffer.removeFirst(start)
        switch phase {
        case .head(let searched): phase = .head(searched: searched - start)
        case .body(let message, let end): phase = .body(message, end: end - start)
        case .idle, .broken: break
        }
        start = 0
    }

    private mutating func next() -> Frame? {
        while true {
            switch phase {
            case .broken: return nil
            case .idle:
                if let ping = takeLineEnds() { return ping }
                guard case .head = phase else { return nil }
            case .head(let searched):
                guard let end = HeadReader.end(of: buffer, from: max(start, searched - 3)) else {
                    phase = .head(searched: buffer.count)
                    guard buffer.count - start <= limits.head else {
                        return fail(nil, .overLimit(.head, limit: limits.head))
                    }
                    return nil
                }
                if let failure = readHead(upTo: end) { return failure }
            case .body(var message, let end):
                guard buffer.count >= end else { return nil }
                message.body = Array(buffer[(end - message.announced)..<end])
                start = end
                phase = .idle
                return .message(message)
            }
        }
    }

    /// Skips line ends between messages; two in a row are a ping. Enters the head at the first other byte.
    private mutating func takeLineEnds() -> Frame? {
        guard start < buffer.count else { return nil }
        let first = buffer[start]
        guard first == ASCII.carriageReturn else {
            phase = first == ASCII.lineFeed ? .idle : .head(searched: start)
            return first == ASCII.lineFeed ? fail(nil, .malformed(.lineEnd, at: 0)) : nil
        }
        let expected = [ASCII.carriageReturn, ASCII.lineFeed, ASCII.carriageReturn, ASCII.lineFeed]
        let common = zip(buffer[start...], expected).prefix { $0 == $1 }.count
        if common == 4 {
            start += 4
            return .ping
        }
        guard buffer.count - start > common else { return nil }
        guard common >= 2 else { return fail(nil, .malformed(.lineEnd, at: 1)) }
        start += 2
        return takeLineEnds()
    }

    private mutating func readHead(upTo end: Int) -> Frame? {
        guard end - start <= limits.head else { return fail(nil, .overLimit(.head, limit: limits.head)) }
        let message: Message
        do throws(WireError) {
            message = try Message(head: Array(buffer[start..<end]), limits: limits)
        } catch {
            return fail(nil, error)
        }
        switch message.announcedLength {
        case .octets(let length) where length <= limits.body:
            phase = .body(message, end: end + length)
            return nil
        case .octets: return fail(message, .overLimit(.body, limit: limits.body))
        case .none, .unclear: return fail(message, .malformed(.contentLength, at: 0))
        }
    }

    /// Gives the stream up: where the next message starts cannot be known.
    private mutating func fail(_ message: Message?, _ error: WireError) -> Frame {
        phase = .broken
        buffer = []
        start = 0
        return .broken(message, error)
    }
}

extension Message {
    /// The announced length of a message whose announcement was checked.
    fileprivate var announced: Int {
        if case .octets(let length) = announcedLength { length } else { 0 }
    }
}
