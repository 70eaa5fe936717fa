import Foundation
import SansIO
import SwiftDHT
import TestVectors
import Testing

/// Byte-exact checks against captures of the released implementations.
@Suite struct VectorTests {
    @Test func textHashesToTheKeysOfTheReleases() throws {
        let file = try #require(try TestVectors.object("opendht/infohash.json") as? [String: Any])
        for vector in try #require(file["vectors"] as? [[String: Any]]) {
            let text = try #require(vector["string"] as? String)
            let digits = try #require(vector["infohash"] as? String)
            #expect(InfoHash(hashing: text).description == digits)
            #expect(InfoHash(digits)?.bytes == hex(digits))
        }
    }

    private func captures(_ file: String, _ list: String) throws -> [(release: String, packet: [String: Any])] {
        let releases = try #require(try TestVectors.object(file) as? [String: Any])
        var found: [(String, [String: Any])] = []
        for release in ["24", "44"] {
            let entry = try #require(releases[release] as? [String: Any])
            for item in try #require(entry[list] as? [[String: Any]]) {
                for packet in item["exchange"] as? [[String: Any]] ?? [item] { found.append((release, packet)) }
            }
        }
        return found
    }

    @Test(arguments: ["packets_client", "packets_server"])
    func packetsOfTheReleasesReadAndWriteBackByteForByte(file: String) throws {
        let list = file == "packets_client" ? "packets" : "exchanges"
        for (release, capture) in try captures("opendht/\(file).json", list) {
            let bytes = hex(try #require(capture["hex"] as? String))
            let kind = try #require(capture["kind"] as? String)
            let packet = try Packet(decoding: bytes)
            switch packet.message {
            case .request(let request): #expect(request.method.name == kind)
            case .reply: #expect(kind == "reply")
            case .failure: #expect(kind == "error")
            case .update: #expect(kind == "legacy-update")
            case .fragments: #expect(kind == "fragment")
            }
            // The test peer that made some packets wrote keys in an order of its own.
            guard capture["direction"] as? String != "to_peer" else { continue }
            #expect(Hexadecimal.encode(packet.encoded) == Hexadecimal.encode(bytes), "\(release) \(kind)")
        }
    }

    @Test func securedValuesReadAndWriteBackAndYieldTheSignedBytes() throws {
        let file = try #require(try TestVectors.object("opendht/values_secure.json") as? [String: Any])
        for vector in try #require(file["values"] as? [[String: Any]]) {
            let bytes = hex(try #require(vector["value_packed"] as? String))
            let value = try Value(decoding: bytes)
            #expect(value.packed == bytes)
            #expect(vector["value_id"] as? String == String(value.id.rawValue))
            if let plain = vector["plaintext_packed"] as? String {
                guard case .encrypted = value.content else { Issue.record("not encrypted"); continue }
                var wrapped = hex("82a26964" + "01" + "a3646174")
                wrapped += hex(plain)
                let inner = try #require(try Value(decoding: wrapped).body)
                #expect(inner.signedBytes == hex(try #require(vector["signed_bytes"] as? String)))
            } else if let signed = vector["signed_bytes"] as? String {
                #expect(value.body?.signedBytes == hex(signed))
                #expect(value.ownerID?.description == vector["owner_id"] as? String)
            }
        }
    }

    @Test func typedValuesAndQueriesReadAndWriteBack() throws {
        let file = try #require(try TestVectors.object("opendht/typed_values.json") as? [String: Any])
        for item in try #require(file["items"] as? [[String: Any]]) {
            let name = try #require(item["name"] as? String)
            if let packed = item["value"] as? String {
                #expect(try Value(decoding: hex(packed)).packed == hex(packed), "\(name)")
            }
            guard let data = item["data"] as? String else { continue }
            if name == "Query" { #expect(try ValueQuery(decoding: hex(data)).packed == hex(data), "\(item)") }
            if name.hasPrefix("NodeExport") { #expect(try KnownNode(decoding: hex(data)).packed == hex(data)) }
        }
    }

    @Test func valuesOfARealCallReadAndWriteBack() throws {
        let values = try #require(try TestVectors.object("jami/dht-values.json") as? [[String: Any]])
        for item in values {
            let bytes = hex(try #require(item["raw"] as? String))
            #expect(try Value(decoding: bytes).packed == bytes)
        }
    }
}
