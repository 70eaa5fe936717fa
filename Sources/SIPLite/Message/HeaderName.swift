/// The name of a header field. Names compare without case, and a compact form is the same name (RFC 3261 §7.3.1).
public struct HeaderName: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The usual spelling of a known name, or the spelling met first of another.
    public let rawValue: String

    /// Names a field.
    public init(rawValue: String) { self.init(bytes: Array(rawValue.utf8)[...]) }

    /// Names a field by the bytes of its name.
    init(bytes: ArraySlice<UInt8>) {
        if bytes.count == 1, let byte = bytes.first, let known = Self.compact(ASCII.lowercased(byte)) {
            self = known
        } else if bytes.count < Self.byLength.count,
            let known = Self.byLength[bytes.count].first(where: { ASCII.isEqual($0.rawValue.utf8, bytes) })
        {
            self = known
        } else {
            rawValue = String(decoding: bytes, as: UTF8.self)
        }
    }

    private init(known: String) { rawValue = known }

    /// The name's spelling.
    public var description: String { rawValue }

    /// Compares without case.
    public static func == (left: HeaderName, right: HeaderName) -> Bool {
        ASCII.isEqual(left.rawValue.utf8, right.rawValue.utf8)
    }

    /// Hashes without case.
    public func hash(into hasher: inout Hasher) {
        for byte in rawValue.utf8 { hasher.combine(ASCII.lowercased(byte)) }
    }
}

extension HeaderName {
    /// `Accept`
    public static let accept = HeaderName(known: "Accept")
    /// `Allow`
    public static let allow = HeaderName(known: "Allow")
    /// `Call-ID`
    public static let callID = HeaderName(known: "Call-ID")
    /// `Contact`
    public static let contact = HeaderName(known: "Contact")
    /// `Content-Encoding`
    public static let contentEncoding = HeaderName(known: "Content-Encoding")
    /// `Content-Length`
    public static let contentLength = HeaderName(known: "Content-Length")
    /// `Content-Type`
    public static let contentType = HeaderName(known: "Content-Type")
    /// `CSeq`
    public static let cSeq = HeaderName(known: "CSeq")
    /// `Date`
    public static let date = HeaderName(known: "Date")
    /// `Event`
    public static let event = HeaderName(known: "Event")
    /// `Expires`
    public static let expires = HeaderName(known: "Expires")
    /// `From`
    public static let from = HeaderName(known: "From")
    /// `Max-Forwards`
    public static let maxForwards = HeaderName(known: "Max-Forwards")
    /// `Message-ID`
    public static let messageID = HeaderName(known: "Message-ID")
    /// `Min-Expires`
    public static let minExpires = HeaderName(known: "Min-Expires")
    /// `Proxy-Require`
    public static let proxyRequire = HeaderName(known: "Proxy-Require")
    /// `Reason`
    public static let reason = HeaderName(known: "Reason")
    /// `Record-Route`
    public static let recordRoute = HeaderName(known: "Record-Route")
    /// `Refer-To`
    public static let referTo = HeaderName(known: "Refer-To")
    /// `Referred-By`
    public static let referredBy = HeaderName(known: "Referred-By")
    /// `Replaces`
    public static let replaces = HeaderName(known: "Replaces")
    /// `Require`
    public static let require = HeaderName(known: "Require")
    /// `Retry-After`
    public static let retryAfter = HeaderName(known: "Retry-After")
    /// `Route`
    public static let route = HeaderName(known: "Route")
    /// `Server`
    public static let server = HeaderName(known: "Server")
    /// `Session-Expires`
    public static let sessionExpires = HeaderName(known: "Session-Expires")
    /// `Subject`
    public static let subject = HeaderName(known: "Subject")
    /// `Supported`
    public static let supported = HeaderName(known: "Supported")
    /// `To`
    public static let to = HeaderName(known: "To")
    /// `Unsupported`
    public static let unsupported = HeaderName(known: "Unsupported")
    /// `User-Agent`
    public static let userAgent = HeaderName(known: "User-Agent")
    /// `Via`
    public static let via = HeaderName(known: "Via")
    /// `Warning`
    public static let warning = HeaderName(known: "Warning")

    /// The fields that may be there once only: a second, different one makes the message ambiguous.
    static let single: [HeaderName] = [
        .from, .to, .callID, .cSeq, .maxForwards, .contentLength, .contentType, .expires, .minExpires, .date,
    ]

    private static let known: [HeaderName] =
        [
            .accept, .allow, .callID, .contact, .contentEncoding, .contentLength, .contentType, .cSeq, .date, .event,
            .expires, .from, .maxForwards, .messageID, .minExpires, .proxyRequire, .reason, .recordRoute, .referTo,
            .referredBy, .replaces, .require, .retryAfter, .route, .server, .sessionExpires, .subject, .supported, .to,
            .unsupported, .userAgent, .via, .warning,
        ]
        + [
            "Accept-Contact", "Request-Disposition", "Reject-Contact", "Identity-Info", "Allow-Events", "Identity",
        ].map(HeaderName.init(known:))

    private static let byLength: [[HeaderName]] = {
        var buckets = Array(repeating: [HeaderName](), count: 24)
        for name in known where name.rawValue.utf8.count < buckets.count {
            buckets[name.rawValue.utf8.count].append(name)
        }
        return buckets
    }()

    /// The name a compact form stands for.
    private static func compact(_ letter: UInt8) -> HeaderName? {
        switch letter {
        case UInt8(ascii: "a"): HeaderName(known: "Accept-Contact")
        case UInt8(ascii: "b"): .referredBy
        case UInt8(ascii: "c"): .contentType
        case UInt8(ascii: "d"): HeaderName(known: "Request-Disposition")
        case UInt8(ascii: "e"): .contentEncoding
        case UInt8(ascii: "f"): .from
        case UInt8(ascii: "i"): .callID
        case UInt8(ascii: "j"): HeaderName(known: "Reject-Contact")
        case UInt8(ascii: "k"): .supported
        case UInt8(ascii: "l"): .contentLength
        case UInt8(ascii: "m"): .contact
        case UInt8(ascii: "n"): HeaderName(known: "Identity-Info")
        case UInt8(ascii: "o"): .event
        case UInt8(ascii: "r"): .referTo
        case UInt8(ascii: "s"): .subject
        case UInt8(ascii: "t"): .to
        case UInt8(ascii: "u"): HeaderName(known: "Allow-Events")
        case UInt8(ascii: "v"): .via
        case UInt8(ascii: "x"): .sessionExpires
        case UInt8(ascii: "y"): HeaderName(known: "Identity")
        default: nil
        }
    }
}
