import SansIO
import SecureChannel
import SwiftDHT
import TestVectors
import Testing

@testable import Swiftlet

/// Values of both releases, examined and opened as a node does.
@Suite struct ValueSecurityTests {
    private struct Recorded: Decodable {
        struct Entry: Decodable {
            let kind: String
            let key: String
            let value_packed: String
            let signed_bytes: String?
        }
        let values: [Entry]
    }

    private struct Identities: Decodable {
        struct Entry: Decodable {
            let name: String
            let private_key_pem: String
        }
        let identities: [Entry]
    }

    private func values(_ kind: String) throws -> [(key: InfoHash, value: Value, signedBytes: [UInt8])] {
        let file: Recorded = try TestVectors.json("opendht/values_secure.json")
        return try file.values.filter { $0.kind == kind }.map { entry in
            let key = try #require(InfoHash(entry.key))
            return (key, try Value(decoding: hex(entry.value_packed)), hex(entry.signed_bytes ?? ""))
        }
    }

    private func device() throws -> PrivateKey {
        let file: Identities = try TestVectors.json("opendht/identities.json")
        return try PrivateKey(pem: #require(file.identities.first { $0.name == "dev" }).private_key_pem)
    }

    @Test func signedValuesAreGenuineAndChangedOnesAreNot() throws {
        let signed = try values("signed")
        #expect(signed.count == 5)
        for (_, value, bytes) in signed {
            #expect(Examination(of: value, by: KeyVerifier()).isGenuine)
            #expect(value.body?.signedBytes == bytes)
            guard case .plain(var body, let signature) = value.content else { continue }
            body.sequence += 1
            let edited = Value(id: value.id, content: .plain(body, signature: signature))
            #expect(!Examination(of: edited, by: KeyVerifier()).isGenuine)
        }
    }

    @Test func certificatesAreAdmittedWhereReleasesPutThemOnly() throws {
        let certificates = try values("certificate")
        #expect(certificates.count == 2)
        for (key, value, _) in certificates {
            let examination = Examination(of: value, by: KeyVerifier())
            #expect(value.type.policy.admitted(value, examination, at: key, from: nil) == value)
            let elsewhere = InfoHash(hashing: key.bytes)
            #expect(value.type.policy.admitted(value, examination, at: elsewhere, from: nil) == nil)
        }
    }

    @Test func encryptedValuesOpenForTheirReaderAndSealAgain() throws {
        let sealer = KeySealer(key: try device())
        let encrypted = try values("encrypted")
        #expect(encrypted.count == 5)
        for (_, value, bytes) in encrypted {
            let body = try SealedValue.open(value, by: sealer, verifier: KeyVerifier())
            #expect(body.signedBytes == bytes)
            #expect(body.recipient == InfoHash(hashing: sealer.publicKey))
            #expect(value.packed == (try Value(decoding: value.packed)).packed)
            let again = try SealedValue.seal(
                body, id: value.id, signer: sealer, encryptor: KeyEncryptor(key: sealer.key.publicKey))
            let reopened = try SealedValue.open(again, by: sealer, verifier: KeyVerifier())
            #expect(reopened.data == body.data && reopened.owner == sealer.publicKey)
        }
    }
}
