/// What the data of a value is; decides how long and under which rules nodes store it. Open to application types.
public struct ValueType: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public let rawValue: UInt16

    /// Wraps a number.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Application data without rules of its own; stored 10 minutes.
    public static let userData = ValueType(rawValue: 0)
    /// A message to a named service; stored 5 minutes.
    public static let message = ValueType(rawValue: 1)
    /// An IP service announcement; stored 15 minutes, with the sender's address.
    public static let serviceAnnouncement = ValueType(rawValue: 2)
    /// A signed instant message; stored 5 minutes.
    public static let instantMessage = ValueType(rawValue: 3)
    /// An encrypted trust request; stored 7 days.
    public static let trustRequest = ValueType(rawValue: 4)
    /// Encrypted ICE candidates; stored 1 minute.
    public static let iceCandidates = ValueType(rawValue: 5)
    /// A certificate chain; stored 7 days, under the identifiers of its key only.
    public static let certificate = ValueType(rawValue: 8)

    /// The largest value any type may have, in bytes of ``Value/size``.
    public static let sizeLimit = 64 * 1024

    /// The rules nodes apply to values of this type.
    public var policy: ValuePolicy {
        switch self {
        case .userData: ValuePolicy(lifetime: .seconds(600), isSecured: true, rule: .any)
        case .message: ValuePolicy(lifetime: .seconds(300), isSecured: true, rule: .message)
        case .serviceAnnouncement: ValuePolicy(lifetime: .seconds(900), isSecured: false, rule: .serviceAnnouncement)
        case .instantMessage: ValuePolicy(lifetime: .seconds(300), isSecured: true, rule: .any)
        case .trustRequest: ValuePolicy(lifetime: .seconds(7 * 86400), isSecured: true, rule: .any)
        case .iceCandidates: ValuePolicy(lifetime: .seconds(60), isSecured: true, rule: .any)
        case .certificate: ValuePolicy(lifetime: .seconds(7 * 86400), isSecured: false, rule: .certificate)
        default: ValuePolicy(lifetime: .seconds(600), isSecured: false, rule: .any)
        }
    }
}
