public import SansIO

extension WireError.Field {
    static let state: Self = "state"
    static let stateVersion: Self = "state version"
}

/// A state as a file.
///
/// The form is OpenDHT's: one MessagePack map with `v`, `id`, `nodes` and `values`, whose values hold civil times and
/// source addresses as in releases 4. What only this package keeps stands under keys of its own. Files of releases 2 are
/// read too.
extension DHT.State {
    /// Reads a state file.
    ///
    /// Releases 2 wrote creation times by a clock without origin, so the newest value of such a file counts as created
    /// at `unixNanoseconds`, and the others as much earlier as they were. A value that cannot be read is left out; any
    /// other damage is an error, and nothing of the file should be used.
    public init(decoding bytes: [UInt8], at unixNanoseconds: Int64) throws(WireError) {
        var file = StateFile()
        var reader = MessagePackReader(bytes.span)
        guard try reader.peek() == .map else { throw .malformed(.state, at: 0) }
        for _ in 0..<(try reader.readMapHeader()) { try file.readEntry(from: &reader) }
        guard reader.isAtEnd else { throw .malformed(.state, at: reader.offset) }
        guard let id = file.id else { throw .malformed(.state, at: 0) }
        let newest = file.untimed.map(\.created).max() ?? 0
        for (key, value, created) in file.untimed {
            let (age, overflow) = newest.subtractingReportingOverflow(created)
            let (creation, underflow) = unixNanoseconds.subtractingReportingOverflow(age)
            guard !overflow, !underflow else { continue }
            file.values.append(
                StoredValue(
                    key: key, value: value, created: creation, expires: value.end(createdAt: creation), source: nil))
        }
        self.init(id: id, nodes: file.nodes, values: file.values, puts: file.puts)
    }

    /// The file's bytes.
    public var packed: [UInt8] {
        var writer = MessagePackWriter(capacity: 4096)
        writer.writeMapHeader(5)
        writer.write("v")
        writer.write(StateFile.version)
        writer.write("id")
        writer.write(id.bytes)
        writer.write("nodes")
        writer.writeArrayHeader(nodes.count)
        for node in nodes { writer.write(packed: node.packed) }
        writer.write("values")
        let keys = values.map(\.key).reduce(into: [InfoHash]()) { if $0.last != $1 { $0.append($1) } }
        writer.writeArrayHeader(keys.count)
        var rest = values[...]
        for key in keys {
            let here = rest.prefix { $0.key == key }
            rest = rest.dropFirst(here.count)
            writer.writeArrayHeader(2)
            writer.write(key.bytes)
            writer.write(Self.shelf(here))
        }
        writer.write("puts")
        writer.writeArrayHeader(puts.count)
        for put in puts {
            writer.writeArrayHeader(2)
            writer.write(put.key.bytes)
            put.value.write(to: &writer)
        }
        return writer.bytes
    }

    /// The values of one key: creation, value, source, end.
    private static func shelf(_ values: ArraySlice<StoredValue>) -> [UInt8] {
        var writer = MessagePackWriter(capacity: 1024)
        writer.writeArrayHeader(values.count)
        for stored in values {
            writer.writeArrayHeader(4)
            writer.write(timestamp: stored.created)
            stored.value.write(to: &writer)
            writer.write(stored.source.map { SocketAddress.encode(Endpoint($0, port: 0)) } ?? [])
            writer.write(timestamp: stored.expires)
        }
        return writer.bytes
    }
}

/// What was read of a file so far.
private struct StateFile {
    static let version = 1

    var id: NodeID?
    var nodes: [KnownNode] = []
    var values: [DHT.State.StoredValue] = []
    var puts: [DHT.State.PermanentPut] = []
    /// Values whose creation is told by a clock without origin.
    var untimed: [(key: InfoHash, value: Value, created: Int64)] = []

    @_lifetime(reader: copy reader)
    mutating func readEntry(from reader: inout MessagePackReader) throws(WireError) {
        guard try reader.peek() == .string else {
            try reader.skip()
            return try reader.skip()
        }
        let start = reader.offset
        switch try reader.readString() {
        case "v":
            guard try reader.readInteger() == Self.version else { throw .malformed(.stateVersion, at: start) }
        case "id": id = try reader.readHash(.state)
        case "nodes":
            for _ in 0..<(try reader.readArrayHeader()) { nodes.append(try KnownNode(from: &reader)) }
        case "values":
            for _ in 0..<(try reader.readArrayHeader()) { try readShelf(from: &reader) }
        case "puts":
            for _ in 0..<(try reader.readArrayHeader()) {
                guard try reader.readArrayHeader() == 2 else { throw .malformed(.state, at: start) }
                puts.append(.init(key: try reader.readHash(.state), value: try Value(from: &reader)))
            }
        default: try reader.skip()
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func readShelf(from reader: inout MessagePackReader) throws(WireError) {
        let start = reader.offset
        guard try reader.readArrayHeader() == 2 else { throw .malformed(.state, at: start) }
        let key = try reader.readHash(.state)
        var shelf = MessagePackReader(try reader.takeBinary())
        for _ in 0..<(try shelf.readArrayHeader()) {
            let count = try shelf.readArrayHeader()
            guard count == 2 || count >= 4 else { throw .malformed(.state, at: start) }
            if count == 2 { try readUntimed(at: key, from: &shelf) } else { try readTimed(at: key, from: &shelf) }
            for _ in 4..<max(4, count) { try shelf.skip() }
        }
    }

    /// Reads a value as releases 2 write it.
    @_lifetime(reader: copy reader)
    private mutating func readUntimed(at key: InfoHash, from reader: inout MessagePackReader) throws(WireError) {
        let created: Int64 = try reader.readInteger()
        if let value = try reader.readValueIfSound() { untimed.append((key, value, created)) }
    }

    /// Reads a value as releases 4 and this package write it.
    @_lifetime(reader: copy reader)
    private mutating func readTimed(at key: InfoHash, from reader: inout MessagePackReader) throws(WireError) {
        let created = try reader.readTimestamp()
        let value = try reader.readValueIfSound()
        let source = SocketAddress.decode(try reader.takeBinary())?.address
        let expires = try reader.readTimestamp()
        guard let value else { return }
        values.append(.init(key: key, value: value, created: created, expires: expires, source: source))
    }
}

extension Value {
    /// When the value vanishes, in nanoseconds since the Unix epoch.
    fileprivate func end(createdAt created: Int64) -> Int64 {
        let (end, overflow) = created.addingReportingOverflow(type.policy.lifetime.nanoseconds)
        return overflow ? .max : end
    }
}

extension MessagePackReader {
    /// Reads a value; `nil` for an object that is none.
    @_lifetime(self: copy self)
    fileprivate mutating func readValueIfSound() throws(WireError) -> Value? {
        var attempt = self
        try skip()
        return try? Value(from: &attempt)
    }
}
