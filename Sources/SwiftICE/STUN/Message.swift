internal import Digests
public import SansIO

extension WireError.Field {
    static let messageType: Self = "message type"
    static let messageLength: Self = "message length"
    static let cookie: Self = "cookie"
    static let fingerprint: Self = "FINGERPRINT"
    static let integrity: Self = "MESSAGE-INTEGRITY"
}

/// A STUN message as it arrived (RFC 8489 §5): its bytes, and where in them each attribute lies.
///
/// Reading copies the bytes once and makes one index; attributes are given meaning only when asked for.
public struct Message: Hashable, Sendable {
    /// Where one attribute lies.
    private struct Entry: Hashable {
        let type: AttributeType
        /// The offset of the attribute's header.
        let offset: Int
        let count: Int
        /// Whether it precedes the integrity that covers it (RFC 8489 §14.5).
        let counts: Bool

        var value: Range<Int> { offset + 4..<offset + 4 + count }
    }

    /// The word that tells STUN from everything else.
    public static let cookie: UInt32 = 0x2112_A442
    /// The bytes before the first attribute.
    public static let headerLength = 20
    /// The most bytes a message may have; larger ones are refused.
    public static let lengthLimit = 65_535

    /// The message as it stands on the wire.
    public let bytes: [UInt8]
    /// Class and method.
    public let type: MessageType
    /// What ties responses to requests.
    public let transaction: TransactionID
    private let entries: [Entry]

    /// Reads a whole message; its FINGERPRINT, if there is one, must be last and right.
    public init(_ span: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(span)
        let type: UInt16 = try reader.read()
        guard type >> 14 == 0 else { throw .malformed(.messageType, at: 0) }
        let length: UInt16 = try reader.read()
        guard length.isMultiple(of: 4), Int(length) + Self.headerLength == span.count else {
            throw .malformed(.messageLength, at: 2)
        }
        guard try reader.read(UInt32.self) == Self.cookie else { throw .malformed(.cookie, at: 4) }
        self.type = MessageType(rawValue: type)
        transaction = TransactionID(high: try reader.read(), low: try reader.read())
        entries = try Self.index(&reader)
        bytes = [UInt8](span)
        try checkFingerprint()
    }

    /// Reads a whole message from an array.
    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(bytes.span) }

    private static func index(_ reader: inout ByteReader) throws(WireError) -> [Entry] {
        var entries: [Entry] = []
        entries.reserveCapacity(8)
        var protection: AttributeType?
        while !reader.isAtEnd {
            let offset = reader.offset
            let type = AttributeType(rawValue: try reader.read())
            let count = Int(try reader.read(UInt16.self))
            try reader.skip(count + (4 - count % 4) % 4)
            let counts =
                switch (protection, type) {
                case (nil, _), (_, .fingerprint), (.messageIntegrity, .messageIntegritySHA256): true
                default: false
                }
            entries.append(Entry(type: type, offset: offset, count: count, counts: counts))
            if counts, type == .messageIntegrity || type == .messageIntegritySHA256 { protection = type }
        }
        return entries
    }

    private func checkFingerprint() throws(WireError) {
        guard let entry = entries.first(where: { $0.type == .fingerprint }) else { return }
        var reader = ByteReader(bytes.span.extracting(entry.value))
        guard entry.offset + 8 == bytes.count, entry.count == 4,
            try reader.read() == Self.fingerprint(of: bytes[..<entry.offset])
        else { throw .malformed(.fingerprint, at: entry.offset) }
    }

    /// The value of FINGERPRINT behind `head`, whose length field is replaced (RFC 8489 §14.7).
    static func fingerprint(of head: ArraySlice<UInt8>) -> UInt32 {
        CyclicRedundancyCheck.crc32(covered(head, growing: 8)) ^ 0x5354_554E
    }

    /// The bytes that an attribute of `growth` bytes, header included, protects when it follows `head`.
    static func covered(_ head: ArraySlice<UInt8>, growing growth: Int) -> [UInt8] {
        var bytes = Array(head)
        let length = bytes.count - headerLength + growth
        bytes[2] = UInt8(truncatingIfNeeded: length >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: length)
        return bytes
    }

    /// Whether bytes look like STUN as of RFC 8489 §5: top bits, length and cookie agree with the count.
    public static func isSTUN(_ bytes: Span<UInt8>) -> Bool {
        var reader = ByteReader(bytes)
        guard let type: UInt16 = try? reader.read(), type >> 14 == 0, let length: UInt16 = try? reader.read(),
            length.isMultiple(of: 4), Int(length) + headerLength == bytes.count,
            let word: UInt32 = try? reader.read()
        else { return false }
        return word == cookie
    }
}

extension Message {
    /// Every attribute in order, even those that do not count.
    public var allAttributes: [Attribute] { entries.map(attribute) }

    /// The attributes that count: the first of each type, and none behind the integrity but what may stand there.
    public var attributes: [Attribute] {
        var seen: Set<AttributeType> = []
        return entries.filter { $0.counts && (seen.insert($0.type).inserted || $0.type == .xorPeerAddress) }
            .map(attribute)
    }

    /// The first attribute of a type, if it counts.
    public func first(_ type: AttributeType) -> Attribute? {
        entries.first { $0.counts && $0.type == type }.map(attribute)
    }

    /// Every attribute of a type that counts, where a type may come more than once.
    public func all(_ type: AttributeType) -> [Attribute] {
        entries.filter { $0.counts && $0.type == type }.map(attribute)
    }

    /// Whether an attribute is there and counts.
    public func has(_ type: AttributeType) -> Bool { entries.contains { $0.counts && $0.type == type } }

    /// Whether the message ends with a FINGERPRINT, which then is right.
    public var hasFingerprint: Bool { has(.fingerprint) }

    /// Whether any integrity attribute is there.
    public var hasIntegrity: Bool { has(.messageIntegrity) || has(.messageIntegritySHA256) }

    /// The types that must be understood but are not among `known`; in order, each once.
    public func unknownAttributes(knowing known: Set<AttributeType>) -> [AttributeType] {
        var found: [AttributeType] = []
        for entry in entries where entry.counts && entry.type.mustBeUnderstood && !known.contains(entry.type) {
            if !found.contains(entry.type) { found.append(entry.type) }
        }
        return found
    }

    private func attribute(_ entry: Entry) -> Attribute {
        Attribute(entry.type, value: bytes.span.extracting(entry.value), transaction: transaction)
    }

    /// Whether the strongest integrity attribute holds under `key`; `false` without any.
    ///
    /// With both kinds present the SHA-256 one decides (RFC 8489 §9.1.3).
    ///
    /// - Parameter allowingTruncation: whether a SHA-256 value of fewer than 32 bytes is good enough; never fewer than 16.
    public func isAuthentic(under key: IntegrityKey, allowingTruncation: Bool = false) -> Bool {
        if let entry = entries.first(where: { $0.counts && $0.type == .messageIntegritySHA256 }) {
            let whole = entry.count == 32
            guard whole || (allowingTruncation && (16..<32).contains(entry.count) && entry.count.isMultiple(of: 4))
            else { return false }
            let code = key.sha256.code(over: Self.covered(bytes[..<entry.offset], growing: 4 + entry.count))
            return MessageAuthentication.isEqual(Array(code.prefix(entry.count)), Array(bytes[entry.value]))
        }
        guard let entry = entries.first(where: { $0.counts && $0.type == .messageIntegrity }), entry.count == 20
        else { return false }
        let code = key.sha1.code(over: Self.covered(bytes[..<entry.offset], growing: 24))
        return MessageAuthentication.isEqual(code, Array(bytes[entry.value]))
    }
}
