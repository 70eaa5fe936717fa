import SecureChannel
import TestVectors
import Testing

@Suite struct PasswordSealTests {
    struct Blob: Decodable {
        let password: String
        let plain_hex: String
        let blob: String
    }

    @Test func recordedBlobsOpen() throws {
        struct File: Decodable { let vectors: [Blob] }
        let blobs = try TestVectors.json("opendht/password_blobs.json", as: File.self).vectors
        #expect(blobs.count == 5)
        for blob in blobs {
            #expect(try PasswordSeal.open(hex(blob.blob), password: blob.password) == hex(blob.plain_hex))
        }
    }

    @Test func sealedBlobsOpenWithTheirPasswordOnly() throws {
        let sealed = try PasswordSeal.seal([1, 2, 3], password: "correct")
        #expect(sealed.count == 16 + 12 + 3 + 16)
        #expect(try PasswordSeal.open(sealed, password: "correct") == [1, 2, 3])
        #expect(throws: SecureChannelError.unopenable) { try PasswordSeal.open(sealed, password: "wrong") }
        for count in [0, 1, 43] {
            #expect(throws: SecureChannelError.unopenable) {
                try PasswordSeal.open(Array(sealed.prefix(count)), password: "correct")
            }
        }
    }
}
