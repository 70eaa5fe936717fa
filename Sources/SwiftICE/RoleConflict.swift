/// What to do about the role a check claims (RFC 8445 §7.3.1.1).
enum RoleConflict: Hashable, Sendable {
    /// The roles agree, or the peer claims none.
    case none
    /// The peer is to change: answer with 487.
    case refuse
    /// We are to change, then go on with the check.
    case yield

    /// Compares tie-breakers, unsigned; `claim` is ICE-CONTROLLING or ICE-CONTROLLED of the check.
    static func judge(_ role: Role, tieBreaker: UInt64, claim: Attribute?) -> RoleConflict {
        switch (role, claim) {
        case (.controlling, .iceControlling(let theirs)): tieBreaker >= theirs ? .refuse : .yield
        case (.controlled, .iceControlled(let theirs)): tieBreaker >= theirs ? .yield : .refuse
        default: .none
        }
    }
}
