package import SansIO
package import SecureChannel
package import SwiftDHT

/// The body of a call request or its reply: OpenDHT's `IceCandidates`, value type 5.
///
/// An array of two: a random identifier that the reply repeats, and both ICE descriptions back to back.
package struct CallRequest: Hashable, Sendable {
    /// Chosen by the caller; the reply carries the same.
    package let id: UInt64
    /// The UDP and the TCP description, each its own MessagePack message.
    package let descriptions: [UInt8]

    /// The largest blob of descriptions accepted: 64 candidates of 128 bytes.
    static let sizeLimit = 8192

    package init(id: UInt64, descriptions: [UInt8]) {
        self.id = id
        self.descriptions = descriptions
    }

    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(bytes.span)
        guard try reader.readArrayHeader() == 2 else { throw .malformed("call request", at: 0) }
        id = try reader.readInteger()
        descriptions = try reader.readBlob()
        guard descriptions.count <= Self.sizeLimit else { throw .overLimit("ice_data", limit: Self.sizeLimit) }
    }

    package var encoded: [UInt8] {
        var writer = MessagePackWriter(capacity: descriptions.count + 16)
        writer.writeArrayHeader(2)
        writer.write(id)
        writer.write(descriptions)
        return writer.bytes
    }

    /// Where requests for a device, and the replies to them, are put.
    package static func key(of device: ShortID) -> InfoHash { InfoHash(hashing: "callto:\(device)") }
}
