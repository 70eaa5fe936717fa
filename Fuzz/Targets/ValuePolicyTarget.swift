import SansIO
import SwiftDHT

extension FuzzTarget {
    /// What nodes store: two values of one slot, an old one and a new one, judged by their types' rules.
    static let valuePolicy = FuzzTarget(name: "value-policy") { bytes throws(Finding) in
        var choices = Choices(bytes)
        let (old, new) = (PolicyCase(&choices), PolicyCase(&choices))
        for value in [old, new] { try value.checkAdmission() }
        guard old.admitted != nil, let admitted = new.admitted else { return }
        let permits = old.value.type.policy.permitsEdit(of: old.value, to: admitted, new.examination)
        guard permits else { return }
        try require(new.value.signature != nil || new.value.type == .certificate, "unsigned values edit nothing")
        guard old.value.type.policy.isSecured, let before = old.value.body, before.owner != nil else { return }
        try require(new.examination.isGenuine, "an edit of a signed value is genuine")
        try require(admitted.ownerID == old.value.ownerID, "an edit is by the same owner")
        try require(admitted.body?.sequence ?? 0 >= before.sequence, "an edit does not go back")
    }
}

/// One value with what its examination found, and what its policy says to it.
private struct PolicyCase {
    let value: Value
    let examination: Examination
    let admitted: Value?
    private static let owners = ["alice", "bob"].map { Array($0.utf8) }
    private static let source = IPAddress.v4(0x0808_0808)
    private static let key = InfoHash(hashing: owners[0])

    init(_ choices: inout Choices) {
        let shape = choices.byte()
        let type = ValueType(rawValue: UInt16(shape & 0x0F))
        let owner = shape & 0x10 == 0 ? nil : Self.owners[Int(shape >> 5 & 1)]
        let sequence = UInt16(choices.byte() & 3)
        let data = choices.bytes()
        let content: Value.Content =
            shape & 0xC0 == 0xC0
            ? .encrypted(data)
            : .plain(
                ValueBody(type: type, data: data, sequence: owner == nil ? 0 : sequence, owner: owner),
                signature: owner.map { _ in [shape] })
        value = Value(id: Value.ID(1), content: content)
        let found = choices.byte()
        examination = Examination(
            isGenuine: value.signature == nil || found & 1 == 0,
            certifiedKey: value.type == .certificate && found & 2 == 0 ? Self.owners[Int(found >> 2 & 1)] : nil)
        admitted = value.type.policy.admitted(value, examination, at: Self.key, from: Self.source)
    }

    func checkAdmission() throws(Finding) {
        guard let admitted else { return }
        let policy = value.type.policy
        try require(admitted.id == value.id && admitted.type == value.type, "a value keeps what it is")
        try require(admitted.size <= ValueType.sizeLimit, "what is admitted is not too large")
        try require((try? Value(decoding: admitted.packed)) == admitted, "what is admitted can be sent")
        if policy.isSecured { try require(examination.isGenuine, "a secured type is genuine") }
        switch value.type {
        case .certificate:
            try require(examination.certifiedKey == Self.owners[0], "a certificate lies at its key's identifier")
        case .serviceAnnouncement:
            let again = policy.admitted(admitted, examination, at: Self.key, from: Self.source)
            try require(again == admitted, "the sender's address replaces itself")
        default: try require(admitted == value, "a value is stored as it is")
        }
    }
}
