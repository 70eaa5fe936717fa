package import SansIO
package import SecureChannel
package import SwiftDHT

/// The body of a contact request, or of the confirmation that answers one: OpenDHT's `TrustRequest`, value type 4.
///
/// Signed by the sending device, encrypted for the receiving one, at the receiving device's inbox.
package struct TrustRequest: Hashable, Sendable {
    /// The service of every Jami request.
    package static let jami = "cx.ring"

    /// What the contact is for: ``jami``.
    package var service: String
    /// The conversation the contact is invited to; empty from peers without conversations.
    package var conversationID: String
    /// The sender's profile: a vCard, in some clients one part of a MIME message.
    package var payload: [UInt8]
    /// Whether this confirms a request of the receiver.
    package var isConfirmation: Bool
    /// When the sender was invited, in milliseconds since 1970 (UTC); absent from peers before 2026.
    package var invitedMilliseconds: Int64?

    /// The most bytes of the service and of the conversation.
    static let nameLimit = 256
    /// The most bytes of a profile: the largest value of the DHT.
    static let payloadLimit = ValueType.sizeLimit

    package init(
        service: String = jami, conversationID: String = "", payload: [UInt8] = [], isConfirmation: Bool = false,
        invitedMilliseconds: Int64? = nil
    ) {
        self.service = service
        self.conversationID = conversationID
        self.payload = payload
        self.isConfirmation = isConfirmation
        self.invitedMilliseconds = invitedMilliseconds
    }

    /// The inbox of a device: the SHA-1 of `inbox:` and its short id in hexadecimal digits, in every era.
    package static func inbox(of device: ShortID) -> InfoHash { InfoHash(hashing: "inbox:\(device)") }
}

extension TrustRequest {
    /// The names of the map's fields on the wire.
    private enum Key {
        static let service = "service"
        static let conversationID = "conversationId"
        static let payload = "payload"
        static let isConfirmation = "confirm"
        static let invitedMilliseconds = "invitedMs"
    }

    /// Reads the map in any order; unknown keys are passed over, and missing ones leave their fields empty.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(bytes.span)
        self.init(service: "")
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readString() {
            case Key.service: service = try reader.readString(limit: Self.nameLimit, "service")
            case Key.conversationID: conversationID = try reader.readString(limit: Self.nameLimit, "conversationId")
            case Key.payload: payload = try reader.readBlob()
            case Key.isConfirmation: isConfirmation = try reader.readBoolean()
            case Key.invitedMilliseconds: invitedMilliseconds = try reader.readInteger()
            default: try reader.skip()
            }
        }
        guard payload.count <= Self.payloadLimit else { throw .overLimit("payload", limit: Self.payloadLimit) }
    }

    /// The map as stock peers write it.
    package var encoded: [UInt8] {
        var writer = MessagePackWriter(capacity: payload.count + 128)
        writer.writeMapHeader(invitedMilliseconds == nil ? 4 : 5)
        writer.write(Key.service)
        writer.write(service)
        writer.write(Key.conversationID)
        writer.write(conversationID)
        writer.write(Key.payload)
        writer.write(payload)
        writer.write(Key.isConfirmation)
        writer.write(isConfirmation)
        if let invitedMilliseconds {
            writer.write(Key.invitedMilliseconds)
            writer.write(invitedMilliseconds)
        }
        return writer.bytes
    }
}
