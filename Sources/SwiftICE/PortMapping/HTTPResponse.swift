internal import SansIO

extension WireError.Field {
    static let statusLine: Self = "status line"
    static let headerLine: Self = "header line"
    static let headerLength: Self = "header length"
    static let bodyLength: Self = "body length"
    static let chunk: Self = "chunk"
}

/// The head of an HTTP/1.1 response, or of an answer to a search, which has the same form (RFC 9112 §4 and §5).
struct HTTPHead: Hashable, Sendable {
    /// How many header lines are read.
    static let lineLimit = 64
    /// The most bytes of a head.
    static let lengthLimit = 8_192

    let status: Int
    /// Names in lower case, and values without the space around them; the first of each name counts.
    private let fields: [String: String]

    /// Reads a head without the empty line that ends it; lines may end in LF alone.
    init(_ bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= Self.lengthLimit else { throw .overLimit(.headerLength, limit: Self.lengthLimit) }
        let lines = bytes.split(separator: ASCII.lineFeed, omittingEmptySubsequences: false).map { $0.trimmed }
        guard lines.count <= Self.lineLimit else { throw .overLimit(.headerLine, limit: Self.lineLimit) }
        let words = (lines.first ?? []).split(separator: ASCII.space, maxSplits: 2)
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8), words[1].count == 3,
            let status = Int(String(decoding: words[1], as: UTF8.self)), status >= 100
        else { throw .malformed(.statusLine, at: 0) }
        self.status = status
        var fields: [String: String] = [:]
        for line in lines.dropFirst() where !line.isEmpty {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
                let value = String(validating: line[(colon + 1)...].trimmed, as: UTF8.self)
            else { throw .malformed(.headerLine, at: line.startIndex) }
            let name = String(decoding: line[..<colon].map(ASCII.lowercased), as: UTF8.self)
            if fields[name] == nil { fields[name] = value }
        }
        self.fields = fields
    }

    /// The value of a field, by its name in lower case.
    subscript(_ name: String) -> String? { fields[name] }
}

/// One response read from a connection: by its length, in chunks, or up to the end of the connection (RFC 9112 §6).
struct HTTPResponseReader: Sendable {
    /// The most bytes of a body.
    static let bodyLimit = 262_144
    /// The most bytes of the line before a chunk.
    static let chunkLineLimit = 64

    private enum Body: Hashable, Sendable {
        case counted(Int)
        case chunked
        case untilEnd
    }

    private var buffer: [UInt8] = []
    private var head: (head: HTTPHead, body: Body, start: Int)?
    /// How many bytes hold no end of the head, so that a peer that sends byte by byte costs no more than others.
    private var searched = 0
    /// What the chunks read so far hold, and where the next one begins.
    private var chunked: (body: [UInt8], position: Int) = ([], 0)

    /// Takes bytes cut anywhere; returns the response once it is whole.
    mutating func receive(_ bytes: Span<UInt8>) throws(WireError) -> (head: HTTPHead, body: [UInt8])? {
        buffer += [UInt8](bytes)
        // Chunks cost a few bytes each; who needs more than as much again is hostile.
        let limit = HTTPHead.lengthLimit + 2 * Self.bodyLimit
        guard buffer.count <= limit else { throw .overLimit(.bodyLength, limit: limit) }
        if head == nil { try readHead() }
        guard let (head, body, start) = head else { return nil }
        switch body {
        case .counted(let count):
            return buffer.count - start >= count ? (head, Array(buffer[start..<start + count])) : nil
        case .chunked: return try readChunks() ? (head, chunked.body) : nil
        case .untilEnd: return nil
        }
    }

    /// The peer ended the connection; returns a response that is only delimited by that.
    mutating func end() -> (head: HTTPHead, body: [UInt8])? {
        guard let (head, body, start) = head, body == .untilEnd, buffer.count - start <= Self.bodyLimit else {
            return nil
        }
        return (head, Array(buffer[start...]))
    }

    private mutating func readHead() throws(WireError) {
        guard let end = endOfHead() else {
            guard buffer.count <= HTTPHead.lengthLimit else {
                throw .overLimit(.headerLength, limit: HTTPHead.lengthLimit)
            }
            return
        }
        let head = try HTTPHead(Array(buffer[..<end.lowerBound]))
        if head["transfer-encoding"]?.lowercased() == "chunked" {
            self.head = (head, .chunked, end.upperBound)
            chunked.position = end.upperBound
        } else if let text = head["content-length"] {
            guard let count = Int(text), count >= 0 else { throw .malformed(.bodyLength, at: 0) }
            guard count <= Self.bodyLimit else { throw .overLimit(.bodyLength, limit: Self.bodyLimit) }
            self.head = (head, .counted(count), end.upperBound)
        } else {
            self.head = (head, .untilEnd, end.upperBound)
        }
    }

    /// Where the empty line behind the head is.
    private mutating func endOfHead() -> Range<Int>? {
        defer { searched = max(0, buffer.count - 2) }
        for index in buffer.indices.dropFirst(searched).prefix(HTTPHead.lengthLimit)
        where buffer[index] == ASCII.lineFeed {
            let rest = buffer[(index + 1)...].prefix(2)
            if rest.first == ASCII.lineFeed { return index..<index + 2 }
            if Array(rest) == [ASCII.carriageReturn, ASCII.lineFeed] { return index..<index + 3 }
        }
        return nil
    }

    /// Reads the chunks that are whole; returns whether the last one was among them.
    private mutating func readChunks() throws(WireError) -> Bool {
        while let feed = buffer[chunked.position...].firstIndex(of: ASCII.lineFeed) {
            let start = chunked.position
            let size = buffer[start..<feed].prefix { $0 != UInt8(ascii: ";") }.trimmed
            guard feed - start <= Self.chunkLineLimit, !size.isEmpty, size.first != UInt8(ascii: "+"),
                let count = Int(String(decoding: size, as: UTF8.self), radix: 16), count >= 0
            else { throw .malformed(.chunk, at: start) }
            if count == 0 { return true }
            guard count <= Self.bodyLimit - chunked.body.count else {
                throw .overLimit(.bodyLength, limit: Self.bodyLimit)
            }
            var end = feed + 1 + count
            guard buffer.count >= end + 2 else { return false }
            if buffer[end] == ASCII.carriageReturn { end += 1 }
            guard buffer[end] == ASCII.lineFeed else { throw .malformed(.chunk, at: end) }
            chunked.body += buffer[feed + 1..<feed + 1 + count]
            chunked.position = end + 1
        }
        guard buffer.count - chunked.position <= Self.chunkLineLimit else {
            throw .malformed(.chunk, at: chunked.position)
        }
        return false
    }
}

/// The few characters the formats of UPnP are made of.
enum ASCII {
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")

    static func isSpace(_ byte: UInt8) -> Bool { byte == space || (9...13).contains(byte) }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

extension ArraySlice<UInt8> {
    /// The bytes without space at either end.
    var trimmed: ArraySlice<UInt8> {
        var rest = drop(while: ASCII.isSpace)
        while let last = rest.last, ASCII.isSpace(last) { rest.removeLast() }
        return rest
    }
}
