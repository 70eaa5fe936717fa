internal import SansIO

/// Writes JSON in one line: non-ASCII text as it is, control characters by their shortest escapes, so that nothing
/// grows that was read.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ value: JSON) {
        switch value {
        case .null: write(raw: "null")
        case .flag(let flag): write(raw: flag ? "true" : "false")
        case .number(let digits): write(raw: digits)
        case .text(let text): write(text)
        case .list(let items): write(items, between: "[", "]") { $0.write($1) }
        case .object(let members):
            write(members, between: "{", "}") { writer, member in
                writer.write(member.name)
                writer.write(raw: ":")
                writer.write(member.value)
            }
        }
    }

    private mutating func write(raw text: String) { bytes += Array(text.utf8) }

    private mutating func write<T>(
        _ parts: [T], between open: String, _ close: String, _ part: (inout Self, T) -> Void
    ) {
        write(raw: open)
        for (index, item) in parts.enumerated() {
            if index > 0 { write(raw: ",") }
            part(&self, item)
        }
        write(raw: close)
    }

    private mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): write(raw: "\\\"")
            case UInt8(ascii: "\\"): write(raw: "\\\\")
            case 0x08: write(raw: "\\b")
            case 0x0C: write(raw: "\\f")
            case 0x0A: write(raw: "\\n")
            case 0x0D: write(raw: "\\r")
            case 0x09: write(raw: "\\t")
            case 0..<0x20: write(raw: "\\u00" + Hexadecimal.encode([byte]))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
