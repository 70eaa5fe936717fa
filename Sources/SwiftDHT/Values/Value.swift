public import SansIO

/// What the network stores under a key: an identifier, and content that is plain, signed or encrypted.
public struct Value: Hashable, Sendable {
    /// Tells the values of one key apart; random, 0 is not valid on the wire.
    public struct ID: RawRepresentable, Hashable, Comparable, Sendable {
        /// The number.
        public let rawValue: UInt64

        /// Wraps a number.
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        /// Wraps a number.
        public init(_ rawValue: UInt64) { self.rawValue = rawValue }

        /// Draws an identifier; never 0.
        public static func random(using random: inout RandomSource) -> ID { ID(max(1, random.next())) }

        /// Orders identifiers by number.
        public static func < (left: ID, right: ID) -> Bool { left.rawValue < right.rawValue }
    }

    /// What a value carries.
    public enum Content: Hashable, Sendable {
        /// Cypher text of a signed body; opaque to everyone but its recipient.
        case encrypted([UInt8])
        /// A readable body. Its signature is present exactly when the body names an owner.
        case plain(ValueBody, signature: [UInt8]?)
    }

    /// The identifier below the key.
    public var id: ID
    /// The sender's priority; 0 is normal and is not sent.
    public var priority: UInt32
    /// The kind of push notification that delivers the value (4.x), if any.
    public var pushType: String?
    /// What the value carries.
    public var content: Content

    /// Joins the parts of a value.
    public init(id: ID, content: Content, priority: UInt32 = 0, pushType: String? = nil) {
        self.id = id
        self.content = content
        self.priority = priority
        self.pushType = pushType
    }

    /// A plain, unsigned value of application data.
    public init(id: ID, data: [UInt8], type: ValueType = .userData, userType: String = "") {
        self.init(id: id, content: .plain(ValueBody(type: type, data: data, userType: userType), signature: nil))
    }

    /// The readable body; `nil` when the value is encrypted.
    public var body: ValueBody? {
        guard case .plain(let body, _) = content else { return nil }
        return body
    }

    /// The signature over the body; `nil` when there is none.
    public var signature: [UInt8]? {
        guard case .plain(_, let signature) = content else { return nil }
        return signature
    }

    /// The type for filters and policies; encrypted values count as ``ValueType/userData``.
    public var type: ValueType { body?.type ?? .userData }

    /// The key identifier of the owner; `nil` for unsigned and encrypted values.
    public var ownerID: InfoHash? { body?.owner.map { InfoHash(hashing: $0) } }

    /// The bytes that count for quotas.
    public var size: Int {
        let content =
            switch content {
            case .encrypted(let cypher): cypher.count
            case .plain(let body, let signature):
                body.data.count + body.userType.utf8.count + (signature?.count ?? 0)
            }
        return content + (pushType?.utf8.count ?? 0)
    }

    /// About how much memory the value takes, in bytes, which is what limits count.
    var footprint: Int { size + (body?.owner?.count ?? 0) + Self.overhead }

    /// What a value takes besides its bytes: its place in an array and in the tables of its keeper, rounded up.
    static let overhead = 256

    /// Whether both values say the same; priority and push type do not count.
    public func hasSameContent(as other: Value) -> Bool {
        guard id == other.id else { return false }
        switch (content, other.content) {
        case (.encrypted(let left), .encrypted(let right)): return left == right
        case (.plain(let left, let leftSignature), .plain(let right, let rightSignature)):
            return left.owner == right.owner && left.type == right.type && left.data == right.data
                && left.userType == right.userType && leftSignature == rightSignature
        default: return false
        }
    }
}
