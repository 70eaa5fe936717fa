package import SansIO

extension Packet {
    /// Reads one datagram. Whatever this throws for is dropped without an answer.
    package init(_ bytes: Span<UInt8>) throws(WireError) {
        var envelope = Envelope()
        try envelope.read(bytes)
        self.init(
            try envelope.takeMessage(in: bytes), transaction: envelope.transaction, network: envelope.network,
            isClient: envelope.isClient, agent: envelope.agent)
    }

    /// Reads one datagram.
    package init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }
}

/// The outer map of a datagram. What its body means depends on keys that may come later.
private struct Envelope {
    /// Which key the body was found under.
    private enum BodyKey {
        case arguments
        case reply
    }

    var transaction: UInt32 = 0
    var network: UInt32 = 0
    var isClient = false
    var agent = ""
    private var kind: UInt8?
    private var method: Key.Method?
    private var body = Body()
    private var bodyKey: BodyKey?
    private var error: Range<Int>?
    private var fragments: Range<Int>?
    private var update: Range<Int>?

    // No initializer: one that throws copies what it made.
    mutating func read(_ bytes: Span<UInt8>) throws(WireError) {
        var reader = MessagePackReader(bytes)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case .kind:
                let text = try reader.takeString()
                kind = text.count == 1 ? text[0] : 0
            case .transaction: transaction = try Self.readTransaction(from: &reader)
            case .agent: agent = try reader.readString()
            case .network: network = try reader.readInteger()
            case .client: isClient = try reader.readBoolean()
            case .query: method = Key.Method(try reader.takeString())
            case .arguments where bodyKey == .reply: try reader.skip()
            case .arguments: try readBody(from: &reader, under: .arguments)
            case .reply: try readBody(from: &reader, under: .reply)
            case .error: error = try reader.skipRange()
            case .priority: fragments = try reader.skipRange()
            case .update: update = try reader.skipRange()
            default: try reader.skip()
            }
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func readBody(from reader: inout MessagePackReader, under key: BodyKey) throws(WireError) {
        if bodyKey != nil { body = Body() }
        try body.read(from: &reader)
        bodyKey = key
    }

    /// Old peers write the number as four bytes.
    @_lifetime(reader: copy reader)
    private static func readTransaction(from reader: inout MessagePackReader) throws(WireError) -> UInt32 {
        guard try reader.peek() == .binary else { return try reader.readInteger() }
        let start = reader.offset
        var bytes = ByteReader(try reader.takeBinary())
        guard bytes.remaining == 4 else { throw .malformed(.envelope, at: start) }
        return try bytes.read()
    }

    /// What the datagram says, by the order in which releases look at the keys. The body is empty afterwards: moving what is
    /// in it costs less than sharing it.
    mutating func takeMessage(in bytes: Span<UInt8>) throws(WireError) -> Packet.Message {
        if let error { return try failure(bytes.extracting(error)) }
        if bodyKey == .reply { return .reply(body.takeReply(from: try body.requiredSender())) }
        if let fragments { return .fragments(try Fragment.list(bytes.extracting(fragments))) }
        if let update {
            var reader = MessagePackReader(bytes.extracting(update))
            var body = Body()
            try body.read(from: &reader)
            return .update(try body.legacyUpdate())
        }
        guard kind ?? UInt8(ascii: "q") == UInt8(ascii: "q"), bodyKey != nil else {
            throw .malformed(.envelope, at: 0)
        }
        guard let method else { throw .malformed(.method, at: 0) }
        return .request(try body.request(method))
    }

    private func failure(_ list: Span<UInt8>) throws(WireError) -> Packet.Message {
        guard bodyKey == .reply else { throw .malformed(.sender, at: 0) }
        var reader = MessagePackReader(list)
        guard try reader.readArrayHeader() == 2 else { throw .malformed(.errorCode, at: 0) }
        let code: UInt64 = try reader.readInteger()
        let text = try reader.readString()
        return .failure(code: code, text: text, sender: try body.requiredSender())
    }
}

/// Everything a body may hold; which parts matter depends on the method.
private struct Body {
    /// How many values, or value identifiers, one message may list.
    static let listLimit = 4096
    /// How long a token may be.
    static let tokenLimit = 64

    private var sender: NodeID?
    private var observed: IPAddress?
    private var observedPort: UInt16?
    private var key: InfoHash?
    private var target: NodeID?
    private var want: Request.Want?
    private var nodes4: [CompactNode] = []
    private var nodes6: [CompactNode] = []
    private var token: [UInt8] = []
    private var values: [ValueItem] = []
    private var fields: FieldTable?
    private var valueID: Value.ID?
    private var created: Int64?
    private var socket: UInt32?
    private var version: Int64?
    private var query: ValueQuery?
    private var expired: [Value.ID] = []
    private var refreshed: [Value.ID] = []

