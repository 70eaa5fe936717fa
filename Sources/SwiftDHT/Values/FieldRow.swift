/// The fields of one value that a query selected.
public struct FieldRow: Hashable, Sendable {
    /// The value's identifier.
    public var id: Value.ID?
    /// The value's type.
    public var type: ValueType?
    /// The owner's DER SubjectPublicKeyInfo, or 20 zero bytes when there is none.
    public var owner: [UInt8]?
    /// The sequence number; 0 for unsigned values.
    public var sequence: UInt16?
    /// The application's type; empty when there is none.
    public var userType: String?

    /// Starts without fields.
    public init() {}

    /// Whether all of `fields` are there.
    func has(_ fields: [ValueQuery.Field]) -> Bool {
        fields.allSatisfy { field in
            switch field {
            case .id: id != nil
            case .type: type != nil
            case .owner: owner != nil
            case .sequence: sequence != nil
            case .userType: userType != nil
            }
        }
    }

    /// Reads one cell; a cell of another kind than its column is left out.
    fileprivate mutating func set(_ field: ValueQuery.Field, to cell: FieldTable.Cell) {
        switch (field, cell) {
        case (.id, .number(let number)): id = Value.ID(number)
        case (.type, .number(let number)): type = UInt16(exactly: number).map(ValueType.init(rawValue:))
        case (.owner, .bytes(let bytes)): owner = bytes
        case (.sequence, .number(let number)): sequence = UInt16(exactly: number)
        case (.userType, .text(let text)): userType = text
        default: break
        }
    }
}

extension FieldTable {
    /// One row a value.
    var rows: [FieldRow] {
        stride(from: 0, to: cells.count - cells.count % fields.count, by: fields.count).map { start in
            var row = FieldRow()
            for (column, field) in fields.enumerated() { row.set(field, to: cells[start + column]) }
            return row
        }
    }
}
