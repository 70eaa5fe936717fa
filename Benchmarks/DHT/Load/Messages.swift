import SansIO

/// A request as a client writes it; built by hand, so that what is measured does not measure itself.
enum Request {
    case ping(UInt32)
    case find(UInt32, target: [UInt8])
    case get(UInt32, key: [UInt8])
    case put(UInt32, key: [UInt8], value: [UInt8], token: [UInt8])

    private static let sender: [UInt8] = (0..<20).map { _ in UInt8.random(in: 1...255) }

    var packed: [UInt8] {
        var writer = MessagePackWriter(capacity: 256)
        writer.writeMapHeader(6)
        writer.write("a")
        let (name, transaction) = writeArguments(to: &writer)
        writer.write("q")
        writer.write(name)
        writer.write("t")
        writer.write(transaction)
        writer.write("y")
        writer.write("q")
        writer.write("v")
        writer.write("B1")
        writer.write("s")
        writer.write(true)
        return writer.bytes
    }

    private func writeArguments(to writer: inout MessagePackWriter) -> (name: String, transaction: UInt32) {
        func start(_ count: Int) {
            writer.writeMapHeader(count)
            writer.write("id")
            writer.write(Self.sender)
        }
        switch self {
        case .ping(let transaction):
            start(1)
            return ("ping", transaction)
        case .find(let transaction, let target):
            start(2)
            writer.write("target")
            writer.write(target)
            return ("find", transaction)
        case .get(let transaction, let key):
            start(2)
            writer.write("h")
            writer.write(key)
            return ("get", transaction)
        case .put(let transaction, let key, let value, let token):
            start(4)
            writer.write("h")
            writer.write(key)
            writer.write("values")
            writer.writeArrayHeader(1)
            writer.write(packed: value)
            writer.write("token")
            writer.write(token)
            return ("put", transaction)
        }
    }

    /// A plain value, packed in the order in which nodes write it.
    static func value(id: UInt64, data: [UInt8]) -> [UInt8] {
        var writer = MessagePackWriter(capacity: 256)
        writer.writeMapHeader(2)
        writer.write("id")
        writer.write(id)
        writer.write("dat")
        writer.writeMapHeader(1)
        writer.write("body")
        writer.writeMapHeader(2)
        writer.write("type")
        writer.write(0)
        writer.write("data")
        writer.write(data)
        return writer.bytes
    }
}

/// What an answer says, as far as it is checked.
struct Answer {
    private(set) var transaction: UInt32 = 0
    private(set) var node: [UInt8] = []
    private(set) var token: [UInt8] = []
    private(set) var values: [[UInt8]] = []
    private(set) var nodeBytes = 0

    init(_ bytes: Span<UInt8>) throws(WireError) {
        var reader = MessagePackReader(bytes)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readString() {
            case "t": transaction = try reader.readInteger()
            case "r":
                for _ in 0..<(try reader.readMapHeader()) {
                    try read(try reader.readString(), from: &reader, in: bytes)
                }
            case "e": throw .malformed("error", at: reader.offset)
            default: try reader.skip()
            }
        }
    }

    private mutating func read(
        _ name: String, from reader: inout MessagePackReader, in bytes: Span<UInt8>
    ) throws(WireError) {
        switch name {
        case "id": node = [UInt8](try reader.takeBinary())
        case "token": token = [UInt8](try reader.takeBinary())
        case "n4": nodeBytes = try reader.takeBinary().count
        case "values":
            for _ in 0..<(try reader.readArrayHeader()) {
                let start = reader.offset
                try reader.skip()
                values.append([UInt8](bytes.extracting(start..<reader.offset)))
            }
        default: try reader.skip()
        }
    }
}
