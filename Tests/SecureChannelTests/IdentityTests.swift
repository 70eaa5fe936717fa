import Foundation
import SansIO
import TestVectors
import Testing

@testable import SecureChannel

@Suite struct IdentityTests {
    /// A folder of its own for each test, removed with it.
    final class Folder {
        let path = FileManager.default.temporaryDirectory.appending(path: "identity-\(UUID().uuidString)").path
        deinit { try? FileManager.default.removeItem(atPath: path) }

        func permissions(_ name: String = "") throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
            return (attributes[.posixPermissions] as? Int) ?? 0
        }
    }

    @Test func storedIdentitiesLoadAgainAndAreTheOwnersOnly() throws {
        let folder = Folder()
        try Fixture.alice.store(in: folder.path)
        let loaded = try Identity.load(from: folder.path)
        #expect(loaded.chain.pem == Fixture.alice.chain.pem)
        #expect(loaded.accountID == Fixture.alice.accountID)
        #expect(loaded.deviceID == Fixture.alice.deviceID)
        #expect(loaded.longDeviceID == Fixture.alice.longDeviceID)
        #expect(loaded.deviceKey.pem == Fixture.alice.deviceKey.pem)
        #expect(loaded.accountKey.pem == Fixture.alice.accountKey.pem)
        #expect(loaded.authorityKey?.pem == Fixture.alice.authorityKey?.pem)
        #expect(loaded.authorityKey != nil)
        #expect(try folder.permissions() == 0o700)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["account.key", "ca.key", "chain.pem", "device.key"])
        for name in names { #expect(try folder.permissions(name) == 0o600) }
    }

    @Test func anIdentityIsNeverOverwritten() throws {
        let folder = Folder()
        try Fixture.alice.store(in: folder.path)
        #expect(throws: IdentityError.exists(path: folder.path + "/chain.pem")) {
            try Fixture.bob.store(in: folder.path)
        }
        #expect(try Identity.load(from: folder.path).deviceID == Fixture.alice.deviceID)
    }

    @Test func whatIsMissingIsNamed() throws {
        let folder = Folder()
        #expect(throws: IdentityError.missing(path: folder.path + "/chain.pem")) {
            try Identity.load(from: folder.path)
        }
        try Fixture.alice.store(in: folder.path)
        try FileManager.default.removeItem(atPath: folder.path + "/device.key")
        #expect(throws: IdentityError.missing(path: folder.path + "/device.key")) {
            try Identity.load(from: folder.path)
        }
    }

    @Test func whatIsWrongIsNamed() throws {
        let folder = Folder()
        try Fixture.alice.store(in: folder.path)
        let path = folder.path + "/device.key"
        try Data(Fixture.keys[3].pem.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(throws: IdentityError.mismatched(path: folder.path + "/chain.pem")) {
            try Identity.load(from: folder.path)
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        #expect(throws: IdentityError.exposed(path: path)) { try Identity.load(from: folder.path) }
        try Data("nonsense".utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(throws: IdentityError.malformed(path: path, .malformed("private key", at: 0))) {
            try Identity.load(from: folder.path)
        }
        try Data(repeating: 0, count: 100_000).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(throws: IdentityError.overLimit(path: path, limit: 65_536)) { try Identity.load(from: folder.path) }
    }

    @Test func foldersThatCannotBeMadeAreNamed() {
        #expect(throws: IdentityError.missing(path: "/nonexistent/folder")) {
            try Fixture.alice.store(in: "/nonexistent/folder")
        }
    }

    @Test func anAuthorityKeyMayBeMissing() throws {
        let folder = Folder()
        let whole = Fixture.alice
        // What an interrupted run left there belongs to nobody.
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        try Data(Fixture.keys[3].pem.utf8).write(to: URL(filePath: folder.path + "/ca.key"))
        let partial = try Identity(
            authorityKey: nil, accountKey: whole.accountKey, deviceKey: whole.deviceKey, chain: whole.chain)
        try partial.store(in: folder.path)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["account.key", "chain.pem", "device.key"])
        let loaded = try Identity.load(from: folder.path)
        #expect(loaded.authorityKey == nil)
        #expect(loaded.chain == whole.chain)
    }

    @Test func anAccountGetsAnotherDevice() throws {
        let first = Fixture.alice
        let above = try CertificateChain(Array(first.chain.certificates.dropFirst()))
        let second = try Identity.create(
            deviceOf: first.accountKey, certificates: above, authorityKey: first.authorityKey, bits: 2048,
            at: Fixture.now)
        #expect(second.accountID == first.accountID)
        #expect(second.deviceID != first.deviceID)
        #expect(Array(second.chain.certificates.dropFirst()) == above.certificates)
        #expect(try Trust().verify(second.chain, at: Fixture.now) == first.accountID)
        #expect(throws: SecureChannelError.untrusted(.expired(level: 1))) {
            try Identity.create(
                deviceOf: first.accountKey, certificates: above, bits: 2048, at: Fixture.now + 100 * 86_400)
        }
        #expect(throws: SecureChannelError.certification) {
            try Identity.create(
                deviceOf: Fixture.mallory.accountKey, certificates: above, bits: 2048, at: Fixture.now)
        }
    }

    @Test func aDeviceOfAStockAccountIsItsOwn() throws {
        struct Archive: Decodable {
            let ringAccountCert: Data
            let ringAccountKey: Data
        }
        struct Facts: Decodable { let account_id: String }
        let archive = try TestVectors.json("jami/account/alice-archive.json", as: Archive.self)
        let device = try Identity.create(
            deviceOf: PrivateKey(pem: String(decoding: archive.ringAccountKey, as: UTF8.self)),
            certificates: CertificateChain(decoding: Array(archive.ringAccountCert)), bits: 2048, at: 1_800_000_000)
        let facts = try TestVectors.json("jami/account/alice-info.json", as: Facts.self)
        #expect(device.accountID.hex == facts.account_id)
        #expect(try Trust().verify(device.chain, at: 1_800_000_000) == device.accountID)
    }

    @Test func keysOtherThanTheChainsAreRefused() {
        #expect(throws: WireError.self) {
            try Identity(
                authorityKey: Fixture.alice.authorityKey, accountKey: Fixture.alice.accountKey,
                deviceKey: Fixture.bob.deviceKey, chain: Fixture.alice.chain)
        }
    }
}
