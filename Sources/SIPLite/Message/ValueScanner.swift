internal import SansIO

/// A cursor over the value of one header field.
struct ValueScanner {
    private let bytes: ArraySlice<UInt8>
    private(set) var position: Int
    private let field: WireError.Field

    init(_ bytes: ArraySlice<UInt8>, as field: WireError.Field) {
        self.bytes = bytes
        self.field = field
        position = bytes.startIndex
    }

    var isAtEnd: Bool { position == bytes.endIndex }
    var next: UInt8? { isAtEnd ? nil : bytes[position] }
    var rest: ArraySlice<UInt8> { bytes[position...] }
    var error: WireError { .malformed(field, at: position - bytes.startIndex) }

    mutating func skipBlanks() {
        while let byte = next, ASCII.isBlank(byte) { position += 1 }
    }

    /// Takes `byte` if it is next; says whether it was.
    mutating func skip(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    /// Takes a separator with the blanks around it.
    mutating func skipSeparator(_ byte: UInt8) -> Bool {
        let start = position
        skipBlanks()
        guard skip(byte) else {
            position = start
            return false
        }
        skipBlanks()
        return true
    }

    mutating func expectSeparator(_ byte: UInt8) throws(WireError) {
        guard skipSeparator(byte) else { throw error }
    }

    /// Takes at least one character of a kind.
    mutating func take(while isPart: (UInt8) -> Bool) throws(WireError) -> ArraySlice<UInt8> {
        let start = position
        while let byte = next, isPart(byte) { position += 1 }
        guard position > start else { throw error }
        return bytes[start..<position]
    }

    mutating func token() throws(WireError) -> String {
        String(decoding: try take(while: ASCII.isToken), as: UTF8.self)
    }

    /// Takes digits; an overflow is an error, never a wrap.
    mutating func number<T: FixedWidthInteger>(_: T.Type = T.self) throws(WireError) -> T {
        let digits = try take(while: ASCII.isDigit)
        var value: T = 0
        for digit in digits {
            let (product, carry) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(T(truncatingIfNeeded: digit &- UInt8(ascii: "0")))
            guard !carry, !overflow else { throw error }
            value = sum
        }
        return value
    }

    /// Takes a quoted string and returns it as it stands, quotes included.
    mutating func quoted() throws(WireError) -> ArraySlice<UInt8> {
        let start = position
        guard skip(ASCII.quote) else { throw error }
        while let byte = next {
            position += 1
            switch byte {
            case ASCII.quote: return bytes[start..<position]
            case ASCII.backslash:
                guard !isAtEnd else { throw error }
                position += 1
            default: continue
            }
        }
        throw error
    }

    /// Takes everything up to a byte, which must come and is taken too.
    mutating func take(upTo end: UInt8) throws(WireError) -> ArraySlice<UInt8> {
        guard let found = bytes[position...].firstIndex(of: end) else { throw error }
        defer { position = found + 1 }
        return bytes[position..<found]
    }

    /// Blanks may follow the value; nothing else.
    mutating func expectEnd() throws(WireError) {
        skipBlanks()
        guard isAtEnd else { throw error }
    }

    /// Splits a list at its commas, but not at those in quotes and angle brackets. Empty elements are errors.
    static func elements(of value: [UInt8], as field: WireError.Field) throws(WireError) -> [ArraySlice<UInt8>] {
        var elements: [ArraySlice<UInt8>] = []
        var scanner = ValueScanner(value[...], as: field)
        var start = 0
        while let byte = scanner.next {
            switch byte {
            case ASCII.quote: _ = try scanner.quoted()
            case ASCII.less: _ = try scanner.take(upTo: ASCII.greater)
            case ASCII.comma:
                elements.append(try trimmed(value[start..<scanner.position], scanner))
                scanner.position += 1
                start = scanner.position
            default: scanner.position += 1
            }
        }
        elements.append(try trimmed(value[start...], scanner))
        return elements
    }

    private static func trimmed(
        _ slice: ArraySlice<UInt8>, _ scanner: ValueScanner
    ) throws(WireError) -> ArraySlice<UInt8> {
        let trimmed = slice.trimmingBlanks
        guard !trimmed.isEmpty else { throw scanner.error }
        return trimmed
    }
}

extension ArraySlice<UInt8> {
    /// The bytes without blanks and line ends at both ends.
    var trimmingBlanks: ArraySlice<UInt8> {
        var slice = self
        while let byte = slice.first, ASCII.isWhitespace(byte) { slice.removeFirst() }
        while let byte = slice.last, ASCII.isWhitespace(byte) { slice.removeLast() }
        return slice
    }
}
