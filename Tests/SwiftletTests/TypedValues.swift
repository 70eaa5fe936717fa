import TestVectors
import Testing

/// The bodies of values as OpenDHT itself packs them.
enum TypedValues {
    private struct File: Decodable {
        struct Item: Decodable {
            let name: String
            let data: String?
        }
        let items: [Item]
    }

    static func body(of name: String) throws -> [UInt8] {
        let file: File = try TestVectors.json("opendht/typed_values.json")
        return hex(try #require(file.items.first { $0.name == name }?.data))
    }
}
