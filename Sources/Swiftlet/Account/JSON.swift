package import SansIO

/// A JSON value (RFC 8259) kept as it came: members in their order, numbers as their text.
///
/// What is not understood must be given back as it was, which Foundation's reader does not do: it turns numbers into
/// floating point and forgets the order.
package enum JSON: Hashable, Sendable {
    case null
    case flag(Bool)
    /// The digits as they stand in the text.
    case number(String)
    case text(String)
    case list([JSON])
    /// No two members have the same name.
    case object([Member])

    /// One member of an object.
    package struct Member: Hashable, Sendable {
        package var name: String
        package var value: JSON
    }

    /// How deep values may nest; account archives need five levels.
    static let maximumDepth = 32
    /// The most values one text may hold.
    static let maximumValues = 1 << 18

    /// Reads one value that fills `text`, but for white space.
    package init(decoding text: [UInt8]) throws(WireError) {
        var reader = JSONReader(text)
        self = try reader.document()
    }

    /// The value in one line without spaces.
    package var encoded: [UInt8] {
        var writer = JSONWriter()
        writer.write(self)
        return writer.bytes
    }
}

extension JSON {
    /// The text, if it is one.
    var asText: String? { if case .text(let text) = self { text } else { nil } }

    /// The flag, if it is one.
    var asFlag: Bool? { if case .flag(let flag) = self { flag } else { nil } }

    /// The number, if it is one without a fraction that fits.
    var asInteger: Int64? { if case .number(let digits) = self { Int64(digits) } else { nil } }

    /// The members, if it is an object.
    package var asObject: [Member]? { if case .object(let members) = self { members } else { nil } }
}

extension [JSON.Member] {
    /// The value of a name.
    subscript(name: String) -> JSON? { first { $0.name == name }?.value }

    /// The members in the order of their names' bytes, which is how stock peers write objects.
    var sortedByName: Self { sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }
}

extension WireError.Field {
    static let json: Self = "JSON"
    static let jsonValues: Self = "JSON values"
    static let jsonDepth: Self = "JSON depth"
}
