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
