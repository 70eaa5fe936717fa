import Compression
import Foundation
import SansIO
import SecureChannel
import TestVectors
import Testing

@testable import Swiftlet

@Suite struct AccountArchiveTests {
    private struct Facts: Decodable {
        let account_id: String
    }

    private static func vector(_ name: String) throws -> [UInt8] { try TestVectors.bytes("jami/account/" + name) }

    /// An archive of a stock daemon with settings, contacts and conversations, as JSON text.
    private static func exported() throws -> [UInt8] {
        try CompressionFormat.gzip.inflate(vector("exported-archive.gz"), limit: 1 << 20)
    }

    /// Changes the members of the archive `text` holds.
    private static func changed(_ text: [UInt8], _ change: (inout [JSON.Member]) -> Void) throws -> [UInt8] {
        var members = try #require(try JSON(decoding: text).asObject)
        change(&members)
        return JSON.object(members).encoded
    }

    @Test("The first archives of stock accounts are read", arguments: ["alice", "bob"])
    func first(name: String) throws {
        let archive = try AccountArchive(decoding: Self.vector("\(name)-archive.gz"))
        let facts = try TestVectors.json("jami/account/\(name)-info.json", as: Facts.self)
        #expect(archive.id.hex == facts.account_id)
        let device = try CertificateChain(decoding: Self.vector("\(name)-device-chain.pem"))
        #expect(archive.certificates.certificates == Array(device.certificates.dropFirst()))
        #expect(archive.authorityKey?.publicKey == device.authority.publicKey)
        #expect(archive.contacts == ContactList() && archive.displayName == "")
        let members = try JSONDecoder().decode([String: String].self, from: Data(archive.json))
        #expect(members == (try TestVectors.json("jami/account/\(name)-archive.json")))
    }

    @Test("What a stock daemon exported later is given back, but for its device's key and certificate")
    func later() throws {
        let archive = try AccountArchive(decoding: Self.vector("exported-archive.gz"))
        #expect(archive.id.hex == "7ddef314a1fbd6aff75719e77cfecf08fae2397c")
        #expect(archive.displayName == "dora")
        let ids = ["3a920aead9c8eb1b4d7fe8b19862b58b57e1501c", "af0d1e951233d3b34907fbd8886aca1bd2a1d712"]
        #expect(archive.contacts.contacts.map(\.id.hex) == ids)
        let bob = try #require(archive.contacts.contacts.last)
        #expect(bob.added == 1_795_622_412 && bob.conversationID == "cf45cf2d782dd60ab93b5e87adfb599d6edfa90d")
        let kept = try Self.changed(Self.exported()) {
            $0.removeAll { ["TLS.certificateFile", "TLS.privateKeyFile"].contains($0.name) }
        }
        #expect(String(decoding: archive.json, as: UTF8.self) == String(decoding: kept, as: UTF8.self))
    }

