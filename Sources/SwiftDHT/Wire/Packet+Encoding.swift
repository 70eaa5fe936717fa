internal import SansIO

extension Packet {
    /// The datagram, keys in the order of the released implementations.
    package var encoded: [UInt8] {
        var writer = MessagePackWriter(capacity: 512)
        switch message {
        case .request(let request): write(request, to: &writer)
        case .reply(let reply):
            writeHeader(3, to: &writer)
            writer.write("r")
            reply.write(to: &writer)
            writeTail("r", to: &writer)
        case .failure(let code, let text, let sender):
            writeHeader(4, to: &writer)
            writer.write("e")
            writer.writeArrayHeader(2)
            writer.write(code)
            writer.write(text)
            writer.write("r")
            writer.writeMapHeader(1)
            writer.write("id")
            writer.write(sender.bytes)
            writeTail("e", to: &writer)
        case .update(let update): write(update, to: &writer)
        case .fragments(let fragments): write(fragments, to: &writer)
        }
        return writer.bytes
    }

    /// The map header: `count` keys of the message's own besides the agent and what is not default.
    private func writeHeader(_ count: Int, to writer: inout MessagePackWriter) {
        writer.writeMapHeader(count + 1 + optionalCount)
    }

    private var optionalCount: Int { (network == 0 ? 0 : 1) + (isClient ? 1 : 0) }

    /// Transaction, kind and agent.
    private func writeTail(_ kind: String, to writer: inout MessagePackWriter) {
        writer.write("t")
        writer.write(transaction)
        writer.write("y")
        writer.write(kind)
        writer.write("v")
        writer.write(agent)
        writeOptional(to: &writer)
    }

    private func writeOptional(to writer: inout MessagePackWriter) {
        if isClient {
            writer.write("s")
            writer.write(true)
        }
        if network != 0 {
            writer.write("n")
            writer.write(network)
        }
    }

    private func write(_ request: Request, to writer: inout MessagePackWriter) {
        writeHeader(4, to: &writer)
        writer.write("a")
        request.writeArguments(to: &writer)
        guard case .update(let update) = request.method, update.values.isEmpty else {
            writer.write("q")
            writer.write(request.method.name)
            writeTail("q", to: &writer)
            return
        }
        // Releases write the envelope of updates without values in this other order.
        writer.write("y")
        writer.write("q")
        writer.write("v")
        writer.write(agent)
        writeOptional(to: &writer)
        writer.write("q")
        writer.write(request.method.name)
        writer.write("t")
        writer.write(transaction)
    }

    private func write(_ update: LegacyUpdate, to writer: inout MessagePackWriter) {
        writeHeader(3, to: &writer)
        writer.write("u")
        writer.writeMapHeader(1 + (update.token.isEmpty ? 0 : 1) + update.listCount)
        writer.write("id")
        writer.write(update.sender.bytes)
        writer.writeToken(update.token)
        writer.write(refreshed: update.refreshed, expired: update.expired)
        writer.write("y")
        writer.write("r")
        writer.write("v")
        writer.write(agent)
        writeOptional(to: &writer)
        writer.write("t")
        writer.write(transaction)
    }

    private func write(_ fragments: [Fragment], to writer: inout MessagePackWriter) {
        writer.writeMapHeader(3 + optionalCount)
        writer.write("y")
        writer.write("p")
        writer.write("t")
        writer.write(transaction)
        writeOptional(to: &writer)
        writer.write("p")
        writer.writeMapHeader(fragments.count)
        for fragment in fragments {
            writer.write(fragment.index)
            writer.writeMapHeader(2)
            writer.write("o")
            writer.write(fragment.offset)
            writer.write("d")
            writer.write(fragment.bytes)
        }
    }
}

extension LegacyUpdate {
    fileprivate var listCount: Int { (refreshed.isEmpty ? 0 : 1) + (expired.isEmpty ? 0 : 1) }
}

