internal import SansIO

/// The answer to a query with a selection: one row of fields per matching value.
package struct FieldTable: Hashable, Sendable {
    /// One cell.
    package enum Cell: Hashable, Sendable {
        case number(UInt64)
        case bytes([UInt8])
        case text(String)
    }

    /// The columns, ascending.
    package var fields: [ValueQuery.Field]
    /// The cells, row after row.
    package var cells: [Cell]

    /// The rows of `values` reduced to `fields`.
    init(selecting fields: [ValueQuery.Field], of values: [Value]) {
        self.fields = fields.sorted()
        cells = []
        for value in values {
            for field in self.fields { cells.append(Cell(field, of: value)) }
        }
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout MessagePackReader) throws(WireError) {
        (fields, cells) = ([], [])
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case .field:
                for _ in 0..<(try reader.readArrayHeader()) {
                    let start = reader.offset
                    guard let field = ValueQuery.Field(rawValue: try reader.readInteger()) else {
                        throw .malformed(.query, at: start)
                    }
                    fields.append(field)
                }
            case .agent:
                for _ in 0..<(try reader.readArrayHeader()) { cells.append(try Cell(from: &reader)) }
            default: try reader.skip()
            }
        }
        guard !fields.isEmpty, cells.count.isMultiple(of: fields.count) else { throw .malformed(.query, at: 0) }
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHeader(2)
        writer.write(Key.field)
        writer.writeArrayHeader(fields.count)
        for field in fields { writer.write(field.rawValue) }
        writer.write(Key.agent)
        writer.writeArrayHeader(cells.count)
        for cell in cells {
            switch cell {
            case .number(let number): writer.write(number)
            case .bytes(let bytes): writer.write(bytes)
            case .text(let text): writer.write(text)
            }
        }
    }
}

extension FieldTable.Cell {
    init(_ field: ValueQuery.Field, of value: Value) {
        self =
            switch field {
            case .id: .number(value.id.rawValue)
            case .type: .number(UInt64(value.type.rawValue))
            case .owner: .bytes(value.body?.owner ?? InfoHash.zero.bytes)
            case .sequence: .number(UInt64(value.body?.sequence ?? 0))
            case .userType: .text(value.body?.userType ?? "")
            }
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout MessagePackReader) throws(WireError) {
        self =
            switch try reader.peek() {
            case .integer: .number(try reader.readInteger())
            case .string: .text(try reader.readString())
            default: .bytes(try reader.readBlob())
            }
    }
}
