import Foundation
import SecureChannel
import TestVectors
import Testing

@testable import Swiftlet

@Suite struct AccountTests {
    /// A state folder, removed with the test.
    private final class State {
        let folder = FileManager.default.temporaryDirectory.appending(path: "account-\(UUID().uuidString)")
        deinit { try? FileManager.default.removeItem(at: folder) }
    }

    private static func archive() throws -> AccountArchive {
        try AccountArchive(decoding: TestVectors.bytes("jami/account/exported-archive.gz"))
    }

    @Test("An imported account has the same id, a device of its own, and exports what it came with")
    func importing() throws {
        let (state, archive) = (State(), try Self.archive())
        let account = try Account.create(in: state.folder, importing: archive, displayName: "another name")
        let loaded = try Account.load(from: state.folder)
        #expect(loaded.id == archive.id)
        #expect(loaded.displayName == "dora")
        #expect(loaded.identity.deviceID == account.identity.deviceID)
        #expect(try loaded.contacts() == archive.contacts)
        let now = Int64(Date().timeIntervalSince1970)
        #expect(try Trust().verify(loaded.identity.chain, at: now) == archive.id)
        #expect(try loaded.archive().json == archive.json)
        for name in try FileManager.default.subpathsOfDirectory(atPath: state.folder.path) where name.contains(".") {
            let attributes = try FileManager.default.attributesOfItem(atPath: state.folder.path + "/" + name)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }

    @Test("An account without the authority's key stays usable, and an account that exists is never replaced")
    func withoutAuthority() throws {
        let members = try TestVectors.json("jami/account/bob-archive.json", as: [String: String].self)
        let text = try JSONSerialization.data(withJSONObject: members.filter { $0.key != "ringCaKey" })
        let archive = try AccountArchive(json: Array(text))
        let state = State()
        _ = try Account.create(in: state.folder, importing: archive, displayName: "Bob")
        let loaded = try Account.load(from: state.folder)
        #expect(loaded.identity.authorityKey == nil && loaded.displayName == "Bob")
        #expect(try loaded.archive().authorityKey == nil)
        #expect(throws: AccountError.self) {
            try Account.create(in: state.folder, importing: Self.archive())
        }
        #expect(try Account.load(from: state.folder).id == archive.id)
    }

    @Test("Archives of one account made here hold one key for the name server")
    func nameKey() throws {
        struct Members: Decodable { let ethKey: Data }
        let members = try TestVectors.json("jami/account/bob-archive.json", as: [String: String].self)
        let text = try JSONSerialization.data(withJSONObject: members.filter { $0.key != "ethKey" })
        let state = State()
        _ = try Account.create(in: state.folder, importing: AccountArchive(json: Array(text)))
        let keys = try (0..<2).map { _ in
            let archive = try Account.load(from: state.folder).archive()
            return try JSONDecoder().decode(Members.self, from: Data(archive.json)).ethKey
        }
        #expect(keys[0].count == 32)
        #expect(keys[0] == keys[1])
    }

    @Test("A broken file beside the identity is named")
    func brokenContacts() throws {
        let state = State()
        _ = try Account.create(in: state.folder, importing: Self.archive())
        let path = state.folder.path + "/contacts.json"
        try Data("[]".utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let account = try Account.load(from: state.folder)
        #expect { try account.contacts() } throws: { error in
            guard case .storage(.malformed(path, _))? = error as? AccountError else { return false }
            return true
        }
    }
}
