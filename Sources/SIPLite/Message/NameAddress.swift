public import SansIO

/// An address with a name and parameters: the value of `From`, `To`, `Contact`, `Route` and `Record-Route`.
public struct NameAddress: Hashable, Sendable, CustomStringConvertible {
    /// The display name without quotes and escapes; empty for none.
    public var displayName: String
    /// The address.
    public var uri: URI
    /// The parameters of the field, not of the URI.
    public var parameters: Parameters

    /// Makes an address.
    public init(displayName: String = "", uri: URI, parameters: Parameters = Parameters()) {
        self.displayName = displayName
        self.uri = uri
        self.parameters = parameters
    }

    /// The `tag` that names one side of a dialog.
    public var tag: String? {
        get { parameters["tag"] }
        set { parameters["tag"] = newValue }
    }

    /// Reads an address, which must be the whole text.
    public init(_ text: String, limits: MessageLimits = MessageLimits()) throws(WireError) {
        try self.init(bytes: Array(text.utf8)[...], limits: limits)
    }

    /// Reads `name-addr` or `addr-spec` and parameters (RFC 3261 §20.10, §25.1).
    init(bytes: ArraySlice<UInt8>, limits: MessageLimits) throws(WireError) {
        var scanner = ValueScanner(bytes, as: .address)
        scanner.skipBlanks()
        displayName = ""
        if scanner.next == ASCII.quote {
            displayName = QuotedString.unescape(try scanner.quoted())
            scanner.skipBlanks()
            guard scanner.skip(ASCII.less) else { throw scanner.error }
        } else if scanner.rest.contains(ASCII.less), !Self.isBareAddress(scanner.rest) {
            displayName = try Self.tokens(&scanner)
        } else {
            // Without brackets every parameter belongs to the field, and some characters may not occur.
            let address = try scanner.take { $0 != ASCII.semicolon && !ASCII.isBlank($0) }
            guard !address.contains(ASCII.question), !address.contains(ASCII.comma) else { throw scanner.error }
            uri = try URI(bytes: address, limits: limits)
            parameters = try Parameters(from: &scanner, limit: limits.parameters)
            return
        }
        uri = try URI(bytes: try scanner.take(upTo: ASCII.greater), limits: limits)
        parameters = try Parameters(from: &scanner, limit: limits.parameters)
    }

    /// Whether the first angle bracket comes after the first parameter, and so belongs to none of our concern.
    private static func isBareAddress(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let bracket = bytes.firstIndex(of: ASCII.less) else { return true }
        return bytes[..<bracket].contains(ASCII.semicolon)
    }

    /// Reads the tokens of an unquoted display name, and the bracket after them.
    private static func tokens(_ scanner: inout ValueScanner) throws(WireError) -> String {
        var words: [String] = []
        while !scanner.skip(ASCII.less) {
            words.append(try scanner.token())
            scanner.skipBlanks()
        }
        return words.joined(separator: " ")
    }

    /// The address as text, always with angle brackets.
    public var description: String {
        let address = "<\(uri)>\(parameters.text)"
        guard !displayName.isEmpty else { return address }
        return "\(QuotedString.quoted(displayName)) \(address)"
    }
}

extension WireError.Field {
    static let address: Self = "address"
}
