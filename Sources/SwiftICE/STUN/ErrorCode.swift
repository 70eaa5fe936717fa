/// The code of a STUN error response (RFC 8489 §14.8).
public struct ErrorCode: RawRepresentable, Hashable, Sendable {
    /// The code, 300 to 699 on the wire.
    public let rawValue: UInt16

    /// Names a code.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Another server should be asked; see ALTERNATE-SERVER.
    public static let tryAlternate = ErrorCode(rawValue: 300)
    /// The request makes no sense.
    public static let badRequest = ErrorCode(rawValue: 400)
    /// Credentials are missing or wrong.
    public static let unauthorized = ErrorCode(rawValue: 401)
    /// The peer address is refused (RFC 8656).
    public static let forbidden = ErrorCode(rawValue: 403)
    /// An attribute that must be understood is not; see UNKNOWN-ATTRIBUTES.
    public static let unknownAttribute = ErrorCode(rawValue: 420)
    /// The 5-tuple has an allocation already, or none (RFC 8656).
    public static let allocationMismatch = ErrorCode(rawValue: 437)
    /// The nonce is too old; the response carries a new one.
    public static let staleNonce = ErrorCode(rawValue: 438)
    /// The address family is not served (RFC 8656).
    public static let addressFamilyNotSupported = ErrorCode(rawValue: 440)
    /// The credentials are not those of the allocation (RFC 8656).
    public static let wrongCredentials = ErrorCode(rawValue: 441)
    /// The relayed transport is not served (RFC 8656).
    public static let unsupportedTransport = ErrorCode(rawValue: 442)
    /// The peer's family differs from the relay's (RFC 8656).
    public static let peerAddressFamilyMismatch = ErrorCode(rawValue: 443)
    /// A connection to this peer exists (RFC 6062).
    public static let connectionAlreadyExists = ErrorCode(rawValue: 446)
    /// The peer could not be connected to (RFC 6062).
    public static let connectionFailed = ErrorCode(rawValue: 447)
    /// The quota of allocations is used up (RFC 8656).
    public static let allocationQuotaReached = ErrorCode(rawValue: 486)
    /// Both agents claim the same role (RFC 8445 §7.3.1.1).
    public static let roleConflict = ErrorCode(rawValue: 487)
    /// The server failed; worth one more try.
    public static let serverError = ErrorCode(rawValue: 500)
    /// The relay has no room (RFC 8656).
    public static let insufficientCapacity = ErrorCode(rawValue: 508)

    /// The reason phrase we send.
    var reason: String {
        switch self {
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .unknownAttribute: "Unknown Attribute"
        case .roleConflict: "Role Conflict"
        default: "Error"
        }
    }
}
