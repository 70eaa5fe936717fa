import Foundation
import SansIO
import SecureChannel
import TestVectors
import Testing

/// The identities of OpenDHT's own tool: a key and its certificates in two files.
@Suite struct CertifiedKeyTests {
    private struct Vectors: Decodable {
        struct Encrypted: Decodable {
            let password: String
            let pem: String
        }
        let encrypted_private_key: Encrypted
    }

    private static func encrypted() throws -> Vectors.Encrypted {
        try TestVectors.json("opendht/identities.json", as: Vectors.self).encrypted_private_key
    }

    /// A folder of its own for one test.
    private static func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "swiftlet-keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test("A key that OpenDHT encrypted opens with its password, and with no other")
    func recordedKey() throws {
        let recorded = try Self.encrypted()
        let key = try PrivateKey(pem: recorded.pem, passphrase: recorded.password)
        let known = try RecordedIdentity.all().map(\.id_sha1_spki)
        #expect(known.contains(key.publicKey.shortID.hex))
        #expect(throws: PrivateKey.PassphraseFailure.passphraseNeeded) {
            try PrivateKey(pem: recorded.pem, passphrase: nil)
        }
        for wrong in ["", "s3cret ", "S3cret"] {
            #expect(throws: PrivateKey.PassphraseFailure.wrongPassphrase) {
                try PrivateKey(pem: recorded.pem, passphrase: wrong)
            }
        }
    }

    @Test("A key survives under a password, and says nothing without it")
    func roundTrip() throws {
        let key = Fixture.keys[0]
        let text = try key.pem(passphrase: "pässword")
        #expect(text.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"))
        #expect(try PrivateKey(pem: text, passphrase: "pässword").pem == key.pem)
        #expect(throws: PrivateKey.PassphraseFailure.wrongPassphrase) { try PrivateKey(pem: text, passphrase: "other") }
        #expect(throws: WireError.self) { try PrivateKey(pem: text) }
    }

    @Test("Damage of an encrypted key is told, and never opened as another key")
    func damage() throws {
        let recorded = try Self.encrypted()
        let lines = recorded.pem.split(separator: "\n")
        let digits = Array(lines.dropFirst().dropLast().joined())
        // The first 160 digits hold the structure, and the password is wrong where it is still sound.
        for index in stride(from: 0, to: 160, by: 23) {
            var changed = digits
            changed[index] = changed[index] == "A" ? "B" : "A"
            let text = "\(lines[0])\n\(String(changed))\n\(lines[lines.count - 1])\n"
            let key = try? PrivateKey(pem: text, passphrase: "wrong")
            #expect(key == nil)
        }
    }

    @Test("An identity is made, kept in two files, and read again, with and without a password")
    func files() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let identity = try CertifiedKey.create(commonName: "node", bits: 2048, at: 1_800_000_000)
        #expect(identity.chain.device.commonName == "node" && identity.chain.device.isAuthority)
        #expect(identity.chain.device.userID == identity.id.hex)
        #expect(identity.chain.device.isSigned(by: identity.key.publicKey))
        for (name, password) in [("plain", nil), ("sealed", "word" as String?)] {
            let base = folder.appending(path: name).path
            try identity.store(at: base, passphrase: password)
            let read = try CertifiedKey.load(from: base, passphrase: password)
            #expect(read.id == identity.id && read.longID == identity.longID && read.chain == identity.chain)
            let permissions = try FileManager.default.attributesOfItem(atPath: base + ".pem")[.posixPermissions] as? Int
            #expect(permissions == 0o600)
            // Nothing that exists is replaced.
            #expect(throws: IdentityError.exists(path: base + ".pem")) {
                try identity.store(at: base, passphrase: nil)
            }
        }
        let sealed = folder.appending(path: "sealed").path
        #expect(throws: CertifiedKey.FileError.passphraseNeeded(path: sealed + ".pem")) {
            try CertifiedKey.load(from: sealed)
        }
        #expect(throws: CertifiedKey.FileError.wrongPassphrase(path: sealed + ".pem")) {
            try CertifiedKey.load(from: sealed, passphrase: "else")
        }
        let missing = folder.appending(path: "nowhere").path
        #expect(throws: CertifiedKey.FileError.file(.missing(path: missing + ".pem"))) {
            try CertifiedKey.load(from: missing)
        }
    }

    @Test("Certificates of another key are refused")
    func mismatch() throws {
        let chain = try CertificateChain(pem: RecordedIdentity.all()[0].certificate_chain_pem)
        #expect(throws: WireError.self) { try CertifiedKey(key: Fixture.keys[0], chain: chain) }
    }
}
