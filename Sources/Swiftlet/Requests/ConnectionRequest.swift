package import SansIO
package import SecureChannel
package import SwiftDHT
package import SwiftICE

/// The body of a connection request or its answer, since 2020: a map whose keys stock peers name.
///
/// It travels as a value of type ``SwiftDHT/ValueType/userData`` and user type ``userType``, signed by the sending device
/// and encrypted for the receiving one, at a key of the *receiving* device.
package struct ConnectionRequest: Hashable, Sendable {
    /// The user type of the values that carry requests and answers; stock peers filter on it.
    package static let userType = "peer_request"

    /// Random numbers of stock requests lie in this range, as the readers of some do not hold larger ones.
    package static let identifiers: ClosedRange<UInt64> = 1...9_007_199_254_740_992

    /// Chosen by the requester, one of ``identifiers``; the answer carries the same.
    package var id: UInt64
    /// The sender's TCP session, one component.
    package var session: SwiftICE.SessionDescription
    /// Whether this answers a request.
    package var isAnswer: Bool
    /// Why a connection is wanted, such as `audioCall`; a hint for push services, empty in answers.
    package var connectionType: String
    /// What only nodes like this one say and understand.
    package var `extension`: Extension?

    /// What nodes like this one add for each other. Stock peers pass over its key, as over every key they do not know.
    package struct Extension: Hashable, Sendable {
        /// Which capabilities the sender has; each version has those of the earlier ones.
        package var version: UInt
        /// The sender's UDP session, to be raced against TCP.
        package var udp: SwiftICE.SessionDescription?

        package init(version: UInt, udp: SwiftICE.SessionDescription?) {
            self.version = version
            self.udp = udp
        }
    }

    /// The most bytes of a session's text: 64 candidates of 128 bytes.
    static let sessionLimit = 8192
    /// The most bytes of a connection type; stock peers write names of media types at the longest.
    static let connectionTypeLimit = 256

    package init(
        id: UInt64, session: SwiftICE.SessionDescription, isAnswer: Bool, connectionType: String = "",
        extension: Extension? = nil
    ) {
        self.id = id
        self.session = session
        self.isAnswer = isAnswer
        self.connectionType = connectionType
        self.extension = `extension`
    }

    /// Where a device of 13.7.0 and older listens: the SHA-1 of `peer:` and its short id in hexadecimal digits.
    package static func key(short: ShortID) -> InfoHash { InfoHash(hashing: "peer:\(short)") }

    /// Where a device of today's Jami listens: the SHA-1 of `peer:` and its long id in hexadecimal digits.
    package static func key(long: LongID) -> InfoHash { InfoHash(hashing: "peer:\(long)") }
}

extension ConnectionRequest {
    /// The names of the map's fields on the wire.
    private enum Key {
        static let id = "id"
        static let session = "ice_msg"
        static let isAnswer = "isAnswer"
        static let connectionType = "connType"
        static let `extension` = "swiftlet"
        static let version = "v"
        static let udp = "udp"
    }

    /// Reads the map in any order; unknown keys are passed over, and the connection type may be missing.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(bytes.span)
        var (id, session, isAnswer, connectionType) = (
            UInt64?.none, SwiftICE.SessionDescription?.none, Bool?.none, ""
        )
        var added: Extension?
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readString() {
            case Key.id: id = try reader.readInteger()
            case Key.session: session = try Self.readSession(&reader)
            case Key.isAnswer: isAnswer = try reader.readBoolean()
            case Key.connectionType:
                connectionType = try reader.readString(limit: Self.connectionTypeLimit, "connType")
            case Key.extension: added = try Self.readExtension(&reader)
            default: try reader.skip()
            }
        }
        guard let id else { throw .malformed("id", at: 0) }
        guard let session else { throw .malformed("ice_msg", at: 0) }
        guard let isAnswer else { throw .malformed("isAnswer", at: 0) }
        self.init(
            id: id, session: session, isAnswer: isAnswer, connectionType: connectionType, extension: added)
    }

    /// The map as stock peers write it, with the extension behind what they know.
    package var encoded: [UInt8] {
        var writer = MessagePackWriter(capacity: 512)
        writer.writeMapHeader(`extension` == nil ? 4 : 5)
        writer.write(Key.id)
        writer.write(id)
        writer.write(Key.session)
        writer.write(session.text)
        writer.write(Key.isAnswer)
        writer.write(isAnswer)
        writer.write(Key.connectionType)
        writer.write(connectionType)
        if let added = `extension` {
            writer.write(Key.extension)
            Self.write(added, to: &writer)
        }
        return writer.bytes
    }

    @_lifetime(reader: copy reader)
    private static func readSession(
        _ reader: inout MessagePackReader
    ) throws(WireError) -> SwiftICE.SessionDescription {
        try SwiftICE.SessionDescription(text: try reader.readString(limit: sessionLimit, "ice_msg"))
    }

    @_lifetime(reader: copy reader)
    private static func readExtension(_ reader: inout MessagePackReader) throws(WireError) -> Extension {
        let start = reader.offset
        var (version, udp) = (UInt?.none, SwiftICE.SessionDescription?.none)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readString() {
            case Key.version: version = try reader.readInteger()
            case Key.udp: udp = try readSession(&reader)
            default: try reader.skip()
            }
        }
        guard let version else { throw .malformed("swiftlet", at: start) }
        return Extension(version: version, udp: udp)
    }

    private static func write(_ added: Extension, to writer: inout MessagePackWriter) {
        writer.writeMapHeader(added.udp == nil ? 1 : 2)
        writer.write(Key.version)
        writer.write(added.version)
        if let udp = added.udp {
            writer.write(Key.udp)
            writer.write(udp.text)
        }
    }
}

extension MessagePackReader {
    /// Reads text of at most `limit` bytes.
    @_lifetime(self: copy self)
    mutating func readString(limit: Int, _ field: WireError.Field) throws(WireError) -> String {
        let text = try readString()
        guard text.utf8.count <= limit else { throw .overLimit(field, limit: limit) }
        return text
    }
}
