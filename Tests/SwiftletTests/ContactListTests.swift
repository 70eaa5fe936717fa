import SecureChannel
import Testing

@testable import Swiftlet

@Suite struct ContactListTests {
    private static let id = String(repeating: "0123456789", count: 4)

    private static func list(_ text: String) throws -> ContactList {
        ContactList(try #require(try JSON(decoding: Array(text.utf8)).asObject))
    }

    private static func text(_ list: ContactList) -> String { String(decoding: list.json.encoded, as: UTF8.self) }

    @Test("A contact as stock peers of today write it")
    func today() throws {
        let text = """
            {"\(Self.id)":{"added":1795622411,"banned":true,"confirmed":true,"conversationId":"3bee","removed":1795622412}}
            """
        let list = try Self.list(text)
        let contact = try #require(list[AccountID(hex: Self.id)!])
        #expect(contact.added == 1_795_622_411 && contact.removed == 1_795_622_412)
        #expect(contact.isConfirmed && contact.isBanned && !contact.isActive)
        #expect(contact.conversationID == "3bee")
        #expect(Self.text(list) == text)
    }

    @Test("A contact as older ones write it, with every member, and as newer ones may, with unknown ones")
    func otherReleases() throws {
        let old = try Self.list("{\"\(Self.id)\":{\"added\":7,\"banned\":false,\"confirmed\":false,\"removed\":0}}")
        #expect(old.contacts == [Contact(id: AccountID(hex: Self.id)!, added: 7)])
        #expect(old.contacts.first?.isActive == true)
        #expect(Self.text(old) == "{\"\(Self.id)\":{\"added\":7}}")
        let new = "{\"\(Self.id)\":{\"added\":7,\"pinned\":[1.50]}}"
        #expect(Self.text(try Self.list(new)) == new)
    }

    @Test(
        "What is no contact is given back all the same",
        arguments: [
            "{\"someone\":{\"added\":7}}", "{\"\(id)\":[]}", "{\"\(id)\":{\"added\":\"7\"}}",
            "{\"\(id)\":{\"added\":1.5}}",
            "{\"\(id)\":{\"confirmed\":1}}", "{\"\(id)\":{\"removed\":null}}", "{\"\(id)\":{\"conversationId\":7}}",
            "{\"ABCDEF6789012345678901234567890123456789\":{\"added\":7},\"abcdef6789012345678901234567890123456789\":7}",
        ])
    func strangers(text: String) throws {
        let list = try Self.list(text)
        #expect(list.contacts.isEmpty)
        #expect(Self.text(list) == text)
    }

    @Test("Contacts are in the order of their ids")
    func order() throws {
        let ids = ["ff", "00", "7f"].map { String(repeating: $0, count: 20) }
        let list = try Self.list("{" + ids.map { "\"\($0)\":{\"added\":1}" }.joined(separator: ",") + "}")
        #expect(list.contacts.map(\.id.hex) == ids.sorted())
    }
}
