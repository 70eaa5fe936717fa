public import SansIO

extension WireError.Field {
    static let value: Self = "value"
    static let valueBody: Self = "value body"
    static let valueOwner: Self = "value owner"
    static let valueRecipient: Self = "value recipient"
    static let query: Self = "query"
}

extension Value {
    /// Reads one packed value.
    public init(_ bytes: Span<UInt8>) throws(WireError) {
        var reader = MessagePackReader(bytes)
        try self.init(from: &reader)
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout MessagePackReader) throws(WireError) {
        let count = try reader.readMapHeader()
        guard count >= 2 else { throw .malformed(.value, at: 0) }
        var id: ID?
        var content: Content?
        var priority: UInt32 = 0
        var pushType: String?
        for _ in 0..<count {
            switch try reader.readKey() {
            case .valueIdentifier: id = ID(try reader.readInteger())
            case .valueData: content = try Content(from: &reader)
            case .priority: priority = try reader.readInteger()
            case .pushType: pushType = try reader.readString()
            default: try reader.skip()
            }
        }
        guard let id, let content else { throw .malformed(.value, at: 0) }
        self.init(id: id, content: content, priority: priority, pushType: pushType)
    }

    /// Reads one packed value.
    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }

    /// The packed value, in the key order of the released implementations.
    public var packed: [UInt8] {
        var writer = MessagePackWriter(capacity: size + 64)
        write(to: &writer)
        return writer.bytes
    }

    /// How many bytes ``packed`` has.
    var packedSize: Int {
        var size = 1 + Key.identifier.packedSize + MessagePackWriter.size(of: id.rawValue)
        size += Key.valueData.packedSize + content.packedSize
        if priority != 0 { size += Key.priority.packedSize + MessagePackWriter.size(of: UInt64(priority)) }
        if let pushType {
            size += Key.pushType.packedSize + MessagePackWriter.size(ofText: pushType.utf8.count)
        }
        return size
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHeader(2 + (priority == 0 ? 0 : 1) + (pushType == nil ? 0 : 1))
        writer.write(upTo: 32) { output in
            output.append(Key.identifier)
            output.append(packed: id.rawValue)
            output.append(Key.valueData)
        }
        content.write(to: &writer)
        if priority != 0 {
            writer.write(Key.priority)
            writer.write(priority)
        }
        if let pushType {
            writer.write(Key.pushType)
            writer.write(pushType)
        }
    }
}

extension Value.Content {
    /// Reads what stands under `dat`: cypher text, or a map with a body and maybe its signature.
    @_lifetime(reader: copy reader)
    init(from reader: inout MessagePackReader) throws(WireError) {
        guard try reader.peek() == .map else {
            self = .encrypted(try reader.readBlob())
            return
        }
        let start = reader.offset
        var body: ValueBody?
        var signature: [UInt8]?
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case .body: body = try ValueBody(from: &reader)
            case .signature: signature = try reader.readBlob()
            default: try reader.skip()
            }
        }
        guard let body else { throw .malformed(.valueBody, at: start) }
        if body.owner != nil, signature == nil { throw .malformed(.valueOwner, at: start) }
        self = .plain(body, signature: body.owner == nil ? nil : signature)
    }

    /// Reads the plain text inside an encrypted value.
    init(plainText bytes: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(bytes.span)
        guard try reader.peek() == .map else { throw .malformed(.valueBody, at: 0) }
        try self.init(from: &reader)
    }

    /// The packed content, as it is encrypted for a recipient.
    var packed: [UInt8] {
        var writer = MessagePackWriter(capacity: 1024)
        write(to: &writer)
        return writer.bytes
    }

    var packedSize: Int {
        switch self {
        case .encrypted(let cypher): return MessagePackWriter.size(ofBinary: cypher.count)
        case .plain(let body, let signature):
            let size = 1 + Key.body.packedSize + body.packedSize
            guard let signature else { return size }
            return size + Key.signature.packedSize + MessagePackWriter.size(ofBinary: signature.count)
        }
    }

    func write(to writer: inout MessagePackWriter) {
        switch self {
        case .encrypted(let cypher): writer.write(cypher)
        case .plain(let body, let signature):
            writer.writeMapHeader(signature == nil ? 1 : 2)
            writer.write(Key.body)
            body.write(to: &writer)
            if let signature {
                writer.write(Key.signature)
                writer.write(signature)
            }
        }
    }
}
