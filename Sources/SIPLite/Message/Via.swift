public import SansIO

/// One hop of a message (RFC 3261 §20.42).
public struct Via: Hashable, Sendable, CustomStringConvertible {
    /// What every branch of this standard starts with.
    public static let magicCookie = "z9hG4bK"

    /// The transport as written: `TLS`, `UDP` and others.
    public var transport: String
    /// Where the sender says it sends from; an IPv6 address has its brackets.
    public var host: String
    /// The port it says it sends from.
    public var port: UInt16?
    /// The parameters.
    public var parameters: Parameters

    /// Makes a hop.
    public init(transport: String, host: String, port: UInt16?, parameters: Parameters = Parameters()) {
        self.transport = transport
        self.host = host
        self.port = port
        self.parameters = parameters
    }

    /// The branch that names the transaction; `nil` from agents older than RFC 3261.
    public var branch: String? { parameters["branch"] }

    /// Whether the branch is unique as RFC 3261 §8.1.1.7 demands.
    var hasMagicBranch: Bool {
        guard let branch else { return false }
        return ASCII.isEqual(branch.utf8.prefix(Self.magicCookie.utf8.count), Self.magicCookie.utf8)
    }

    /// Reads a hop, which must be the whole text.
    public init(_ text: String, limits: MessageLimits = MessageLimits()) throws(WireError) {
        try self.init(bytes: Array(text.utf8)[...], limits: limits)
    }

    init(bytes: ArraySlice<UInt8>, limits: MessageLimits) throws(WireError) {
        var scanner = ValueScanner(bytes, as: .via)
        scanner.skipBlanks()
        let name = try scanner.token()
        try scanner.expectSeparator(ASCII.slash)
        let version = try scanner.token()
        try scanner.expectSeparator(ASCII.slash)
        guard ASCII.isEqual(name.utf8, "SIP".utf8), version == "2.0" else { throw scanner.error }
        transport = try scanner.token()
        guard let blank = scanner.next, ASCII.isBlank(blank) else { throw scanner.error }
        scanner.skipBlanks()
        (host, port) = try Host.read(from: &scanner)
        parameters = try Parameters(from: &scanner, limit: limits.parameters)
        // A cookie with nothing after it names no transaction.
        if hasMagicBranch, branch?.utf8.count == Self.magicCookie.utf8.count { throw scanner.error }
    }

    /// The hop as text.
    public var description: String {
        "SIP/2.0/\(transport) \(host)\(port.map { ":\($0)" } ?? "")\(parameters.text)"
    }
}

/// The number and method that order requests (RFC 3261 §20.16).
public struct CSeq: Hashable, Sendable, CustomStringConvertible {
    /// The number.
    public var number: UInt32
    /// The method.
    public var method: Method

    /// Makes a sequence value.
    public init(_ number: UInt32, _ method: Method) {
        self.number = number
        self.method = method
    }

    init(bytes: ArraySlice<UInt8>) throws(WireError) {
        var scanner = ValueScanner(bytes, as: .cSeq)
        scanner.skipBlanks()
        number = try scanner.number()
        guard let blank = scanner.next, ASCII.isBlank(blank) else { throw scanner.error }
        scanner.skipBlanks()
        method = Method(rawValue: try scanner.token())
        try scanner.expectEnd()
    }

    /// The value as text.
    public var description: String { "\(number) \(method)" }
}

/// The type of a body (RFC 3261 §20.15).
public struct ContentType: Hashable, Sendable, CustomStringConvertible {
    /// Type and subtype in lower case, as `application/sdp`.
    public var mediaType: String
    /// The parameters.
    public var parameters: Parameters

    /// Reads a type, which must be the whole text.
    public init(_ text: String, limits: MessageLimits = MessageLimits()) throws(WireError) {
        var scanner = ValueScanner(Array(text.utf8)[...], as: .contentType)
        scanner.skipBlanks()
        let type = try scanner.token()
        try scanner.expectSeparator(ASCII.slash)
        mediaType = "\(type)/\(try scanner.token())".lowercased()
        // Jami writes commas into parameters of its own types, so these are not held to the grammar.
        parameters = (try? Parameters(from: &scanner, limit: limits.parameters)) ?? Parameters()
    }

    /// The type as text.
    public var description: String { mediaType + parameters.text }
}

extension WireError.Field {
    static let via: Self = "Via"
    static let cSeq: Self = "CSeq"
    static let contentType: Self = "Content-Type"
}
