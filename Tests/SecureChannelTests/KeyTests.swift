import SansIO
import SecureChannel
import TestVectors
import Testing

@Suite struct KeyTests {
    @Test func recordedKeysHaveTheRecordedIDs() throws {
        for recorded in try RecordedIdentity.all() {
            let key = try PrivateKey(pem: recorded.private_key_pem).publicKey
            #expect(key.der == hex(recorded.spki_der))
            #expect(key.shortID.hex == recorded.id_sha1_spki)
            #expect(key.longID.hex == recorded.long_id_sha256_spki)
            #expect(key.longID.hashed.hex == recorded.certificate_key_4x)
            #expect(try PublicKey(der: key.der) == key)
        }
    }

    @Test func privateKeysSurviveBothPEMForms() throws {
        for recorded in try RecordedIdentity.all() {
            let key = try PrivateKey(pem: recorded.private_key_pem)
            #expect(key.pem == recorded.private_key_pem)
            #expect(key.pkcs1PEM.hasPrefix("-----BEGIN RSA PRIVATE KEY-----\n"))
            #expect(try PrivateKey(pem: key.pkcs1PEM).pem == key.pem)
        }
    }

    @Test func signaturesVerifyAndOnlyOverTheSameBytes() throws {
        let key = Fixture.keys[0]
        let message = Array("message".utf8)
        for hash in [SignatureHash.sha256, .sha384, .sha512] {
            let signature = try key.sign(message, hash: hash)
            #expect(signature.count == 256)
            #expect(key.publicKey.verifies(signature, of: message, hash: hash))
            #expect(!key.publicKey.verifies(signature, of: message + [0], hash: hash))
            #expect(!key.publicKey.verifies(signature, of: message, hash: hash == .sha512 ? .sha384 : .sha512))
            #expect(!Fixture.keys[1].publicKey.verifies(signature, of: message, hash: hash))
            #expect(!key.publicKey.verifies(Array(signature.dropLast()), of: message, hash: hash))
            #expect(!key.publicKey.verifies([], of: message, hash: hash))
        }
    }

    @Test func receiptsAreSignedByTheAccount() throws {
        struct Receipt: Decodable {
            let receipt: String
            let signature_base64: String
        }
        for name in ["alice", "bob"] {
            let chain = try CertificateChain(pem: Fixture.text("jami/account/\(name)-device-chain.pem"))
            let recorded = try TestVectors.json("jami/account/\(name)-receipt.json", as: Receipt.self)
            let signature = try #require(Base64.decode(recorded.signature_base64))
            let account = try #require(chain.account?.publicKey)
            #expect(account.verifies(signature, of: Array(recorded.receipt.utf8)))
        }
    }

    @Test func keysOfUnusableSizesAreRefused() {
        #expect(throws: SecureChannelError.keyGeneration(bits: 1024)) { try PrivateKey.generate(bits: 1024) }
        #expect(throws: SecureChannelError.keyGeneration(bits: 2049)) { try PrivateKey.generate(bits: 2049) }
        #expect(throws: SecureChannelError.keyGeneration(bits: 1 << 20)) { try PrivateKey.generate(bits: 1 << 20) }
        #expect(throws: WireError.self) { try PublicKey(der: []) }
        #expect(throws: WireError.self) { try PublicKey(der: [UInt8](repeating: 0x30, count: 100_000)) }
        #expect(throws: WireError.self) { try PrivateKey(pem: "nothing") }
        #expect(throws: WireError.self) { try PrivateKey(pem: "-----BEGIN PRIVATE KEY-----\nAAAA\n") }
    }

    @Test func mutatedKeysNeverTrap() throws {
        var random = RandomSource.seeded(1)
        let key = Fixture.keys[0]
        let pem = Array(key.pem.utf8)
        for _ in 0..<1000 {
            let publicBytes = key.publicKey.der.mutated(using: &random)
            if let mutant = try? PublicKey(der: publicBytes) { _ = mutant.verifies([1, 2, 3], of: [4]) }
            _ = try? PrivateKey(pem: String(decoding: pem.mutated(using: &random), as: UTF8.self))
        }
    }
}

@Suite struct KeyIDTests {
    @Test func idsSurviveHexadecimalAndBytes() throws {
        let short = "00112233445566778899aabbccddeeff01234567"
        let id = try #require(ShortID(hex: short.uppercased()))
        #expect(id.hex == short && id.description == short)
        #expect(ShortID(decoding: id.bytes) == id)
        let long = short + "89abcdef0123456789abcdef"
        let longID = try #require(LongID(hex: long))
        #expect(longID.hex == long && longID.description == long)
        #expect(LongID(decoding: longID.bytes) == longID)
    }

    @Test func otherLengthsAreRefused() {
        #expect(ShortID(hex: "00") == nil)
        #expect(ShortID(hex: String(repeating: "x", count: 40)) == nil)
        #expect(ShortID(decoding: [UInt8](repeating: 0, count: 21)) == nil)
        #expect(LongID(hex: "00") == nil)
        #expect(LongID(decoding: [UInt8](repeating: 0, count: 33)) == nil)
        #expect(LongID(decoding: [UInt8](repeating: 0, count: 31)) == nil)
    }

    @Test func idsAreOrderedAsNumbers() throws {
        var random = RandomSource.seeded(2)
        let bytes = (0..<64).map { _ in random.bytes(32) }
        let longs = bytes.compactMap { LongID(decoding: $0) }.sorted()
        #expect(longs.map(\.bytes) == bytes.sorted { $0.lexicographicallyPrecedes($1) })
        let cut = bytes.map { Array($0.prefix(20)) }
        let shorts = cut.compactMap { ShortID(decoding: $0) }.sorted()
        #expect(shorts.map(\.bytes) == cut.sorted { $0.lexicographicallyPrecedes($1) })
    }
}
