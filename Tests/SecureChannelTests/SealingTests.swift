import SansIO
import SecureChannel
import TestVectors
import Testing

@Suite struct SealingTests {
    struct SecureValue: Decodable {
        let kind: String
        let value_packed: String
        let signed_bytes: String?
        let owner_id: String?
        let plaintext_packed: String?
    }

    struct SecureValues: Decodable { let values: [SecureValue] }

    @Test func recordedSignedValuesVerifyAndTamperedOnesDoNot() throws {
        let values = try TestVectors.json("opendht/values_secure.json", as: SecureValues.self).values
        let signed = values.filter { $0.kind == "signed" }
        #expect(signed.count == 5)
        for recorded in signed {
            let value = try RecordedValue(packed: hex(recorded.value_packed))
            #expect(value.body == hex(try #require(recorded.signed_bytes)))
            let owner = try PublicKey(der: #require(value.owner))
            #expect(owner.shortID.hex == recorded.owner_id)
            let signature = try #require(value.signature)
            #expect(owner.verifies(signature, of: value.body))
            var random = RandomSource.seeded(3)
            for _ in 0..<50 {
                var body = value.body
                let index = Int.random(in: 0..<body.count, using: &random)
                body[index] ^= 1
                #expect(!owner.verifies(signature, of: body))
            }
        }
    }

    @Test func recordedEncryptedValuesOpenAndTheirInnerSignatureHolds() throws {
        let values = try TestVectors.json("opendht/values_secure.json", as: SecureValues.self).values
        let encrypted = values.filter { $0.kind == "encrypted" }
        #expect(encrypted.count == 5)
        let key = try PrivateKey(pem: #require(try RecordedIdentity.named("dev")).private_key_pem)
        for recorded in encrypted {
            let sealed = try #require(try RecordedValue(packed: hex(recorded.value_packed)).sealed)
            let plaintext = try key.open(sealed)
            #expect(plaintext == hex(try #require(recorded.plaintext_packed)))
            let inner = try RecordedValue(content: plaintext)
            #expect(inner.body == hex(try #require(recorded.signed_bytes)))
            #expect(try inner.isSignedByOwner)
        }
    }

    @Test func capturedJamiValuesVerifyAndOpenWithTheDeviceKeys() throws {
        struct Captured: Decodable {
            let raw: String
            let encrypted: Bool
            let signature_ok: String?
            let plaintext: String?
            let `for`: String?
        }
        let captured = try TestVectors.json("jami/dht-values.json", as: [Captured].self)
        var (signed, opened, certificates) = (0, 0, 0)
        for recorded in captured {
            var value = try RecordedValue(packed: hex(recorded.raw))
            if recorded.encrypted {
                let name = try #require(recorded.for)
                let key = try PrivateKey(pem: Fixture.text("jami/account/\(name)-device-key.pem"))
                let plaintext = try key.open(#require(value.sealed))
                #expect(plaintext == hex(try #require(recorded.plaintext)))
                value = try RecordedValue(content: plaintext)
                opened += 1
            }
            if recorded.signature_ok != nil {
                #expect(try value.isSignedByOwner)
                signed += 1
            } else {
                let chain = try CertificateChain(decoding: #require(value.data))
                #expect(chain.certificates.count >= 2)
                certificates += 1
            }
        }
        #expect((signed, opened, certificates) == (4, 2, 3))
    }

    @Test(arguments: [0, 1, 245, 246, 1000, 70_000])
    func sealedBytesOpen(count: Int) throws {
        var random = RandomSource.seeded(4)
        let plaintext = random.bytes(count)
        let sealed = try Fixture.keys[0].publicKey.seal(plaintext)
        #expect(sealed.count == (count <= 245 ? 256 : 256 + 12 + count + 16))
        #expect(try Fixture.keys[0].open(sealed) == plaintext)
        #expect(try Fixture.keys[0].publicKey.seal(plaintext) != sealed)
        #expect(throws: SecureChannelError.unopenable) { try Fixture.keys[1].open(sealed) }
    }

    @Test func damagedBytesFailWithOneErrorWherever() throws {
        let key = Fixture.keys[0]
        let sealed = try key.publicKey.seal([UInt8](repeating: 7, count: 400))
        for index in stride(from: 0, to: sealed.count, by: 7) {
            var damaged = sealed
            damaged[index] ^= 0x40
            #expect(throws: SecureChannelError.unopenable) { try key.open(damaged) }
        }
        for count in [0, 1, 255, 257, 283, 284, sealed.count - 1] {
            #expect(throws: SecureChannelError.unopenable) { try key.open(Array(sealed.prefix(count))) }
        }
    }

    @Test func mutatedSealedBytesNeverTrap() throws {
        var random = RandomSource.seeded(5)
        let key = Fixture.keys[0]
        let sealed = try key.publicKey.seal([UInt8](repeating: 7, count: 300))
        for _ in 0..<1000 { _ = try? key.open(sealed.mutated(using: &random)) }
    }
}
