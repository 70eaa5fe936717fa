internal import SansIO

/// The textual armour of RFC 7468: found anywhere among other bytes, written in lines of 64 characters.
enum PEM {
    static let certificateLabel = "CERTIFICATE"
    static let pkcs8Label = "PRIVATE KEY"
    static let pkcs1Label = "RSA PRIVATE KEY"
    static let encryptedLabel = "ENCRYPTED PRIVATE KEY"

    private static let begin = Array("-----BEGIN ".utf8)
    private static let end = Array("-----END ".utf8)
    private static let dashes = Array("-----".utf8)
    /// Longest label that is looked for; the longest in use, "ENCRYPTED PRIVATE KEY", has 21 characters.
    private static let maximumLabel = 64

    /// One armoured block and the range of its text, without the line break behind it.
    struct Block {
        let label: String
        let content: [UInt8]
        let range: Range<Int>
    }

    /// Finds the next block at or after `cursor` and moves `cursor` behind it; `nil` when there is none.
    static func next(in text: [UInt8], from cursor: inout Int) throws(WireError) -> Block? {
        guard let start = find(begin, in: text, from: cursor) else { return nil }
        let labelStart = start + begin.count
        guard let labelEnd = find(dashes, in: text, from: labelStart, before: labelStart + maximumLabel) else {
            throw .malformed(.armour, at: start)
        }
        let label = text[labelStart..<labelEnd]
        let footer = end + label + dashes
        let bodyStart = labelEnd + dashes.count
        guard let bodyEnd = find(footer, in: text, from: bodyStart) else { throw .truncated(at: text.count) }
        let digits = text[bodyStart..<bodyEnd].filter { !isWhitespace($0) }
        guard let content = Base64.decode(String(decoding: digits, as: UTF8.self)) else {
            throw .malformed(.armour, at: bodyStart)
        }
        cursor = bodyEnd + footer.count
        return Block(label: String(decoding: label, as: UTF8.self), content: content, range: start..<cursor)
    }

    /// Writes one block, ending in a line break.
    static func encode(_ content: [UInt8], label: String) -> String {
        let digits = Array(Base64.encode(content).utf8)
        var text = "-----BEGIN \(label)-----\n"
        for start in stride(from: 0, to: digits.count, by: 64) {
            text += String(decoding: digits[start..<min(start + 64, digits.count)], as: UTF8.self) + "\n"
        }
        return text + "-----END \(label)-----\n"
    }

    private static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") || byte == UInt8(ascii: " ")
            || byte == UInt8(ascii: "\t")
    }

    private static func find(_ needle: [UInt8], in text: [UInt8], from start: Int, before limit: Int = .max) -> Int? {
        let last = min(text.count - needle.count, limit)
        var index = start
        while index <= last {
            if text[index] == needle[0], text[index..<index + needle.count].elementsEqual(needle) { return index }
            index += 1
        }
        return nil
    }
}

extension WireError.Field {
    static let armour: Self = "PEM armour"
}
