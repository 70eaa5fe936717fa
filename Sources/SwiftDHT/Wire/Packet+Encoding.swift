internal import SansIO

extension Packet {
    /// The datagram, keys in the order of the released implementations.
    package var encoded: [UInt8] {
        PacketFrame(transaction, from: .init(network: network, isClient: isClient, agent: agent)).encode(message)
    }
}

/// What a datagram says besides its message.
struct PacketFrame {
    /// What every datagram of one node says of it, packed once.
    struct Origin: Sendable {
        /// The agent and what is not default.
        let packed: [UInt8]
        /// What is not default: fragments come without the agent.
        let optional: [UInt8]
        /// How many keys ``optional`` has.
        let optionalCount: Int

        init(network: UInt32, isClient: Bool, agent: String) {
            var writer = MessagePackWriter(capacity: 16)
            if isClient {
                writer.write(Key.client)
                writer.write(true)
            }
            if network != 0 {
                writer.write(Key.network)
                writer.write(network)
            }
            optional = writer.bytes
            optionalCount = (network == 0 ? 0 : 1) + (isClient ? 1 : 0)
            writer = MessagePackWriter(capacity: 32)
            writer.write(Key.agent)
            writer.write(agent)
            packed = writer.bytes + optional
        }
    }

    let transaction: UInt32
    let origin: Origin

    init(_ transaction: UInt32, from origin: Origin) { (self.transaction, self.origin) = (transaction, origin) }

    /// The datagram with an answer, which is most of what a node sends; `stored` are values besides those of the reply.
    func encode(_ reply: Reply, _ stored: [Storage.Entry] = []) -> [UInt8] {
        var writer = MessagePackWriter(capacity: 512)
        writeHeader(3, then: .reply, to: &writer)
        reply.write(stored, to: &writer)
        writeTail(.reply, to: &writer)
        return writer.bytes
    }

    /// The datagram with any message.
    func encode(_ message: Packet.Message) -> [UInt8] {
        var writer = MessagePackWriter(capacity: 512)
        switch message {
        case .request(let request): write(request, to: &writer)
        case .reply(let reply): return encode(reply)
        case .failure(let code, let text, let sender):
            writeHeader(4, then: .error, to: &writer)
            writer.writeArrayHeader(2)
            writer.write(code)
            writer.write(text)
            writer.write(Key.reply)
            writer.writeMapHeader(1)
            writer.write(Key.identifier)
            sender.write(to: &writer)
            writeTail(.error, to: &writer)
        case .update(let update): write(update, to: &writer)
        case .fragments(let fragments): write(fragments, to: &writer)
        }
        return writer.bytes
    }

    /// The map header: `count` keys of the message's own besides the agent and what is not default; and the first key.
    private func writeHeader(_ count: Int, then key: Key, to writer: inout MessagePackWriter) {
        writer.write(upTo: 14) { output in
            output.append(mapHeader: count + 1 + origin.optionalCount)
            output.append(key)
        }
    }

    /// The method of a request, transaction, kind and agent.
    private func writeTail(_ kind: Key, _ method: Key.Method? = nil, to writer: inout MessagePackWriter) {
        writer.write(upTo: 50) { output in
            if let method {
                output.append(Key.query)
                output.append(ascii: method.rawValue)
            }
            output.append(Key.transaction)
            output.append(packed: UInt64(transaction))
            output.append(Key.kind)
            output.append(kind)
        }
        writer.write(packed: origin.packed)
    }

    private func write(_ request: Request, to writer: inout MessagePackWriter) {
        writeHeader(4, then: .arguments, to: &writer)
        request.writeArguments(to: &writer)
        guard case .update(let update) = request.method, update.values.isEmpty else {
            return writeTail(.query, request.method.key, to: &writer)
        }
        // Releases write the envelope of updates without values in this other order.
        writer.write(Key.kind)
        writer.write(Key.query)
        writer.write(packed: origin.packed)
        writer.write(Key.query)
        writer.write(ascii: request.method.key.rawValue)
        writer.write(Key.transaction)
        writer.write(transaction)
    }