    @_lifetime(reader: copy reader)
    mutating func read(from reader: inout MessagePackReader) throws(WireError) {
        for _ in 0..<(try reader.readMapHeader()) {
            guard let name = try reader.readKey() else {
                try reader.skip()
                continue
            }
            try read(name, from: &reader)
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func read(_ name: Key, from reader: inout MessagePackReader) throws(WireError) {
        switch name {
        case .identifier: sender = try reader.readHash(.sender)
        case .address:
            observed = IPAddress(bytes: try reader.takeBinary())
            if observed == nil { throw .malformed(.address, at: reader.offset) }
        case .port: observedPort = try reader.readInteger()
        case .hash: key = try reader.readHash(.key)
        case .target: target = try reader.readHash(.key)
        case .want: want = try Self.readWant(from: &reader)
        case .nodes4: nodes4 = try CompactNode.list(try reader.takeBinary(), family: .v4)
        case .nodes6: nodes6 = try CompactNode.list(try reader.takeBinary(), family: .v6)
        case .token:
            let bytes = try reader.takeBinary()
            guard bytes.count <= Self.tokenLimit else { throw .overLimit(.token, limit: Self.tokenLimit) }
            token = [UInt8](bytes)
        case .values: values = try Self.readValues(from: &reader)
        case .fields: fields = try FieldTable(from: &reader)
        case .valueID: valueID = Value.ID(try reader.readInteger())
        case .created: created = try reader.readInteger()
        case .socket: socket = try reader.readInteger()
        case .version: version = try reader.readInteger()
        case .query: query = try ValueQuery(from: &reader)
        case .expired: expired = try Self.readIdentifiers(from: &reader)
        case .refreshed: refreshed = try Self.readIdentifiers(from: &reader)
        default: try reader.skip()
        }
    }

    @_lifetime(reader: copy reader)
    private static func readWant(from reader: inout MessagePackReader) throws(WireError) -> Request.Want {
        let count = try reader.readArrayHeader()
        guard count <= listLimit else { throw .overLimit(.list, limit: listLimit) }
        var want: Request.Want = []
        for _ in 0..<count {
            switch try reader.readInteger(Int64.self) {
            case 2: want.insert(.v4)
            case 10: want.insert(.v6)
            default: break
            }
        }
        return want
    }

    /// Reads a `values` list. Values that do not decode are left out; the others count.
    @_lifetime(reader: copy reader)
    private static func readValues(from reader: inout MessagePackReader) throws(WireError) -> [ValueItem] {
        let count = try reader.readArrayHeader()
        guard count <= listLimit else { throw .overLimit(.list, limit: listLimit) }
        var values: [ValueItem] = []
        for _ in 0..<count {
            if try reader.peek() == .integer {
                values.append(.announced(try reader.readInteger()))
                continue
            }
            var attempt = reader
            if let value = try? Value(from: &attempt) {
                values.append(.whole(value))
                reader = attempt
            } else {
                try reader.skip()
            }
        }
        return values
    }

    @_lifetime(reader: copy reader)
    private static func readIdentifiers(from reader: inout MessagePackReader) throws(WireError) -> [Value.ID] {
        let count = try reader.readArrayHeader()
        guard count <= listLimit else { throw .overLimit(.list, limit: listLimit) }
        var identifiers: [Value.ID] = []
        for _ in 0..<count { identifiers.append(Value.ID(try reader.readInteger())) }
        return identifiers
    }

    func requiredSender() throws(WireError) -> NodeID {
        guard let sender, sender != .zero else { throw .malformed(.sender, at: 0) }
        return sender
    }

    mutating func takeReply(from sender: NodeID) -> Reply {
        var reply = Reply(sender: sender, observed: observed)
        reply.observedPort = observedPort
        reply.valueID = valueID
        swap(&reply.nodes4, &nodes4)
        swap(&reply.nodes6, &nodes6)
        swap(&reply.token, &token)
        swap(&reply.values, &values)
        reply.fields = fields
        return reply
    }

    func legacyUpdate() throws(WireError) -> LegacyUpdate {
        LegacyUpdate(sender: try requiredSender(), token: token, refreshed: refreshed, expired: expired)
    }

    func request(_ method: Key.Method) throws(WireError) -> Request {
        Request(sender: try requiredSender(), method: try arguments(of: method))
    }

    private func arguments(of method: Key.Method) throws(WireError) -> Request.Method {
        switch method {
        case .ping: return .ping
        case .find:
            guard let target else { throw .malformed(.key, at: 0) }
            return .find(target: target, want: want)
        case .get: return .get(key: nonzeroKey, query: query, want: want)
        case .put: return .put(key: nonzeroKey, values: values, token: token, created: created)
        case .refresh: return .refresh(key: nonzeroKey, id: valueID ?? Value.ID(0), token: token)
        case .listen:
            return .listen(key: nonzeroKey, token: token, socket: socket ?? 0, version: version, query: query)
        case .update: return .update(update())
        }
    }

    private var nonzeroKey: InfoHash? { key == .zero ? nil : key }

    private func update() -> Update {
        var update = Update(socket: socket ?? 0)
        update.key = key
        update.version = version
        update.values = values
        update.created = created
        update.token = token
        (update.refreshed, update.expired) = (refreshed, expired)
        return update
    }
}

extension Fragment {
    /// How many fragments one datagram may carry.
    private static let countLimit = 256

    static func list(_ bytes: Span<UInt8>) throws(WireError) -> [Fragment] {
        var reader = MessagePackReader(bytes)
        let count = try reader.readMapHeader()
        guard count <= countLimit else { throw .overLimit(.fragment, limit: countLimit) }
        var fragments: [Fragment] = []
        for _ in 0..<count {
            let index: Int = try reader.readInteger()
            guard index >= 0 else { throw .malformed(.fragment, at: reader.offset) }
            fragments.append(try Fragment(index: index, from: &reader))
        }
        return fragments
    }

    @_lifetime(reader: copy reader)
    private init(index: Int, from reader: inout MessagePackReader) throws(WireError) {
        let start = reader.offset
        var (offset, bytes): (Int?, [UInt8]?) = (nil, nil)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case .offset: offset = try reader.readInteger()
            case .piece: bytes = try reader.readBlob()
            default: try reader.skip()
            }
        }
        guard let offset, offset >= 0, let bytes else { throw .malformed(.fragment, at: start) }
        self.init(index: index, offset: offset, bytes: bytes)
    }
}

extension MessagePackReader {
    /// Skips one object and says where it stands.
    @_lifetime(self: copy self)
    mutating func skipRange() throws(WireError) -> Range<Int> {
        let start = offset
        try skip()
        return start..<offset
    }
}
