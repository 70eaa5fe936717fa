internal import SansIO

/// Reads RFC 8259, and nothing that only resembles it.
struct JSONReader {
    private let text: [UInt8]
    private var offset = 0
    private var depth = 0
    private var values = 0

    init(_ text: [UInt8]) { self.text = text }

    mutating func document() throws(WireError) -> JSON {
        let value = try value()
        skipSpace()
        guard offset == text.count else { throw malformed }
        return value
    }

    private var malformed: WireError {
        offset < text.count ? .malformed(.json, at: offset) : .truncated(at: offset)
    }

    private mutating func value() throws(WireError) -> JSON {
        skipSpace()
        values += 1
        guard values <= JSON.maximumValues else { throw .overLimit(.jsonValues, limit: JSON.maximumValues) }
        guard offset < text.count else { throw malformed }
        switch text[offset] {
        case UInt8(ascii: "{"): return try nested { reader throws(WireError) in .object(try reader.members()) }
        case UInt8(ascii: "["): return try nested { reader throws(WireError) in .list(try reader.items()) }
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "t"): return try word("true", .flag(true))
        case UInt8(ascii: "f"): return try word("false", .flag(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func nested(_ body: (inout Self) throws(WireError) -> JSON) throws(WireError) -> JSON {
        guard depth < JSON.maximumDepth else { throw .overLimit(.jsonDepth, limit: JSON.maximumDepth) }
        depth += 1
        offset += 1
        defer { depth -= 1 }
        return try body(&self)
    }

    private mutating func members() throws(WireError) -> [JSON.Member] {
        var members: [JSON.Member] = []
        // Of two members of a name, two readers may believe different ones.
        var names: Set<String> = []
        if take("}") { return members }
        while true {
            skipSpace()
            let start = offset
            let name = try string()
            guard names.insert(name).inserted else { throw .malformed(.json, at: start) }
            guard take(":") else { throw malformed }
            members.append(JSON.Member(name: name, value: try value()))
            if take("}") { return members }
            guard take(",") else { throw malformed }
        }
    }

    private mutating func items() throws(WireError) -> [JSON] {
        var items: [JSON] = []
        if take("]") { return items }
        while true {
            items.append(try value())
            if take("]") { return items }
            guard take(",") else { throw malformed }
        }
    }

    private mutating func skipSpace() {
        while offset < text.count {
            switch text[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }

    /// Moves over `character` and the space before it, if they are next.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard offset < text.count, text[offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func word(_ word: String, _ value: JSON) throws(WireError) -> JSON {
        guard text[offset...].starts(with: word.utf8) else { throw .malformed(.json, at: offset) }
        offset += word.utf8.count
        return value
    }
}

// MARK: - Numbers

extension JSONReader {
    private mutating func number() throws(WireError) -> String {
        let start = offset
        skip("-")
        if !skip("0") { try digits() }
        if skip(".") { try digits() }
        if skip("e") || skip("E") {
            if !skip("+") { skip("-") }
            try digits()
        }
        return String(decoding: text[start..<offset], as: UTF8.self)
    }

    @discardableResult
    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard offset < text.count, text[offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func digits() throws(WireError) {
        let start = offset
        while offset < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[offset]) { offset += 1 }
        guard offset > start else { throw malformed }
    }
}

// MARK: - Strings

extension JSONReader {
    private mutating func string() throws(WireError) -> String {
        guard skip("\"") else { throw malformed }
        let start = offset
        var bytes: [UInt8] = []
        while offset < text.count {
            let byte = text[offset]
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                guard let string = String(validating: bytes, as: UTF8.self) else {
                    throw .malformed(.json, at: start)
                }
                return string
            case UInt8(ascii: "\\"): try readEscape(into: &bytes)
            case 0..<0x20: throw malformed
            default:
                bytes.append(byte)
                offset += 1
            }
        }
        throw malformed
    }

    private mutating func readEscape(into bytes: inout [UInt8]) throws(WireError) {
        guard offset + 1 < text.count else { throw .truncated(at: text.count) }
        let character = text[offset + 1]
        switch character {
        case UInt8(ascii: "u"): return try readUnicode(into: &bytes)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(character)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        default: throw malformed
        }
        offset += 2
    }

    /// Reads one `\u` escape, or two that are a surrogate pair (RFC 8259 §7).
    private mutating func readUnicode(into bytes: inout [UInt8]) throws(WireError) {
        let start = offset
        let first = try codeUnit()
        var units = [first]
        if (0xD800..<0xDC00).contains(first), text[offset...].starts(with: Array("\\u".utf8)) {
            units.append(try codeUnit())
        }
        guard let string = String(validating: units, as: UTF16.self) else { throw .malformed(.json, at: start) }
        bytes += Array(string.utf8)
    }

    private mutating func codeUnit() throws(WireError) -> UInt16 {
        guard offset + 6 <= text.count else { throw .truncated(at: text.count) }
        guard let bytes = Hexadecimal.decode(String(decoding: text[offset + 2..<offset + 6], as: UTF8.self)) else {
            throw malformed
        }
        offset += 6
        return UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    }
}
