public import Foundation

/// Finds and reads the files of `Tests/Vectors`.
public enum TestVectors {
    /// The folder that holds all vectors.
    public static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Vectors")

    /// The bytes of one file, named relative to `Tests/Vectors`.
    public static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: path)))
    }

    /// One JSON file, named relative to `Tests/Vectors`, decoded into the caller's type.
    public static func json<T: Decodable>(_ path: String, as type: T.Type = T.self) throws -> T {
        try JSONDecoder().decode(type, from: Data(contentsOf: folder.appending(path: path)))
    }

    /// One JSON file as Foundation objects, for files whose shape varies from entry to entry.
    public static func object(_ path: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: path)))
    }
}

/// Reads hexadecimal text of a vector; traps on anything else, as a vector must be well-formed.
public func hex(_ text: String) -> [UInt8] {
    let digits = Array(text.filter { !$0.isWhitespace })
    precondition(digits.count.isMultiple(of: 2), "odd number of digits")
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
}
