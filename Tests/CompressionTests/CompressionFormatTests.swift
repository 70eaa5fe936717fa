import Compression
import Foundation
import TestVectors
import Testing

@Suite struct CompressionFormatTests {
    private static let text = Array(String(repeating: "The quick brown fox. ", count: 5_000).utf8)
    /// Numbers that repeat only after 65 521 bytes, further back than DEFLATE looks.
    private static let noise = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 % 65_521 >> 5) }

    @Test("What was compressed expands to itself", arguments: [CompressionFormat.zlib, .gzip])
    func roundTrip(format: CompressionFormat) throws {
        for bytes in [[], [7], Self.text, Self.noise] {
            let small = try format.deflate(bytes)
            #expect(try format.inflate(small, limit: bytes.count) == bytes)
        }
        #expect(try format.deflate(Self.text).count < Self.text.count / 100)
    }

    @Test("Streams others made expand")
    func foreign() throws {
        // Python's zlib.compress(b"hello hello hello"), and a stock daemon.
        let zlib = hex("789ccb48cdc9c957c84090003a2e067d")
        #expect(try CompressionFormat.zlib.inflate(zlib, limit: 17) == Array("hello hello hello".utf8))
        let archive = try TestVectors.bytes("jami/account/alice-archive.gz")
        let text = try CompressionFormat.gzip.inflate(archive, limit: 1 << 20)
        let members = try JSONDecoder().decode([String: String].self, from: Data(text))
        #expect(members == (try TestVectors.json("jami/account/alice-archive.json")))
    }

    @Test("Bytes that expand to more than is allowed are refused by name")
    func limit() throws {
        let bomb = try CompressionFormat.gzip.deflate([UInt8](repeating: 0, count: 4 << 20))
        #expect(bomb.count < 5_000)
        #expect(throws: CompressionError.overLimit(limit: 1 << 20)) {
            try CompressionFormat.gzip.inflate(bomb, limit: 1 << 20)
        }
        #expect(throws: CompressionError.overLimit(limit: Self.text.count - 1)) {
            try CompressionFormat.zlib.inflate(CompressionFormat.zlib.deflate(Self.text), limit: Self.text.count - 1)
        }
    }

    @Test("Every cut is called one, and nothing may follow", arguments: [CompressionFormat.zlib, .gzip])
    func cuts(format: CompressionFormat) throws {
        let whole = try format.deflate(Array(Self.text.prefix(300)))
        for count in 0..<whole.count {
            #expect(throws: CompressionError.truncated) { try format.inflate(Array(whole[..<count]), limit: 1_000) }
        }
        #expect(throws: CompressionError.malformed) { try format.inflate(whole + [0], limit: 1_000) }
    }

    @Test("A changed byte never changes the text", arguments: [CompressionFormat.zlib, .gzip])
    func changes(format: CompressionFormat) throws {
        let text = Array(Self.text.prefix(300))
        let whole = try format.deflate(text)
        var refusals = 0
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x10
            // Some bits mean nothing, such as the time in the header of gzip.
            guard let same = try? format.inflate(bytes, limit: 100_000) else {
                refusals += 1
                continue
            }
            #expect(same == text)
        }
        #expect(refusals > whole.count / 2)
    }

    @Test("One format is not taken for the other")
    func mixed() throws {
        let gzip = try CompressionFormat.gzip.deflate([1, 2, 3])
        let zlib = try CompressionFormat.zlib.deflate([1, 2, 3])
        #expect(throws: CompressionError.malformed) { try CompressionFormat.zlib.inflate(gzip, limit: 100) }
        #expect(throws: CompressionError.malformed) { try CompressionFormat.gzip.inflate(zlib, limit: 100) }
    }
}