    private func write(_ update: LegacyUpdate, to writer: inout MessagePackWriter) {
        writeHeader(3, then: .update, to: &writer)
        writer.writeMapHeader(1 + (update.token.isEmpty ? 0 : 1) + update.listCount)
        writer.write(Key.identifier)
        update.sender.write(to: &writer)
        writer.writeToken(update.token)
        writer.write(refreshed: update.refreshed, expired: update.expired)
        writer.write(Key.kind)
        writer.write(Key.reply)
        writer.write(packed: origin.packed)
        writer.write(Key.transaction)
        writer.write(transaction)
    }

    private func write(_ fragments: [Fragment], to writer: inout MessagePackWriter) {
        writer.writeMapHeader(3 + origin.optionalCount)
        writer.write(Key.kind)
        writer.write(Key.priority)
        writer.write(Key.transaction)
        writer.write(transaction)
        writer.write(packed: origin.optional)
        writer.write(Key.priority)
        writer.writeMapHeader(fragments.count)
        for fragment in fragments {
            writer.write(fragment.index)
            writer.writeMapHeader(2)
            writer.write(Key.offset)
            writer.write(fragment.offset)
            writer.write(Key.piece)
            writer.write(fragment.bytes)
        }
    }
}

extension LegacyUpdate {
    fileprivate var listCount: Int { (refreshed.isEmpty ? 0 : 1) + (expired.isEmpty ? 0 : 1) }
}

extension Reply {
    fileprivate func write(_ stored: [Storage.Entry], to writer: inout MessagePackWriter) {
        var count = 1 + (valueID == nil ? 0 : 1) + (observed == nil ? 0 : 1) + (token.isEmpty ? 0 : 1)
        count += (observedPort == nil ? 0 : 1) + (nodes4.isEmpty ? 0 : 1) + (nodes6.isEmpty ? 0 : 1)
        count += (values.isEmpty && stored.isEmpty ? 0 : 1) + (fields == nil ? 0 : 1)
        // In one go, as nearly every answer has these.
        writer.write(upTo: 80) { output in
            output.append(mapHeader: count)
            output.append(Key.identifier)
            output.append(packed: sender)
            if let valueID {
                output.append(Key.valueID)
                output.append(packed: valueID.rawValue)
            }
            if let observed {
                output.append(Key.address)
                output.append(packed: observed)
            }
            if let observedPort {
                output.append(Key.port)
                output.append(packed: UInt64(observedPort))
            }
        }
        if !nodes4.isEmpty {
            writer.write(Key.nodes4)
            CompactNode.write(nodes4, family: .v4, to: &writer)
        }
        if !nodes6.isEmpty {
            writer.write(Key.nodes6)
            CompactNode.write(nodes6, family: .v6, to: &writer)
        }
        writer.writeToken(token)
        writer.writeValues(values, stored)
        if let fields {
            writer.write(Key.fields)
            fields.write(to: &writer)
        }
    }
}

extension Request {
    fileprivate func writeArguments(to writer: inout MessagePackWriter) {
        switch method {
        case .ping: start(0, &writer)
        case .find(let target, let want):
            start(1 + (want == nil ? 0 : 1), &writer)
            writer.write(Key.target)
            target.write(to: &writer)
            writer.writeWant(want)
        case .get(let key, let query, let want):
            start((key == nil ? 0 : 1) + (query == nil ? 0 : 1) + (want == nil ? 0 : 1), &writer)
            writer.writeKey(key)
            writer.writeQuery(query)
            writer.writeWant(want)
        case .put(let key, let values, let token, let created):
            start(
                (key == nil ? 0 : 1) + (values.isEmpty ? 0 : 1) + (token.isEmpty ? 0 : 1) + (created == nil ? 0 : 1),
                &writer)
            writer.writeKey(key)
            writer.writeValues(values)
            writer.writeCreated(created)
            writer.writeToken(token)
        case .refresh(let key, let id, let token):
            start(1 + (key == nil ? 0 : 1) + (token.isEmpty ? 0 : 1), &writer)
            writer.writeKey(key)
            writer.write(Key.valueID)
            writer.write(id.rawValue)
            writer.writeToken(token)
        case .listen(let key, let token, let socket, let version, let query):
            let optional = (key == nil ? 0 : 1) + (version == nil ? 0 : 1) + (query == nil ? 0 : 1)
            start(1 + optional + (token.isEmpty ? 0 : 1), &writer)
            writer.writeVersion(version)
            writer.writeKey(key)
            writer.writeToken(token)
            writer.write(Key.socket)
            writer.write(socket)
            writer.writeQuery(query)
        case .update(let update): write(update, to: &writer)
        }
    }

