import SansIO
import SwiftDHT

extension FuzzTarget {
    /// MessagePack: what can be skipped can be walked, and what is walked can be written and skipped again.
    static let messagePack = FuzzTarget(name: "messagepack") { bytes throws(Finding) in
        var reader = MessagePackReader(bytes.span)
        guard (try? reader.skip()) != nil else { return }
        var walker = MessagePackReader(bytes.span)
        var writer = MessagePackWriter()
        guard (try? copy(&walker, to: &writer)) != nil else { throw Finding(fact: "what can be skipped can be walked") }
        try require(walker.offset == reader.offset, "skipping and walking end at the same byte")
        let copied = writer.bytes
        var again = MessagePackReader(copied.span)
        try require((try? again.skip()) != nil && again.isAtEnd, "what is written can be read")
    }

    /// Copies one object, however deep; what has no writer is copied as `false`, numbers in their shortest form.
    @_lifetime(reader: copy reader)
    private static func copy(_ reader: inout MessagePackReader, to writer: inout MessagePackWriter) throws(WireError) {
        switch try reader.peek() {
        case .array:
            let count = try reader.readArrayHeader()
            writer.writeArrayHeader(count)
            for _ in 0..<count { try copy(&reader, to: &writer) }
        case .map:
            let count = try reader.readMapHeader()
            writer.writeMapHeader(count)
            for _ in 0..<2 * count { try copy(&reader, to: &writer) }
        case .string: writer.write(String(decoding: [UInt8](try reader.takeString()), as: UTF8.self))
        case .binary: writer.write([UInt8](try reader.takeBinary()))
        case .boolean: writer.write(try reader.readBoolean())
        case .integer:
            let start = reader
            if let number: UInt64 = try? reader.readInteger() { return writer.write(number) }
            reader = start
            writer.write(try reader.readInteger(Int64.self))
        case .null, .floatingPoint, .extension:
            try reader.skip()
            writer.write(false)
        }
    }

    /// Datagrams of the DHT.
    static let dhtPacket = FuzzTarget(name: "dht-packet") { bytes throws(Finding) in
        guard let packet = try? Packet(decoding: bytes) else { return }
        let again = try? Packet(decoding: packet.encoded)
        var expected = packet
        // Pieces of values come without the agent, as those of other releases do.
        if case .fragments = packet.message { expected.agent = "" }
        try require(again == expected, "\(packet) survives, not as \(String(describing: again))")
    }

    /// State files, of OpenDHT's releases and our own.
    static let dhtState = FuzzTarget(name: "dht-state") { bytes throws(Finding) in
        let now: Int64 = 1_800_000_000_000_000_000
        guard let state = try? DHT.State(decoding: bytes, at: now) else { return }
        try require((try? DHT.State(decoding: state.packed, at: now)) == state, "\(state) survives")
        var node = DHT(id: state.id, clock: WallClock(epochOffset: now), random: .seeded(1))
        _ = node.restore(state, at: .zero)
        try require(node.state(at: .zero).values.count <= state.values.count, "nothing is made up")
    }

    /// Values, queries and remembered nodes of the DHT.
    static let dhtValue = FuzzTarget(name: "dht-value") { bytes throws(Finding) in
        if let value = try? Value(decoding: bytes) {
            try require((try? Value(decoding: value.packed)) == value, "\(value) survives")
            _ = value.size
        }
        if let query = try? ValueQuery(decoding: bytes) {
            try require((try? ValueQuery(decoding: query.packed)) == query, "\(query) survives")
        }
        if let node = try? KnownNode(decoding: bytes) {
            try require((try? KnownNode(decoding: node.packed)) == node, "\(node) survives")
        }
    }

    /// Datagrams of multicast discovery, to a parser and to a node that announces itself.
    static let dhtDiscovery = FuzzTarget(name: "dht-discovery") { bytes throws(Finding) in
        if let message = try? DiscoveryMessage(decoding: bytes) {
            try require((try? DiscoveryMessage(decoding: message.encoded)) == message, "\(message) survives")
        }
        let id = NodeID(hashing: "us")
        var machine = Discovery(id: id, ports: [.v4: 4222])
        _ = machine.start(at: .zero)
        let source = Endpoint(.v4(0xC000_0201), port: 8888)
        let effects = machine.receive(bytes.span, from: source, at: .zero)
        try require(effects.count == 1, "a datagram is answered, reported or refused, once")
        for case .found(let node) in effects {
            try require(node.id != id && node.endpoint.address == source.address, "\(node) is somebody at the source")
        }
        for case .send(_, let target) in effects { try require(target == source, "answers go to who asks") }
    }
}
