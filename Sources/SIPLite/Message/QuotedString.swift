/// Text in quotes, in which a backslash takes the meaning from the character after it (RFC 3261 §25.1).
enum QuotedString {
    /// Writes text with quotes around it; line ends become blanks.
    static func quoted(_ text: String) -> String {
        var quoted: [UInt8] = []
        for byte in text.utf8.map(ASCII.withoutLineEnds) {
            if byte == ASCII.quote || byte == ASCII.backslash { quoted.append(ASCII.backslash) }
            quoted.append(byte)
        }
        return "\"\(String(decoding: quoted, as: UTF8.self))\""
    }

    /// Takes quotes and backslashes away.
    static func unescape(_ quoted: ArraySlice<UInt8>) -> String {
        var output: [UInt8] = []
        var index = quoted.startIndex + 1
        while index < quoted.endIndex - 1 {
            if quoted[index] == ASCII.backslash { index += 1 }
            output.append(quoted[index])
            index += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// The text of a parameter's value, which is a quoted string or a token.
    static func text(_ value: String) -> String {
        value.utf8.count >= 2 && value.utf8.first == ASCII.quote ? unescape(Array(value.utf8)[...]) : value
    }
}
