/// The contacts of an account, as archives and `contacts.json` of the state folder hold them.
public struct ContactList: Hashable, Sendable {
    /// The contacts in the order of their ids, each id once; removed and banned ones are among them.
    public private(set) var contacts: [Contact] = []
    /// What a later release may have written there, which is given back.
    private var others: [JSON.Member] = []

    /// No contacts.
    public init() {}

    /// The contact of an id.
    public subscript(id: AccountID) -> Contact? { contacts.first { $0.id == id } }
}

extension ContactList {
    var isEmpty: Bool { contacts.isEmpty && others.isEmpty }

    package init(_ members: [JSON.Member]) {
        for member in members {
            if let contact = Contact(member) {
                contacts.append(contact)
            } else {
                others.append(member)
            }
        }
        contacts.sort { $0.id < $1.id }
        others = others.sortedByName
    }

    package var json: JSON { .object((contacts.map(\.member) + others).sortedByName) }
}

extension ContactList {
    /// The contacts that were not removed, in the order of their ids.
    public var active: [Contact] { contacts.filter(\.isActive) }

    /// Whether an account was removed for good.
    public func isBanned(_ id: AccountID) -> Bool { self[id].map { $0.isBanned && !$0.isActive } ?? false }

    /// Makes an account a contact, whatever it was before.
    public mutating func add(_ id: AccountID, at unixSeconds: Int64) {
        change(id) { contact in
            guard !contact.isActive else { return }
            // Of an addition and a removal in one second the addition must count.
            contact.added = max(unixSeconds, contact.removed + 1)
            (contact.isBanned, contact.isConfirmed) = (false, false)
        }
    }

    /// Notes that an account agreed to be a contact.
    public mutating func confirm(_ id: AccountID) { change(id) { $0.isConfirmed = true } }

    /// Makes an account no contact, and maybe somebody who reaches us no more.
    public mutating func remove(_ id: AccountID, banning isBanned: Bool, at unixSeconds: Int64) {
        change(id) { contact in
            contact.removed = max(unixSeconds, contact.added)
            (contact.isBanned, contact.isConfirmed) = (isBanned, false)
        }
    }

    private mutating func change(_ id: AccountID, _ body: (inout Contact) -> Void) {
        let index = contacts.firstIndex { $0.id >= id } ?? contacts.endIndex
        if index == contacts.endIndex || contacts[index].id != id { contacts.insert(Contact(id: id), at: index) }
        body(&contacts[index])
    }
}
