public import SansIO

/// A URI of SIP (RFC 3261 §19.1), or one of another scheme kept as opaque text.
public struct URI: Hashable, Sendable, CustomStringConvertible {
    /// The scheme, in lower case.
    public var scheme: String
    /// The user part as written, escapes included.
    public var user: String?
    /// The password as written.
    public var password: String?
    /// The host as written; an IPv6 address has its brackets. Empty for other schemes.
    public var host: String
    /// The port, if one is written.
    public var port: UInt16?
    /// The parameters.
    public var parameters: Parameters
    /// What follows `?`, as written.
    public var headers: String?
    /// For schemes other than `sip` and `sips`: what follows the colon.
    public var opaque: String?

    /// Makes a SIP URI. Give IPv6 hosts in brackets.
    public init(
        scheme: String = "sip", user: String? = nil, host: String, port: UInt16? = nil,
        parameters: Parameters = Parameters()
    ) {
        self.scheme = scheme
        self.user = user
        self.host = host
        self.port = port
        self.parameters = parameters
    }

    /// Whether the scheme is `sip` or `sips`.
    public var isSIP: Bool { scheme == "sip" || scheme == "sips" }

    /// Reads a URI, which must be the whole text.
    public init(_ text: String, limits: MessageLimits = MessageLimits()) throws(WireError) {
        try self.init(bytes: Array(text.utf8)[...], limits: limits)
    }

    /// The URI as text.
    public var description: String {
        if let opaque { return "\(scheme):\(opaque)" }
        var text = "\(scheme):"
        if let user {
            text += user
            if let password { text += ":\(password)" }
            text += "@"
        }
        text += host
        if let port { text += ":\(port)" }
        text += parameters.text
        if let headers { text += "?\(headers)" }
        return text
    }
}

extension URI {
    /// Reads a URI, which must be all of `bytes`.
    init(bytes: ArraySlice<UInt8>, limits: MessageLimits) throws(WireError) {
        guard bytes.count <= limits.uri else { throw .overLimit(.uri, limit: limits.uri) }
        var scanner = ValueScanner(bytes, as: .uri)
        let name = try scanner.take(while: Self.isSchemeCharacter)
        guard let first = name.first, ASCII.isLetter(first), scanner.skip(ASCII.colon) else { throw scanner.error }
        scheme = String(decoding: name.map(ASCII.lowercased), as: UTF8.self)
        host = ""
        parameters = Parameters()
        let rest = scanner.rest
        guard rest.allSatisfy({ $0 > ASCII.space && $0 < 0x7F && !Self.delimiters.contains($0) }) else {
            throw scanner.error
        }
        guard isSIP else {
            guard !rest.isEmpty else { throw scanner.error }
            opaque = String(decoding: rest, as: UTF8.self)
            return
        }
        var authority = rest
        // The user part may hold every other separator unescaped, so the last @ ends it.
        if let at = rest.lastIndex(of: ASCII.at) {
            try readUser(rest[..<at])
            authority = rest[(at + 1)...]
        }
        if let question = authority.firstIndex(of: ASCII.question) {
            headers = String(decoding: authority[(question + 1)...], as: UTF8.self)
            authority = authority[..<question]
        }
        try readHost(authority, limits: limits)
    }

    private mutating func readUser(_ bytes: ArraySlice<UInt8>) throws(WireError) {
        let parts = bytes.split(separator: ASCII.colon, maxSplits: 1, omittingEmptySubsequences: false)
        guard !parts[0].isEmpty, Self.isEscaped(bytes) else { throw .malformed(.uri, at: 0) }
        user = String(decoding: parts[0], as: UTF8.self)
        if parts.count == 2 { password = String(decoding: parts[1], as: UTF8.self) }
    }

