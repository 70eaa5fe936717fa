/// The characters SIP and SDP are made of.
enum ASCII {
    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let tab = UInt8(ascii: "\t")
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let comma = UInt8(ascii: ",")
    static let semicolon = UInt8(ascii: ";")
    static let colon = UInt8(ascii: ":")
    static let equals = UInt8(ascii: "=")
    static let slash = UInt8(ascii: "/")
    static let less = UInt8(ascii: "<")
    static let greater = UInt8(ascii: ">")
    static let at = UInt8(ascii: "@")
    static let question = UInt8(ascii: "?")

    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

    static func isHexDigit(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 6 }

    static func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) }

    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// A blank or part of a line end, as folded values hold them.
    static func isWhitespace(_ byte: UInt8) -> Bool { isBlank(byte) || byte == carriageReturn || byte == lineFeed }

    /// The characters of a token (RFC 3261 §25.1).
    static func isToken(_ byte: UInt8) -> Bool {
        if isAlphanumeric(byte) { return true }
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "%"), UInt8(ascii: "*"),
            UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "`"), UInt8(ascii: "'"), UInt8(ascii: "~"):
            return true
        default: return false
        }
    }

    /// The characters of a word (RFC 3261 §25.1), which a Call-ID is made of.
    static func isWord(_ byte: UInt8) -> Bool {
        if isToken(byte) { return true }
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: ")"), less, greater, colon, backslash, quote, slash,
            UInt8(ascii: "["), UInt8(ascii: "]"), question, UInt8(ascii: "{"), UInt8(ascii: "}"):
            return true
        default: return false
        }
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// The byte, or a blank in the place of what could end a line.
    static func withoutLineEnds(_ byte: UInt8) -> UInt8 {
        byte == carriageReturn || byte == lineFeed || byte == 0 ? space : byte
    }

    /// Whether two texts are equal without case.
    static func isEqual(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Bool {
        left.lazy.map(lowercased).elementsEqual(right.lazy.map(lowercased))
    }
}
