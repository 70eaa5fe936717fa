/// The body of a message and what it is.
public struct Body: Hashable, Sendable {
    /// The `Content-Type`, parameters included.
    public var contentType: String
    /// The bytes.
    public var bytes: [UInt8]

    /// Makes a body.
    public init(contentType: String, bytes: [UInt8]) {
        self.contentType = contentType
        self.bytes = bytes
    }

    /// Makes a body of plain text.
    public init(text: String) { self.init(contentType: "text/plain", bytes: Array(text.utf8)) }
}
