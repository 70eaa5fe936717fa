package import SansIO

extension WireError.Field {
    static let announcement: Self = "announcement"
}

/// What nodes say to each other over multicast, as released implementations do.
package enum DiscoveryMessage: Hashable, Sendable {
    /// Whoever hears it is to announce itself: the text `q`.
    case query
    /// A node is here: the map `{"dht": [identifier, port, network]}`. Its address is the datagram's.
    case announcement(Announcement)

    /// A node that is here.
    package struct Announcement: Hashable, Sendable {
        package var id: NodeID
        /// The UDP port of the node; the datagram comes from another one.
        package var port: UInt16
        package var network: UInt32

        package init(id: NodeID, port: UInt16, network: UInt32) {
            self.id = id
            self.port = port
            self.network = network
        }
    }

    /// The longest datagram that is read: other services may announce themselves in the same map.
    package static let sizeLimit = 4096

    /// Reads a datagram. Services other than `dht` are skipped.
    package init(_ datagram: Span<UInt8>) throws(WireError) {
        guard datagram.count <= Self.sizeLimit else { throw .overLimit(.announcement, limit: Self.sizeLimit) }
        var reader = MessagePackReader(datagram)
        if try reader.peek() == .string {
            guard Key(try reader.takeString()) == .query else { throw .malformed(.announcement, at: 0) }
            self = .query
            return
        }
        var announcement: Announcement?
        for _ in 0..<(try reader.readMapHeader()) {
            if try reader.readKey() == .discovery {
                announcement = try Announcement(from: &reader)
            } else {
                try reader.skip()
            }
        }
        guard let announcement else { throw .malformed(.announcement, at: 0) }
        self = .announcement(announcement)
    }

    /// Reads a datagram.
    package init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }

    /// The datagram.
    package var encoded: [UInt8] {
        var writer = MessagePackWriter(capacity: 40)
        switch self {
        case .query: writer.write("q")
        case .announcement(let announcement):
            writer.writeMapHeader(1)
            writer.write("dht")
            writer.writeArrayHeader(3)
            writer.write(announcement.id.bytes)
            writer.write(announcement.port)
            writer.write(announcement.network)
        }
        return writer.bytes
    }
}

extension DiscoveryMessage.Announcement {
    @_lifetime(reader: copy reader)
    fileprivate init(from reader: inout MessagePackReader) throws(WireError) {
        let start = reader.offset
        let count = try reader.readArrayHeader()
        guard count >= 3 else { throw .malformed(.announcement, at: start) }
        let id = try reader.readHash(.sender)
        self.init(id: id, port: try reader.readInteger(), network: try reader.readInteger())
        // Later releases may say more.
        for _ in 3..<count { try reader.skip() }
    }
}
