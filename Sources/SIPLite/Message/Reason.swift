public import SansIO

/// Why a request was made or refused, in a peer's words (RFC 3326): the value of `Reason`.
public struct Reason: Hashable, Sendable, CustomStringConvertible {
    /// What the cause is a number of; `SIP` for a status code.
    public var source: String
    /// The number.
    public var cause: Int?
    /// The words for people, without control characters and at most ``textLimit`` octets; empty for none.
    public let text: String

    /// How many octets of the words are kept.
    public static let textLimit = 256

    /// Gives a status code and words; control characters become blanks, and what is too long is cut.
    public init(source: String = "SIP", cause: Int?, text: String) {
        self.source = source
        self.cause = cause
        self.text = Self.tidied(text)
    }

    /// Reads one value of the field, which must be the whole text.
    public init(_ value: String, limits: MessageLimits = MessageLimits()) throws(WireError) {
        try self.init(bytes: Array(value.utf8)[...], limits: limits)
    }

    init(bytes: ArraySlice<UInt8>, limits: MessageLimits) throws(WireError) {
        var scanner = ValueScanner(bytes, as: .reason)
        scanner.skipBlanks()
        let source = try scanner.token()
        let parameters = try Parameters(from: &scanner, limit: limits.parameters)
        self.init(
            source: source, cause: parameters["cause"].flatMap(Self.number),
            text: parameters["text"].map(QuotedString.text) ?? "")
    }

    private static func number(_ text: String) -> Int? {
        (1...6).contains(text.utf8.count) && text.utf8.allSatisfy(ASCII.isDigit) ? Int(text) : nil
    }

    private static func tidied(_ text: String) -> String {
        var tidied = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            tidied.unicodeScalars.append(isControl ? " " : scalar)
            guard tidied.utf8.count > textLimit else { continue }
            tidied.unicodeScalars.removeLast()
            break
        }
        return tidied
    }

    /// The value as it stands in a message.
    public var description: String {
        let number = cause.map { ";cause=\($0)" } ?? ""
        return source + number + (text.isEmpty ? "" : ";text=\(QuotedString.quoted(text))")
    }
}

extension Message {
    /// The first usable `Reason`.
    public func reason(limits: MessageLimits = MessageLimits()) -> Reason? {
        for value in fields.values(.reason) {
            for element in (try? ValueScanner.elements(of: value, as: .reason)) ?? [] {
                if let reason = try? Reason(bytes: element, limits: limits) { return reason }
            }
        }
        return nil
    }
}

extension WireError.Field {
    static let reason: Self = "reason"
}
