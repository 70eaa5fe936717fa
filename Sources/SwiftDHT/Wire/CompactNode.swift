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
        let entry = InfoHash.byteCount + family.byteCount + 2
        guard bytes.count.isMultiple(of: entry) else { throw .malformed(.nodes, at: 0) }
        guard bytes.count / entry <= countLimit else { throw .overLimit(.nodes, limit: countLimit) }
        var reader = ByteReader(bytes)
        var nodes: [CompactNode] = []
        nodes.reserveCapacity(bytes.count / entry)
        while !reader.isAtEnd {
            guard let id = InfoHash(try reader.take(InfoHash.byteCount)),
                let address = IPAddress(bytes: try reader.take(family.byteCount))
            else { throw .malformed(.nodes, at: reader.offset) }
            nodes.append(CompactNode(id: id, endpoint: Endpoint(address, port: try reader.read())))
        }
        return nodes
    }

    /// Writes a list of one family's nodes.
    static func write(_ nodes: [CompactNode], family: IPAddress.Family, to writer: inout MessagePackWriter) {
        let size = nodes.count * (InfoHash.byteCount + family.byteCount + 2)
        writer.writeBinaryHeader(size)
        // Room for nodes of either family, so that none that is out of place overruns it.
        writer.write(upTo: nodes.count * (InfoHash.byteCount + IPAddress.Family.v6.byteCount + 2)) { output in
            for index in nodes.indices {
                nodes[index].id.append(to: &output)
                nodes[index].endpoint.address.append(to: &output)
                output.append(bigEndian: nodes[index].endpoint.port)
            }
        }
    }
}

extension OutputSpan<UInt8> {
    /// Appends an address as `bin`: at most 18 bytes.
    @_lifetime(self: copy self)
    mutating func append(packed address: IPAddress) {
        append(0xC4)
        append(UInt8(address.family.byteCount))
        address.append(to: &self)
    }
}

extension IPAddress {
    @inline(__always)
    @_lifetime(output: copy output)
    fileprivate func append(to output: inout OutputSpan<UInt8>) {
        switch self {
        case .v4(let word): output.append(bigEndian: word)
        case .v6(let high, let low):
            output.append(bigEndian: high)
            output.append(bigEndian: low)
        }
    }
}

extension IPAddress.Family {
    fileprivate var byteCount: Int { self == .v4 ? 4 : 16 }
}
