public import SansIO

extension Message {
    /// Reads a message that came as one datagram: the body is what `Content-Length` says, or the rest without it.
    ///
    /// Octets after the body are ignored (RFC 3261 §18.3).
    public init(decoding bytes: [UInt8], limits: MessageLimits = MessageLimits()) throws(WireError) {
        var start = 0
        while start < bytes.count, [ASCII.carriageReturn, ASCII.lineFeed].contains(bytes[start]) { start += 1 }
        guard let end = HeadReader.end(of: bytes, from: start) else { throw .truncated(at: bytes.count) }
        guard end - start <= limits.head else { throw .overLimit(.head, limit: limits.head) }
        try self.init(head: Array(bytes[start..<end]), limits: limits)
        let rest = bytes[end...]
        switch announcedLength {
        case .none: body = Array(rest)
        case .octets(let length) where length <= rest.count: body = Array(rest.prefix(length))
        case .octets, .unclear: defect = defect ?? .length
        }
        guard body.count <= limits.body else { throw .overLimit(.body, limit: limits.body) }
    }

    /// Reads a message that came as one datagram.
    public init(datagram: Span<UInt8>, limits: MessageLimits = MessageLimits()) throws(WireError) {
        try self.init(decoding: [UInt8](datagram), limits: limits)
    }

    /// Reads everything before the body, the empty line included.
    init(head: [UInt8], limits: MessageLimits) throws(WireError) {
        var reader = HeadReader(head, limits: limits)
        (startLine, defect) = try reader.startLine()
        fields = try reader.fields()
        body = []
    }

    /// What the fields say about the length of the body.
    enum AnnouncedLength: Hashable {
        case none
        case octets(Int)
        /// No number, or several that differ: where the body ends cannot be known.
        case unclear
    }

    /// What the fields say about the length of the body.
    var announcedLength: AnnouncedLength {
        var length: Int?
        for value in fields.values(.contentLength) {
            var scanner = ValueScanner(value[...], as: .contentLength)
            guard let number = try? scanner.number(Int.self), scanner.isAtEnd, length == nil || length == number else {
                return .unclear
            }
            length = number
        }
        return length.map { .octets($0) } ?? .none
    }
}

/// Reads the start line and the places of the header fields.
struct HeadReader {
    private let bytes: [UInt8]
    private let limits: MessageLimits
    private var position = 0

