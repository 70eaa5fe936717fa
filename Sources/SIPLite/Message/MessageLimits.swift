/// How much of a message the parser accepts. All sizes are in octets.
public struct MessageLimits: Hashable, Sendable {
    /// The start line and all header fields.
    public var head = 65_536
    /// The body.
    public var body = 1 << 20
    /// The start line.
    public var startLine = 8_192
    /// One header field, folded lines included.
    public var field = 16_384
    /// The number of header fields.
    public var fields = 256
    /// The number of values of `Via`, `Route`, `Record-Route` and `Contact`, each.
    public var values = 70
    /// The number of parameters of one value.
    public var parameters = 64
    /// One URI.
    public var uri = 2_048

    /// Creates the default limits.
    public init() {}
}
