/// Which side of a session decides on the pair in the end (RFC 8445 §6.1.1).
public enum Role: Hashable, Sendable {
    /// Nominates.
    case controlling
    /// Follows the nomination.
    case controlled

    /// The other role.
    public var opposite: Role {
        switch self {
        case .controlling: .controlled
        case .controlled: .controlling
        }
    }
}
