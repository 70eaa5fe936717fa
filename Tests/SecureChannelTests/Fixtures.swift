import Foundation
import SansIO
import TestVectors

@testable import SecureChannel

/// Keys and identities made once per run; 2048 bits, since size matters to no rule under test.
enum Fixture {
    static let keys = try! (0..<4).map { _ in try PrivateKey.generate(bits: 2048) }
    /// 2026-01-01.
    static let now: Int64 = 1_767_225_600
    static let alice = identity(device: 0)
    static let bob = identity(device: 3)
    static let expired = identity(device: 0, notBefore: now - 2000, notAfter: now - 1000)
    /// An identity of another account.
    static let mallory = try! Identity.create(
        authorityKey: keys[0], accountKey: keys[3], deviceKey: keys[1], notBefore: now - 60, notAfter: now + 86_400)

    static func identity(device: Int, notBefore: Int64 = now - 60, notAfter: Int64 = now + 86_400) -> Identity {
        try! Identity.create(
            authorityKey: keys[2], accountKey: keys[1], deviceKey: keys[device], notBefore: notBefore,
            notAfter: notAfter)
    }

    static func text(_ path: String) throws -> String {
        String(decoding: try TestVectors.bytes(path), as: UTF8.self)
    }
}

/// One identity of `opendht/identities.json`.
struct RecordedIdentity: Decodable {
    let name: String
    let private_key_pem: String
    let certificate_chain_pem: String
    let spki_der: String
    let id_sha1_spki: String
    let long_id_sha256_spki: String
    let certificate_key_4x: String
    let signature_algorithm: String

    static func all() throws -> [RecordedIdentity] {
        struct File: Decodable { let identities: [RecordedIdentity] }
        return try TestVectors.json("opendht/identities.json", as: File.self).identities
    }

    static func named(_ name: String) throws -> RecordedIdentity? { try all().first { $0.name == name } }
}

/// A DHT value taken apart far enough to judge it: `{id, dat: {body, sig}}` or `{id, dat: bin}`.
struct RecordedValue {
    var body: [UInt8] = []
    var signature: [UInt8]?
    var sealed: [UInt8]?
    var owner: [UInt8]?
    var data: [UInt8]?

    init(packed: [UInt8]) throws {
        var reader = MessagePackReader(packed.span)
        for _ in 0..<(try reader.readMapHeader()) {
            guard try reader.readString() == "dat" else {
                try reader.skip()
                continue
            }
            if try reader.peek() == .binary {
                sealed = try reader.readBlob()
            } else {
                let start = reader.offset
                try reader.skip()
                try self.readContent(Array(packed[start..<reader.offset]))
            }
        }
    }

    init(content: [UInt8]) throws { try readContent(content) }

    private mutating func readContent(_ packed: [UInt8]) throws {
        var reader = MessagePackReader(packed.span)
        for _ in 0..<(try reader.readMapHeader()) {
            if try reader.readString() == "body" {
                let start = reader.offset
                try reader.skip()
                body = Array(packed[start..<reader.offset])
            } else {
                signature = try reader.readBlob()
            }
        }
        let packedBody = body
        var fields = MessagePackReader(packedBody.span)
        for _ in 0..<(try fields.readMapHeader()) {
            switch try fields.readString() {
            case "owner": owner = try fields.readBlob()
            case "data": data = try fields.readBlob()
            default: try fields.skip()
            }
        }
    }

    var isSignedByOwner: Bool {
        get throws {
            guard let owner, let signature else { return false }
            return try PublicKey(der: owner).verifies(signature, of: body)
        }
    }
}

extension Array where Element == UInt8 {
    /// The bytes with one to four places changed, cut or repeated.
    func mutated(using random: inout RandomSource) -> [UInt8] {
        var bytes = self
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.removeSubrange(index..<Swift.min(index + 8, bytes.count))
            case 3: bytes.insert(contentsOf: bytes[index..<Swift.min(index + 8, bytes.count)], at: index)
            case 4: bytes[index] = [0x00, 0x30, 0x7F, 0x80, 0x84, 0xFF].randomElement(using: &random) ?? 0
            default: bytes.removeSubrange(index...)
            }
        }
        return bytes
    }
}