    private mutating func readHost(_ bytes: ArraySlice<UInt8>, limits: MessageLimits) throws(WireError) {
        let end = bytes.firstIndex(of: ASCII.semicolon) ?? bytes.endIndex
        var scanner = ValueScanner(bytes[..<end], as: .uri)
        (host, port) = try Host.read(from: &scanner)
        guard scanner.isAtEnd else { throw scanner.error }
        guard end < bytes.endIndex else { return }
        let parts = bytes[(end + 1)...].split(separator: ASCII.semicolon, omittingEmptySubsequences: false)
        guard parts.count <= limits.parameters else { throw .overLimit(.parameters, limit: limits.parameters) }
        for part in parts {
            let pair = part.split(separator: ASCII.equals, maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = pair.first, !name.isEmpty, Self.isEscaped(part) else { throw .malformed(.uri, at: 0) }
            parameters.all.append(
                .init(
                    String(decoding: name, as: UTF8.self),
                    pair.count == 2 ? String(decoding: pair[1], as: UTF8.self) : nil))
        }
    }

    /// Whether each percent sign starts an escape.
    private static func isEscaped(_ bytes: ArraySlice<UInt8>) -> Bool {
        for index in bytes.indices where bytes[index] == UInt8(ascii: "%") {
            guard index + 2 < bytes.endIndex, ASCII.isHexDigit(bytes[index + 1]), ASCII.isHexDigit(bytes[index + 2])
            else { return false }
        }
        return true
    }

    private static let delimiters = [ASCII.less, ASCII.greater, ASCII.quote]

    private static func isSchemeCharacter(_ byte: UInt8) -> Bool {
        ASCII.isAlphanumeric(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
    }
}

extension URI {
    /// Whether two URIs are equivalent (RFC 3261 §19.1.4).
    public func matches(_ other: URI) -> Bool {
        guard scheme == other.scheme, opaque == other.opaque, port == other.port else { return false }
        guard Self.decoded(user) == Self.decoded(other.user), Self.decoded(password) == Self.decoded(other.password)
        else { return false }
        guard ASCII.isEqual(host.utf8, other.host.utf8) else { return false }
        for name in ["user", "ttl", "method", "maddr", "transport"]
        where parameters[name]?.lowercased() != other.parameters[name]?.lowercased() {
            return false
        }
        for parameter in parameters.all {
            guard let theirs = other.parameters[parameter.name] else { continue }
            guard Self.decoded(parameter.value ?? "")?.lowercased() == Self.decoded(theirs)?.lowercased() else {
                return false
            }
        }
        return Self.headerSet(headers) == Self.headerSet(other.headers)
    }

    private static func headerSet(_ headers: String?) -> [String] {
        (headers ?? "").split(separator: "&").map { decoded(String($0)) ?? "" }.sorted()
    }

    /// Replaces the escapes of characters that need none; all others stay, so that no meaning changes.
    private static func decoded(_ text: String?) -> String? {
        guard let text else { return nil }
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let value = Hexadecimal.decode(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self))?.first
            {
                let isPlain = ASCII.isAlphanumeric(value) || "-_.!~*'()".utf8.contains(value)
                output += isPlain ? [value] : bytes[index...(index + 2)].map(ASCII.lowercased)
                index += 3
            } else {
                output.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}

/// The host and port of URIs and `Via` values.
enum Host {
    /// Reads `host [":" port]`. An IPv6 address must be in brackets.
    static func read(from scanner: inout ValueScanner) throws(WireError) -> (host: String, port: UInt16?) {
        let host: String
        if scanner.next == UInt8(ascii: "[") {
            _ = scanner.skip(UInt8(ascii: "["))
            let text = String(decoding: try scanner.take(upTo: UInt8(ascii: "]")), as: UTF8.self)
            guard let address = IPAddress(text), address.family == .v6 else { throw scanner.error }
            host = "[\(text)]"
        } else {
            host = String(decoding: try scanner.take(while: isNameCharacter), as: UTF8.self)
        }
        guard scanner.skipSeparator(ASCII.colon) else { return (host, nil) }
        return (host, try scanner.number(UInt16.self))
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        ASCII.isAlphanumeric(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }

    /// The address as a URI or a `Via` writes it.
    static func text(_ address: IPAddress) -> String {
        address.family == .v6 ? "[\(address)]" : "\(address)"
    }
}

extension WireError.Field {
    static let uri: Self = "URI"
}
