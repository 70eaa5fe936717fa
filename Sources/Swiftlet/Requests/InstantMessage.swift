package import SansIO

/// A text that travels through the DHT, or the word that one arrived: OpenDHT's `ImMessage`, value type 3.
///
/// Signed by the sending device, encrypted for the receiving one, at the receiving device's inbox. Stock peers write so
/// while they have no connection. Whoever takes a text answers, at its own inbox, with an empty one of the same
/// identifier for the sender.
package struct InstantMessage: Hashable, Sendable {
    /// Chosen by the sender; the confirmation repeats it.
    package var id: UInt64
    /// The text; empty in a confirmation.
    package var content: String
    /// When it was written, in seconds since 1970 (UTC).
    package var unixSeconds: Int64
    /// How far it came: 0 for a text, 1 for "is typing", 2 for received, 3 for read.
    package var status: UInt64
    /// The MIME type of the text; empty means `text/plain`.
    package var contentType: String
    /// What else the sender's client wrote, in the order of the keys.
    package var metadata: [Pair]

    /// One entry of the metadata.
    package struct Pair: Hashable, Sendable {
        package var key: String
        package var value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// The most bytes of a MIME type.
    static let contentTypeLimit = 256
    /// The most entries of the metadata.
    static let metadataLimit = 64

    package init(
        id: UInt64, content: String, unixSeconds: Int64, status: UInt64 = 0, contentType: String = "",
        metadata: [Pair] = []
    ) {
        self.id = id
        self.content = content
        self.unixSeconds = unixSeconds
        self.status = status
        self.contentType = contentType
        self.metadata = metadata
    }

    /// Whether it says that a text of the receiver arrived.
    package var isConfirmation: Bool { content.isEmpty }
}

extension InstantMessage {
    /// The names of the map's fields on the wire.
    private enum Key {
        static let id = "id"
        static let content = "msg"
        static let unixSeconds = "date"
        static let status = "status"
        static let contentType = "datatype"
        static let metadata = "metadatas"
    }

    /// Reads the map in any order; unknown keys are passed over, and missing ones leave their fields empty.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(bytes.span)
        self.init(id: 0, content: "", unixSeconds: 0)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readString() {
            case Key.id: id = try reader.readInteger()
            case Key.content: content = try reader.readString()
            case Key.unixSeconds: unixSeconds = try reader.readInteger()
            case Key.status: status = try reader.readInteger()
            case Key.contentType: contentType = try reader.readString(limit: Self.contentTypeLimit, "datatype")
            case Key.metadata: metadata = try Self.readMetadata(&reader)
            default: try reader.skip()
            }
        }
    }

    @_lifetime(reader: copy reader)
    private static func readMetadata(_ reader: inout MessagePackReader) throws(WireError) -> [Pair] {
        let count = try reader.readMapHeader()
        guard count <= metadataLimit else { throw .overLimit("metadatas", limit: metadataLimit) }
        var pairs: [Pair] = []
        for _ in 0..<count { pairs.append(Pair(key: try reader.readString(), value: try reader.readString())) }
        return pairs
    }

    /// The map as stock peers write it.
    package var encoded: [UInt8] {
        var writer = MessagePackWriter(capacity: content.utf8.count + 128)
        writer.writeMapHeader(6)
        writer.write(Key.id)
        writer.write(id)
        writer.write(Key.content)
        writer.write(content)
        writer.write(Key.unixSeconds)
        writer.write(unixSeconds)
        writer.write(Key.status)
        writer.write(status)
        writer.write(Key.contentType)
        writer.write(contentType)
        writer.write(Key.metadata)
        writer.writeMapHeader(metadata.count)
        for pair in metadata {
            writer.write(pair.key)
            writer.write(pair.value)
        }
        return writer.bytes
    }
}
