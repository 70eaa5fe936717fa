/// What a request asks for. Case matters, and unknown methods are kept as they came (RFC 3261 §7.1).
public struct Method: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The method as it stands on the wire.
    public let rawValue: String

    /// Names a method.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The method as it stands on the wire.
    public var description: String { rawValue }

    /// Opens or changes a session.
    public static let invite = Method(rawValue: "INVITE")
    /// Acknowledges the final answer to an invitation.
    public static let ack = Method(rawValue: "ACK")
    /// Ends a session.
    public static let bye = Method(rawValue: "BYE")
    /// Withdraws an invitation that was not answered yet.
    public static let cancel = Method(rawValue: "CANCEL")
    /// Asks what a peer can do.
    public static let options = Method(rawValue: "OPTIONS")
    /// Carries information within a session (RFC 6086).
    public static let info = Method(rawValue: "INFO")
    /// Carries a text message (RFC 3428).
    public static let message = Method(rawValue: "MESSAGE")
    /// Changes a session without an invitation (RFC 3311).
    public static let update = Method(rawValue: "UPDATE")
    /// Binds an address.
    public static let register = Method(rawValue: "REGISTER")
    /// Asks for events (RFC 6665).
    public static let subscribe = Method(rawValue: "SUBSCRIBE")
    /// Tells an event (RFC 6665).
    public static let notify = Method(rawValue: "NOTIFY")
    /// Asks a peer to call somebody (RFC 3515).
    public static let refer = Method(rawValue: "REFER")
    /// Publishes a state (RFC 3903).
    public static let publish = Method(rawValue: "PUBLISH")
    /// Acknowledges a provisional answer (RFC 3262).
    public static let prack = Method(rawValue: "PRACK")

    /// The methods this package knows by name: those not among them are answered 501, not 405.
    static let known: [Method] = [
        .invite, .ack, .bye, .cancel, .options, .info, .message, .update, .register, .subscribe, .notify, .refer,
        .publish, .prack,
    ]
}
