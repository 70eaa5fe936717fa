package import SansIO

/// Which values of a key are asked for, and which of their fields.
public struct ValueQuery: Hashable, Sendable {
    /// A field that an answer can be reduced to.
    public enum Field: UInt8, Hashable, Comparable, Sendable, CaseIterable {
        /// The value's identifier.
        case id = 1
        /// The value's type.
        case type = 2
        /// The owner. Released readers drop rows with this column when a value is signed: do not select it.
        case owner = 3
        /// The sequence number.
        case sequence = 4
        /// The application's type.
        case userType = 5

        /// Orders fields as columns appear in answers.
        public static func < (left: Field, right: Field) -> Bool { left.rawValue < right.rawValue }
    }

    /// What a value must be to match.
    public enum Where: Hashable, Sendable {
        /// The value with this identifier.
        case id(Value.ID)
        /// Values of this type; encrypted ones count as ``ValueType/userData``.
        case type(ValueType)
        /// Values signed by the key with this identifier.
        case owner(InfoHash)
        /// Values of this application type, as UTF-8.
        case userType([UInt8])
    }

    /// How many entries the lists of a packed query may have, before duplicates are dropped.
    public static let sizeLimit = 4096
    /// How many different conditions a query may hold: each is checked for each value of a key, and two of one kind exclude
    /// each other.
    public static let conditionLimit = 16

    /// The fields to reduce answers to; empty asks for whole values.
    public var select: [Field]
    /// The conditions; all must hold.
    public var conditions: [Where]

    /// Joins selection and conditions.
    public init(select: [Field] = [], where conditions: [Where] = []) {
        self.select = select
        self.conditions = conditions
    }

    /// About how many bytes of memory the query takes.
    var footprint: Int {
        conditions.reduce(64) { sum, condition in
            if case .userType(let name) = condition { sum + 48 + name.count } else { sum + 48 }
        }
    }

    /// Every value, whole.
    public static let all = ValueQuery()

    /// Whether whole values found by `other` hold all that this asks for.
    func isAnswered(by other: ValueQuery) -> Bool { other.conditions.allSatisfy(conditions.contains) }

    /// Whether all conditions hold for `value`.
    public func matches(_ value: Value) -> Bool {
        conditions.allSatisfy { condition in
            switch condition {
            case .id(let id): value.id == id
            case .type(let type): value.type == type
            case .owner(let owner): (value.ownerID ?? .zero) == owner
            case .userType(let name): Array((value.body?.userType ?? "").utf8) == name
            }
        }
    }
}

extension ValueQuery {
    @_lifetime(reader: copy reader)
    init(from reader: inout MessagePackReader) throws(WireError) {
        let start = reader.offset
        var (select, conditions): ([Field]?, [Where]?) = (nil, nil)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case .client: select = try Self.readSelection(from: &reader)
            case .want: conditions = try Self.readConditions(from: &reader)
            default: try reader.skip()
            }
        }
        guard let select, let conditions else { throw .malformed(.query, at: start) }
        self.init(select: select, where: conditions)
    }

    /// Reads one packed query.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(bytes.span)
        try self.init(from: &reader)
    }

    @_lifetime(reader: copy reader)
    private static func readSelection(from reader: inout MessagePackReader) throws(WireError) -> [Field] {
        let count = try reader.readArrayHeader()
        guard count <= sizeLimit else { throw .overLimit(.query, limit: sizeLimit) }
        var fields: [Field] = []
        for _ in 0..<count {
            let start = reader.offset
            guard let field = Field(rawValue: try reader.readInteger()) else { throw .malformed(.query, at: start) }
            if !fields.contains(field) { fields.append(field) }
        }
        return fields
    }

    @_lifetime(reader: copy reader)
    private static func readConditions(from reader: inout MessagePackReader) throws(WireError) -> [Where] {
        let count = try reader.readArrayHeader()
        guard count <= sizeLimit else { throw .overLimit(.query, limit: sizeLimit) }
        var conditions: [Where] = []
        for _ in 0..<count {
            let condition = try readCondition(from: &reader)
            guard !conditions.contains(condition) else { continue }
            guard conditions.count < conditionLimit else { throw .overLimit(.query, limit: conditionLimit) }
            conditions.append(condition)
        }
        return conditions
    }

    /// Reads `{f, v}` in either order: the kind of `v` follows from `f`, so `v` is read by its own kind first.
    @_lifetime(reader: copy reader)
    private static func readCondition(from reader: inout MessagePackReader) throws(WireError) -> Where {
        let start = reader.offset
        var (field, number, bytes): (Field?, UInt64?, [UInt8]?) = (nil, nil, nil)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case .field: field = Field(rawValue: try reader.readInteger())
            case .agent:
                if try reader.peek() == .integer {
                    number = try reader.readInteger()
                } else {
                    bytes = try reader.readBlob()
                }
            default: try reader.skip()
            }
        }
        switch (field, number, bytes) {
        case (.id, let number?, _): return .id(Value.ID(number))
        case (.type, let number?, _):
            if let type = UInt16(exactly: number) { return .type(ValueType(rawValue: type)) }
        case (.owner, _, let bytes?):
            if let owner = InfoHash(bytes: bytes) { return .owner(owner) }
        case (.userType, _, let bytes?): return .userType(bytes)
        default: break
        }
        throw .malformed(.query, at: start)
    }

    /// The packed query.
    package var packed: [UInt8] {
        var writer = MessagePackWriter()
        write(to: &writer)
        return writer.bytes
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHeader(2)
        writer.write(Key.client)
        writer.writeArrayHeader(select.count)
        for field in select { writer.write(field.rawValue) }
        writer.write(Key.want)
        writer.writeArrayHeader(conditions.count)
        for condition in conditions { condition.write(to: &writer) }
    }
}

extension ValueQuery.Where {
    fileprivate func write(to writer: inout MessagePackWriter) {
        writer.writeMapHeader(2)
        writer.write(Key.field)
        switch self {
        case .id(let id):
            writer.write(ValueQuery.Field.id.rawValue)
            writer.write(Key.agent)
            writer.write(id.rawValue)
        case .type(let type):
            writer.write(ValueQuery.Field.type.rawValue)
            writer.write(Key.agent)
            writer.write(type.rawValue)
        case .owner(let owner):
            writer.write(ValueQuery.Field.owner.rawValue)
            writer.write(Key.agent)
            owner.write(to: &writer)
        case .userType(let name):
            writer.write(ValueQuery.Field.userType.rawValue)
            writer.write(Key.agent)
            writer.write(name)
        }
    }
}
