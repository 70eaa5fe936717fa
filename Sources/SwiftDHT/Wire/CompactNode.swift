package import SansIO

extension WireError.Field {
    static let nodes: Self = "nodes"
}

/// A node as search answers name it: identifier, address and port.
package struct CompactNode: Hashable, Sendable {
    package var id: NodeID
    package var endpoint: Endpoint

    /// How many nodes a receiver reads from one list; senders put in 8.
    static let countLimit = 64

    package init(id: NodeID, endpoint: Endpoint) {
        self.id = id
        self.endpoint = endpoint
    }

    /// Reads a list; one whose length is not a multiple of an entry's is refused as a whole.
    static func list(_ bytes: Span<UInt8>, family: IPAddress.Family) throws(WireError) -> [CompactNode] {
        let addressLength = family == .v4 ? 4 : 16
        let entry = InfoHash.byteCount + addressLength + 2
        guard bytes.count.isMultiple(of: entry) else { throw .malformed(.nodes, at: 0) }
        guard bytes.count / entry <= countLimit else { throw .overLimit(.nodes, limit: countLimit) }
        var reader = ByteReader(bytes)
        var nodes: [CompactNode] = []
        while !reader.isAtEnd {
            guard let id = InfoHash(try reader.take(InfoHash.byteCount)),
                let address = IPAddress(bytes: try reader.take(addressLength))
            else { throw .malformed(.nodes, at: reader.offset) }
            nodes.append(CompactNode(id: id, endpoint: Endpoint(address, port: try reader.read())))
        }
        return nodes
    }

    /// Writes a list of one family's nodes.
    static func bytes(of nodes: [CompactNode]) -> [UInt8] {
        var writer = ByteWriter(capacity: nodes.count * 38)
        for node in nodes {
            writer.write(node.id.bytes)
            writer.write(node.endpoint.address.bytes)
            writer.write(node.endpoint.port)
        }
        return writer.bytes
    }
}