extension Reply {
    fileprivate func write(to writer: inout MessagePackWriter) {
        var count = 1 + (valueID == nil ? 0 : 1) + (observed == nil ? 0 : 1) + (token.isEmpty ? 0 : 1)
        count += (nodes4.isEmpty ? 0 : 1) + (nodes6.isEmpty ? 0 : 1)
        count += (values.isEmpty ? 0 : 1) + (fields == nil ? 0 : 1)
        writer.writeMapHeader(count)
        writer.write("id")
        writer.write(sender.bytes)
        if let valueID {
            writer.write("vid")
            writer.write(valueID.rawValue)
        }
        if let observed {
            writer.write("sa")
            writer.write(observed.bytes)
        }
        if !nodes4.isEmpty {
            writer.write("n4")
            writer.write(CompactNode.bytes(of: nodes4))
        }
        if !nodes6.isEmpty {
            writer.write("n6")
            writer.write(CompactNode.bytes(of: nodes6))
        }
        writer.writeToken(token)
        writer.writeValues(values)
        if let fields {
            writer.write("fileds")
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
            writer.write("target")
            writer.write(target.bytes)
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
            writer.write("vid")
            writer.write(id.rawValue)
            writer.writeToken(token)
        case .listen(let key, let token, let socket, let version, let query):
            let optional = (key == nil ? 0 : 1) + (version == nil ? 0 : 1) + (query == nil ? 0 : 1)
            start(1 + optional + (token.isEmpty ? 0 : 1), &writer)
            writer.writeVersion(version)
            writer.writeKey(key)
            writer.writeToken(token)
            writer.write("sid")
            writer.write(socket)
            writer.writeQuery(query)
        case .update(let update): write(update, to: &writer)
        }
    }

    private func start(_ arguments: Int, _ writer: inout MessagePackWriter) {
        writer.writeMapHeader(1 + arguments)
        writer.write("id")
        writer.write(sender.bytes)
    }

    private func write(_ update: Update, to writer: inout MessagePackWriter) {
        var count = 1 + (update.version == nil ? 0 : 1) + (update.key == nil ? 0 : 1) + (update.token.isEmpty ? 0 : 1)
        count += (update.values.isEmpty ? 0 : 1) + (update.created == nil ? 0 : 1)
        count += (update.refreshed.isEmpty ? 0 : 1) + (update.expired.isEmpty ? 0 : 1)
        start(count, &writer)
        writer.writeVersion(update.version)
        writer.writeKey(update.key)
        writer.write("sid")
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
        write("h")
        write(key.bytes)
    }

    fileprivate mutating func writeToken(_ token: [UInt8]) {
        guard !token.isEmpty else { return }
        write("token")
        write(token)
    }

    fileprivate mutating func writeVersion(_ version: Int64?) {
        guard let version else { return }
        write("ve")
        write(version)
    }

    fileprivate mutating func writeCreated(_ created: Int64?) {
        guard let created else { return }
        write("c")
        write(created)
    }

    fileprivate mutating func writeQuery(_ query: ValueQuery?) {
        guard let query else { return }
        write("q")
        query.write(to: &self)
    }

    fileprivate mutating func writeWant(_ want: Request.Want?) {
        guard let want else { return }
        write("w")
        writeArrayHeader((want.contains(.v4) ? 1 : 0) + (want.contains(.v6) ? 1 : 0))
        if want.contains(.v4) { write(2) }
        if want.contains(.v6) { write(10) }
    }

    fileprivate mutating func writeValues(_ values: [ValueItem]) {
        guard !values.isEmpty else { return }
        write("values")
        writeArrayHeader(values.count)
        for value in values {
            switch value {
            case .whole(let value): value.write(to: &self)
            case .packed(let bytes): write(packed: bytes)
            case .announced(let size): write(size)
            }
        }
    }

    fileprivate mutating func write(refreshed: [Value.ID], expired: [Value.ID]) {
        for (name, identifiers) in [("re", refreshed), ("exp", expired)] where !identifiers.isEmpty {
            write(name)
            writeArrayHeader(identifiers.count)
            for identifier in identifiers { write(identifier.rawValue) }
        }
    }
}