    @Test("A sealed archive opens with its password only, and the three failures have names")
    func sealed() throws {
        let sealed = try Self.vector("passworded-archive.bin")
        #expect(AccountArchive.isSealed(sealed))
        let archive = try AccountArchive(decoding: sealed, password: "test123")
        #expect(archive.id == archive.certificates.device.shortID)
        #expect(throws: AccountArchiveError.passwordNeeded) { try AccountArchive(decoding: sealed) }
        #expect(throws: AccountArchiveError.wrongPassword) {
            try AccountArchive(decoding: sealed, password: "Test123")
        }
        #expect(throws: AccountArchiveError.wrongPassword) {
            try AccountArchive(decoding: sealed.dropLast(), password: "test123")
        }
    }

    @Test("An archive written here is read here, sealed or not", arguments: [nil, "pässword 🔑"])
    func roundTrip(password: String?) throws {
        var archive = try AccountArchive(json: Self.exported())
        archive.displayName = "Dora \"Ö\"\n"
        let bytes = try archive.encoded(password: password)
        #expect(AccountArchive.isSealed(bytes) == (password != nil))
        let again = try AccountArchive(decoding: bytes, password: password)
        #expect(again.displayName == archive.displayName)
        #expect(again.contacts == archive.contacts)
        let flag = again.others["Account.archiveHasPassword"]
        #expect(flag == .text(password == nil ? "false" : "true"))
        #expect(again.json == archive.json)
    }

    @Test("Sealed bytes that are no zlib stream, or no archive, are damaged, not a wrong password")
    func sealedNonsense() throws {
        let nonsense = try PasswordSeal.seal([1, 2, 3], password: "p")
        #expect(throws: AccountArchiveError.damaged) { try AccountArchive(decoding: nonsense, password: "p") }
        let list = try PasswordSeal.seal(CompressionFormat.zlib.deflate(Array("[]".utf8)), password: "p")
        #expect(throws: AccountArchiveError.notAnArchive) { try AccountArchive(decoding: list, password: "p") }
    }

    @Test("What is no archive is called so")
    func strangers() throws {
        let text = Array(String(repeating: "Dear diary, ", count: 10).utf8)
        for bytes in [[], [0x1F], [0x1F, 0x8B], text, [UInt8](repeating: 0xFF, count: 43)] {
            #expect(!AccountArchive.isSealed(bytes))
            #expect(throws: AccountArchiveError.notAnArchive) { try AccountArchive(decoding: bytes, password: "p") }
        }
        let table: [(String, AccountArchiveError)] = [
            ("[]", .notAnArchive), ("7", .notAnArchive), ("hello", .damaged), ("{", .damaged),
            ("{}", .incomplete(key: "ringAccountKey")),
        ]
        for (text, error) in table {
            let bytes = try CompressionFormat.gzip.deflate(Array(text.utf8))
            #expect(throws: error, "\(text)") { try AccountArchive(decoding: bytes) }
        }
    }

    @Test("A member that is missing, broken or another account's is named")
    func members() throws {
        let alice = try TestVectors.json("jami/account/alice-archive.json", as: [String: String].self)
        let bob = try TestVectors.json("jami/account/bob-archive.json", as: [String: String].self)
        func error(_ change: (inout [String: Any]) -> Void) -> AccountArchiveError? {
            var members: [String: Any] = alice
            change(&members)
            let text = (try? JSONSerialization.data(withJSONObject: members)) ?? Data()
            do { _ = try AccountArchive(json: Array(text)) } catch { return error }
            return nil
        }
        #expect(error { _ in } == nil)
        #expect(error { $0["ringCaKey"] = nil } == nil)
        #expect(error { $0["ethKey"] = nil } == nil)
        #expect(error { $0["ringAccountContacts"] = NSNull() } == nil)
        #expect(error { $0["ringAccountCert"] = nil } == .incomplete(key: "ringAccountCert"))
        #expect(error { $0["ringAccountKey"] = 7 } == .malformed(key: "ringAccountKey"))
        #expect(error { $0["ringAccountKey"] = "not base64!" } == .malformed(key: "ringAccountKey"))
        #expect(error { $0["ringAccountKey"] = alice["ringAccountCert"] } == .malformed(key: "ringAccountKey"))
        #expect(error { $0["ringAccountCert"] = alice["ringAccountKey"] } == .malformed(key: "ringAccountCert"))
        #expect(error { $0["ringCaKey"] = "" } == .malformed(key: "ringCaKey"))
        #expect(error { $0["ringAccountContacts"] = [1] } == .malformed(key: "ringAccountContacts"))
        #expect(error { $0["Account.displayName"] = 7 } == .malformed(key: "Account.displayName"))
        #expect(error { $0["ringAccountKey"] = bob["ringAccountKey"] } == .mismatched)
        #expect(error { $0["ringAccountCert"] = bob["ringAccountCert"] } == .mismatched)
        #expect(error { $0["ringCaKey"] = bob["ringCaKey"] } == .mismatched)
    }

    @Test("A small file that expands without end is refused")
    func bomb() throws {
        let bomb = try CompressionFormat.gzip.deflate([UInt8](repeating: 0x20, count: 9 << 20))
        #expect(bomb.count < 16_384)
        #expect(throws: AccountArchiveError.overLimit(limit: 8 << 20)) { try AccountArchive(decoding: bomb) }
        let large = [UInt8](repeating: 0xFF, count: (4 << 20) + 1)
        #expect(throws: AccountArchiveError.overLimit(limit: 4 << 20)) { try AccountArchive(decoding: large) }
    }

    @Test("Changed bytes end in an error or in an archive that survives")
    func mutations() throws {
        let (file, text) = (try Self.vector("exported-archive.gz"), try Self.exported())
        var random = RandomSource.seeded(20)
        for _ in 0..<300 {
            var bytes = file
            bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            #expect((try? AccountArchive(decoding: bytes)).map { $0.id.hex } ?? Self.exportedID == Self.exportedID)
            bytes = text
            let start = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[start] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.removeSubrange(start...)
            default: bytes.removeSubrange(start..<min(start + 9, bytes.count))
            }
            guard let archive = try? AccountArchive(json: bytes) else { continue }
            #expect(try AccountArchive(json: archive.json).json == archive.json)
        }
    }

    private static let exportedID = "7ddef314a1fbd6aff75719e77cfecf08fae2397c"
}
