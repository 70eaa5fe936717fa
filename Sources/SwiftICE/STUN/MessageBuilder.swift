internal import Digests
internal import SansIO

/// Writes a STUN message attribute by attribute; integrity and fingerprint come last, in that order.
public struct MessageBuilder: Sendable {
    /// The message's transaction.
    public let transaction: TransactionID
    private var writer = ByteWriter(capacity: 128)

    /// Starts a message.
    public init(_ messageClass: MessageType.Class, _ method: MessageType.Method, _ transaction: TransactionID) {
        self.init(MessageType(messageClass, method), transaction)
    }

    /// Starts a message of a type.
    public init(_ type: MessageType, _ transaction: TransactionID) {
        self.transaction = transaction
        writer.write(type.rawValue)
        writer.write(UInt16(0))
        writer.write(Message.cookie)
        writer.write(transaction.high)
        writer.write(transaction.low)
    }

    /// Adds an attribute; of values too long for a message the end is cut off.
    ///
    /// - Parameter padding: the byte that fills up to four; anything but 0 serves to repeat a message byte for byte.
    public mutating func add(_ attribute: Attribute, padding: UInt8 = 0) {
        let room = Message.lengthLimit - 64 - writer.count
        guard room >= 4 else { return }
        let value = attribute.value(for: transaction).prefix(room)
        writer.write(attribute.type.rawValue)
        writer.write(UInt16(value.count))
        writer.write(value)
        writer.write(repeating: padding, count: (4 - value.count % 4) % 4)
    }

    /// Adds MESSAGE-INTEGRITY over what was written (RFC 8489 §14.5).
    public mutating func addIntegrity(_ key: IntegrityKey) {
        let code = key.sha1.code(over: Message.covered(writer.bytes[...], growing: 24))
        add(.unknown(.messageIntegrity, code))
    }

    /// Adds MESSAGE-INTEGRITY-SHA256 over what was written (RFC 8489 §14.6).
    ///
    /// - Parameter count: the bytes kept of the value, 16 to 32 in steps of four.
    public mutating func addIntegritySHA256(_ key: IntegrityKey, count: Int = 32) {
        let count = min(max(count, 16), 32) / 4 * 4
        let code = key.sha256.code(over: Message.covered(writer.bytes[...], growing: 4 + count))
        add(.unknown(.messageIntegritySHA256, Array(code.prefix(count))))
    }

    /// Ends the message with FINGERPRINT (RFC 8489 §14.7) and returns it.
    public consuming func finishedWithFingerprint() -> [UInt8] {
        let code = Message.fingerprint(of: writer.bytes[...])
        add(.unknown(.fingerprint, (0..<4).map { UInt8(truncatingIfNeeded: code >> UInt32(24 - 8 * $0)) }))
        return finished()
    }

    /// Ends the message and returns it.
    public consuming func finished() -> [UInt8] {
        writer.overwrite(UInt16(writer.count - Message.headerLength), at: 2)
        return writer.bytes
    }
}