    private func start(_ arguments: Int, _ writer: inout MessagePackWriter) {
        writer.write(upTo: 14 + InfoHash.packedSize) { output in
            output.append(mapHeader: 1 + arguments)
            output.append(Key.identifier)
            output.append(packed: sender)
        }
    }

    private func write(_ update: Update, to writer: inout MessagePackWriter) {
        var count = 1 + (update.version == nil ? 0 : 1) + (update.key == nil ? 0 : 1) + (update.token.isEmpty ? 0 : 1)
        count += (update.values.isEmpty ? 0 : 1) + (update.created == nil ? 0 : 1)
        count += (update.refreshed.isEmpty ? 0 : 1) + (update.expired.isEmpty ? 0 : 1)
        start(count, &writer)
        writer.writeVersion(update.version)
        writer.writeKey(update.key)
        writer.write(Key.socket)
        writer.write(update.socket)
        writer.writeValues(update.values)
        writer.writeCreated(update.created)
        writer.writeToken(update.token)
        writer.write(refreshed: update.refreshed, expired: update.expired)
    }
}

extension MessagePackWriter {
    fileprivate mutating func writeKey(_ key: InfoHash?) {
        guard let key else { return }
        write(upTo: 9 + InfoHash.packedSize) { output in
            output.append(Key.hash)
            output.append(packed: key)
        }
    }

    fileprivate mutating func writeToken(_ token: [UInt8]) {
        guard !token.isEmpty else { return }
        write(upTo: 14) { output in
            output.append(Key.token)
            output.append(binaryHeader: token.count)
        }
        write(packed: token)
    }

    fileprivate mutating func writeVersion(_ version: Int64?) {
        guard let version else { return }
        write(Key.version)
        write(version)
    }

    fileprivate mutating func writeCreated(_ created: Int64?) {
        guard let created else { return }
        write(Key.created)
        write(created)
    }

    fileprivate mutating func writeQuery(_ query: ValueQuery?) {
        guard let query else { return }
        write(Key.query)
        query.write(to: &self)
    }

    fileprivate mutating func writeWant(_ want: Request.Want?) {
        guard let want else { return }
        write(Key.want)
        writeArrayHeader((want.contains(.v4) ? 1 : 0) + (want.contains(.v6) ? 1 : 0))
        if want.contains(.v4) { write(2) }
        if want.contains(.v6) { write(10) }
    }

    fileprivate mutating func writeValues(_ values: [ValueItem], _ stored: [Storage.Entry] = []) {
        guard !values.isEmpty || !stored.isEmpty else { return }
        write(Key.values)
        writeArrayHeader(values.count + stored.count)
        // By position: copies of values cost more than writing them.
        for index in stored.indices { stored.span[index].value.write(to: &self) }
        for value in values {
            switch value {
            case .whole(let value): value.write(to: &self)
            case .packed(let bytes): write(packed: bytes)
            case .announced(let size): write(size)
            }
        }
    }

    fileprivate mutating func write(refreshed: [Value.ID], expired: [Value.ID]) {
        for (name, identifiers) in [(Key.refreshed, refreshed), (Key.expired, expired)] where !identifiers.isEmpty {
            write(name)
            writeArrayHeader(identifiers.count)
            for identifier in identifiers { write(identifier.rawValue) }
        }
    }
}
