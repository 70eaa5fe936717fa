public import SecureChannel

/// What an account remembers of another account.
public struct Contact: Hashable, Sendable {
    /// The other account.
    public let id: AccountID
    /// When the contact was added last, in Unix time; 0 for never.
    public var added: Int64
    /// When the contact was removed last, in Unix time; 0 for never.
    public var removed: Int64
    /// Whether the other account accepted being a contact.
    public var isConfirmed: Bool
    /// Whether the account was banned when it was removed.
    public var isBanned: Bool
    /// The conversation with that contact, 40 hexadecimal digits; empty for none.
    public var conversationID: String
    /// Members of a later release, which are given back.
    var others: [JSON.Member] = []

    /// Remembers an account.
    public init(
        id: AccountID, added: Int64 = 0, removed: Int64 = 0, isConfirmed: Bool = false, isBanned: Bool = false,
        conversationID: String = ""
    ) {
        self.id = id
        self.added = added
        self.removed = removed
        self.isConfirmed = isConfirmed
        self.isBanned = isBanned
        self.conversationID = conversationID
    }

    /// Whether the account is a contact now; of an addition and a removal, the later counts.
    public var isActive: Bool { added > removed }
}

extension Contact {
    /// The names stock peers write; those that are zero, false or empty may be left out.
    private enum Key: String, CaseIterable {
        case added
        case removed
        case confirmed
        case banned
        case conversationID = "conversationId"
    }

    /// Reads one member of `ringAccountContacts`; `nil` for what is no contact, or spells its id in another way than
    /// ``member`` does.
    init?(_ member: JSON.Member) {
        guard let id = AccountID(hex: member.name), id.hex == member.name, case .object(let members) = member.value
        else { return nil }
        self.init(id: id)
        for member in members {
            switch (Key(rawValue: member.name), member.value) {
            case (.added, let value):
                guard let seconds = value.asInteger else { return nil }
                added = seconds
            case (.removed, let value):
                guard let seconds = value.asInteger else { return nil }
                removed = seconds
            case (.confirmed, .flag(let flag)): isConfirmed = flag
            case (.banned, .flag(let flag)): isBanned = flag
            case (.conversationID, .text(let text)): conversationID = text
            case (nil, _): others.append(member)
            default: return nil
            }
        }
        others = others.sortedByName
    }

    /// The member of `ringAccountContacts`.
    var member: JSON.Member {
        var members: [JSON.Member] = [JSON.Member(name: Key.added.rawValue, value: .number(String(added)))]
        func add(_ key: Key, _ value: JSON) { members.append(JSON.Member(name: key.rawValue, value: value)) }
        if removed != 0 { add(.removed, .number(String(removed))) }
        if isConfirmed { add(.confirmed, .flag(true)) }
        if isBanned { add(.banned, .flag(true)) }
        if !conversationID.isEmpty { add(.conversationID, .text(conversationID)) }
        return JSON.Member(name: id.hex, value: .object((members + others).sortedByName))
    }
}
