import Swiftlet

extension FuzzTarget {
    /// Archives of accounts without a password, and the text inside, which checksums keep from being reached otherwise.
    static let accountArchive = FuzzTarget(name: "account-archive") { bytes throws(Finding) in
        let isText = bytes.first == UInt8(ascii: "{")
        if isText, let json = try? JSON(decoding: bytes) {
            try require((try? JSON(decoding: json.encoded)) == json, "the text survives")
            let contacts = ContactList(json.asObject ?? [])
            let members = (try? JSON(decoding: contacts.json.encoded))?.asObject
            try require(members.map { ContactList($0) } == contacts, "\(contacts) survive")
        }
        let read = isText ? try? AccountArchive(json: bytes) : try? AccountArchive(decoding: bytes)
        guard let archive = read else { return }
        let again = try? AccountArchive(json: archive.json)
        try require(again?.json == archive.json && again?.id == archive.id, "the archive survives")
    }
}