    init(_ bytes: [UInt8], limits: MessageLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// Where the first empty line at or after `start` ends.
    static func end(of bytes: [UInt8], from start: Int) -> Int? {
        var index = start + 3
        while index < bytes.count {
            // The byte looked at tells how far the end may still be.
            switch bytes[index] {
            case ASCII.lineFeed:
                if bytes[index - 1] == ASCII.carriageReturn, bytes[index - 2] == ASCII.lineFeed,
                    bytes[index - 3] == ASCII.carriageReturn
                {
                    return index + 1
                }
                index += 2
            case ASCII.carriageReturn: index += 1
            default: index += 4
            }
        }
        return nil
    }

    /// Takes one line without its end. A lone CR or LF is an error: what one agent reads as a line end and another
    /// does not is how requests are smuggled.
    private mutating func line() throws(WireError) -> Range<Int> {
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case ASCII.carriageReturn:
                guard position + 1 < bytes.count, bytes[position + 1] == ASCII.lineFeed else {
                    throw .malformed(.lineEnd, at: position)
                }
                defer { position += 2 }
                return start..<position
            case ASCII.lineFeed: throw .malformed(.lineEnd, at: position)
            default: position += 1
            }
        }
        throw .truncated(at: position)
    }

    mutating func startLine() throws(WireError) -> (Message.StartLine, Message.Defect?) {
        let range = try line()
        guard range.count <= limits.startLine else { throw .overLimit(.startLine, limit: limits.startLine) }
        let line = bytes[range]
        guard !line.contains(0) else { throw .malformed(.startLine, at: 0) }
        if line.count > 4, ASCII.isEqual(line.prefix(4), "SIP/".utf8) { return try statusLine(line) }
        return try requestLine(line)
    }

    private func requestLine(_ line: ArraySlice<UInt8>) throws(WireError) -> (Message.StartLine, Message.Defect?) {
        let trimmed = line.trimmingBlanks
        guard let first = trimmed.firstIndex(of: ASCII.space), let last = trimmed.lastIndex(of: ASCII.space) else {
            throw .malformed(.startLine, at: 0)
        }
        let version = try Self.version(trimmed[(last + 1)...])
        let method = trimmed[..<first]
        guard !method.isEmpty, method.allSatisfy(ASCII.isToken), first < last else {
            throw .malformed(.startLine, at: 0)
        }
        let target = trimmed[(first + 1)..<last]
        let isTidy = target.allSatisfy { !ASCII.isBlank($0) } && trimmed.count == line.count
        let defect: Message.Defect? = version == "2.0" ? (isTidy ? nil : .startLine) : .version
        return (
            .request(
                Method(rawValue: String(decoding: method, as: UTF8.self)),
                target: String(decoding: target.trimmingBlanks, as: UTF8.self)), defect
        )
    }

    private func statusLine(_ line: ArraySlice<UInt8>) throws(WireError) -> (Message.StartLine, Message.Defect?) {
        let parts = line.split(separator: ASCII.space, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[1].count == 3, parts[1].allSatisfy(ASCII.isDigit) else {
            throw .malformed(.status, at: 0)
        }
        let version = try Self.version(parts[0])
        let status = parts[1].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        guard (100...699).contains(status) else { throw .malformed(.status, at: 0) }
        let reason = parts.count == 3 ? String(decoding: parts[2], as: UTF8.self) : ""
        return (.response(status: status, reason: reason), version == "2.0" ? nil : .version)
    }

    /// Takes the number of `SIP/<number>`.
    private static func version(_ bytes: ArraySlice<UInt8>) throws(WireError) -> String {
        let number = bytes.dropFirst(4)
        guard bytes.count >= 7, ASCII.isEqual(bytes.prefix(4), "SIP/".utf8),
            number.allSatisfy({ ASCII.isDigit($0) || $0 == UInt8(ascii: ".") })
        else { throw .malformed(.version, at: 0) }
        return String(decoding: number, as: UTF8.self)
    }

    mutating func fields() throws(WireError) -> HeaderFields {
        var fields = HeaderFields(storage: bytes)
        while true {
            var range = try line()
            if range.isEmpty { return fields }
            guard fields.count < limits.fields else { throw .overLimit(.fields, limit: limits.fields) }
            while position < bytes.count, ASCII.isBlank(bytes[position]) {
                range = range.lowerBound..<(try line().upperBound)
            }
            guard range.count <= limits.field else { throw .overLimit(.field, limit: limits.field) }
            guard let colon = bytes[range].firstIndex(of: ASCII.colon) else {
                throw .malformed(.field, at: range.lowerBound)
            }
            var name = bytes[range.lowerBound..<colon]
            while let last = name.last, ASCII.isBlank(last) { name.removeLast() }
            guard !name.isEmpty, name.allSatisfy(ASCII.isToken) else { throw .malformed(.field, at: range.lowerBound) }
            let value = bytes[(colon + 1)..<range.upperBound].trimmingBlanks
            try Self.checkNULs(value)
            fields.note(HeaderName(bytes: name), at: value.startIndex..<value.endIndex)
        }
    }

    /// NUL may stand in a value only behind a backslash (RFC 3261 §25.1, `quoted-pair`).
    private static func checkNULs(_ value: ArraySlice<UInt8>) throws(WireError) {
        for index in value.indices where value[index] == 0 {
            guard index > value.startIndex, value[index - 1] == ASCII.backslash else {
                throw .malformed(.field, at: index)
            }
        }
    }
}

extension WireError.Field {
    static let startLine: Self = "start line"
    static let version: Self = "version"
    static let status: Self = "status"
    static let lineEnd: Self = "line end"
    static let head: Self = "header fields"
    static let fields: Self = "number of header fields"
    static let field: Self = "header field"
    static let body: Self = "body"
    static let contentLength: Self = "Content-Length"
}
