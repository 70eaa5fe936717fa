/// A SIP message: a start line, header fields and a body.
///
/// Reading checks the frame only; header fields are understood on access, and ``validate(_:)`` judges the whole.
public struct Message: Hashable, Sendable {
    /// What kind of message it is.
    public enum StartLine: Hashable, Sendable {
        /// A request with its method and Request-URI as written.
        case request(Method, target: String)
        /// A response with its status, 100 to 699, and reason phrase.
        case response(status: Int, reason: String)
    }

    /// A fault that leaves the message readable, so that it can be answered.
    enum Defect: Hashable, Sendable {
        /// The start line speaks another version of the protocol.
        case version
        /// The start line has surplus blanks.
        case startLine
        /// Fewer octets of the body came than were announced, or the announcement is no number.
        case length
    }

    /// What kind of message it is.
    public var startLine: StartLine
    /// The header fields.
    public var fields: HeaderFields
    /// The body.
    public var body: [UInt8]
    /// The first fault found while reading.
    var defect: Defect?

    /// Makes a request.
    public init(_ method: Method, to target: String, fields: HeaderFields = HeaderFields(), body: [UInt8] = []) {
        startLine = .request(method, target: target)
        self.fields = fields
        self.body = body
    }

    /// Makes a response.
    public init(status: Int, reason: String? = nil, fields: HeaderFields = HeaderFields(), body: [UInt8] = []) {
        startLine = .response(status: status, reason: reason ?? Self.reason(for: status))
        self.fields = fields
        self.body = body
    }

    /// The method, if it is a request.
    public var method: Method? {
        if case .request(let method, _) = startLine { method } else { nil }
    }

    /// The status, if it is a response.
    public var status: Int? {
        if case .response(let status, _) = startLine { status } else { nil }
    }

    /// The Request-URI as written, if it is a request.
    public var target: String? {
        if case .request(_, let target) = startLine { target } else { nil }
    }

    /// The message as bytes. `Content-Length` says what the body has, whatever the fields say.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512 + body.count)
        switch startLine {
        case .request(let method, let target): bytes.append(contentsOf: "\(method) \(target) SIP/2.0".utf8)
        case .response(let status, let reason): bytes.append(contentsOf: "SIP/2.0 \(status) \(reason)".utf8)
        }
        for index in bytes.indices { bytes[index] = ASCII.withoutLineEnds(bytes[index]) }
        bytes.append(contentsOf: [ASCII.carriageReturn, ASCII.lineFeed])
        fields.write(into: &bytes, leavingOut: .contentLength)
        bytes.append(contentsOf: "Content-Length: \(body.count)\r\n\r\n".utf8)
        bytes.append(contentsOf: body)
        return bytes
    }

    /// The usual reason phrase of a status (RFC 3261 §21).
    static func reason(for status: Int) -> String {
        reasons[status] ?? "Unknown"
    }

    private static let reasons = [
        100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 400: "Bad Request",
        403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
        408: "Request Timeout", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
        415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
        480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
        486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
        500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable",
        505: "Version Not Supported", 603: "Decline",
    ]
}
