/// Swift source reduced to code: comments and the content of string literals are blanked, line breaks stay.
struct SourceText {
    /// The code, line by line.
    let lines: [String]

    init(_ source: String) {
        var scanner = Scanner(Array(source.utf8))
        lines = scanner.code().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Walks over the bytes once. Interpolations inside strings are kept as code.
    private struct Scanner {
        private let source: [UInt8]
        private var position = 0
        private var output: [UInt8] = []

        init(_ source: [UInt8]) { self.source = source }

        mutating func code() -> [UInt8] {
            copy(untilClosing: false)
            return output
        }

        private func sees(_ text: String) -> Bool { source[position...].starts(with: text.utf8) }

        private mutating func blank(_ count: Int = 1) {
            for byte in source[position..<min(position + count, source.count)] {
                output.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
            }
            position += count
        }

        /// Copies code to the end, or to the parenthesis that closes an interpolation.
        private mutating func copy(untilClosing isInterpolation: Bool) {
            var depth = 0
            while position < source.count {
                if sees("//") {
                    while position < source.count, source[position] != UInt8(ascii: "\n") { blank() }
                } else if sees("/*") {
                    blockComment()
                } else if let hashes = literalHashes() {
                    literal(hashes: hashes)
                } else {
                    if isInterpolation, sees("(") { depth += 1 }
                    if isInterpolation, sees(")") {
                        if depth == 0 { return }
                        depth -= 1
                    }
                    output.append(source[position])
                    position += 1
                }
            }
        }

        private mutating func blockComment() {
            var depth = 0
            repeat {
                if sees("/*") {
                    depth += 1
                    blank(2)
                } else if sees("*/") {
                    depth -= 1
                    blank(2)
                } else {
                    blank()
                }
            } while depth > 0 && position < source.count
        }

        /// The number of `#` before a quote that starts here, or `nil` when no literal starts here.
        private func literalHashes() -> Int? {
            let hashes = source[position...].prefix { $0 == UInt8(ascii: "#") }.count
            guard position + hashes < source.count, source[position + hashes] == UInt8(ascii: "\"") else { return nil }
            return hashes
        }

        private mutating func literal(hashes: Int) {
            let fence = String(repeating: "#", count: hashes)
            blank(hashes)
            let quote = sees("\"\"\"") ? "\"\"\"" : "\""
            blank(quote.utf8.count)
            while position < source.count {
                if sees(quote + fence) { return blank(quote.utf8.count + hashes) }
                if sees("\\" + fence + "(") {
                    blank(hashes + 2)
                    copy(untilClosing: true)
                    blank()
                } else if sees("\\" + fence) {
                    blank(hashes + 2)
                } else {
                    blank()
                }
            }
        }
    }
}
