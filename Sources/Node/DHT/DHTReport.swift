import ArgumentParser
import SansIO
import SwiftDHT
import Swiftlet

/// Prints what a lone node of the DHT finds and does.
struct DHTReport: Sendable {
    /// A fact of a value.
    enum Field: String, CaseIterable, ExpressibleByArgument, Sendable {
        case id, type, kind, size, seq, owner, to, utype, data, text

        /// The same as nodes can be asked for it; `nil` for what only a value itself tells.
        var queried: ValueQuery.Field? {
            switch self {
            case .id: .id
            case .type: .type
            case .seq: .sequence
            case .owner: .owner
            case .utype: .userType
            case .kind, .size, .to, .data, .text: nil
            }
        }
    }

    let printer: Printer
    /// The facts of values that are printed; empty for all.
    var fields: [Field] = []

    /// Prints a value; `opened` is what an encrypted one says.
    func value(_ value: Value, opened: ValueBody? = nil, operation: Int? = nil) {
        let facts = Self.facts(of: value, opened: opened).filter { fields.isEmpty || fields.contains($0.field) }
        let line = fields.isEmpty ? Self.line(of: value, opened: opened) : Self.line(of: facts)
        event("value", facts.map { ($0.field.rawValue, $0.fact) }, line: line, operation: operation)
    }

    /// Prints what nodes tell of a value.
    func row(_ row: FieldRow, operation: Int? = nil) {
        let facts = Self.facts(of: row)
        event("value", facts.map { ($0.field.rawValue, $0.fact) }, line: Self.line(of: facts), operation: operation)
    }

    func expired(_ id: Value.ID, operation: Int? = nil) {
        event("expired", [("id", .text(Self.hex(id)))], line: "expired \(Self.hex(id))", operation: operation)
    }

    func finished(nodes: Int, line: String? = nil, operation: Int? = nil) {
        event("finished", [("nodes", .integer(nodes))], line: line, operation: operation)
    }

    func event(_ name: String, _ facts: [(String, Printer.Fact)], line: String?, operation: Int? = nil) {
        let number: [(String, Printer.Fact)] = operation.map { [("operation", .integer($0))] } ?? []
        printer.event(name, number + facts, line: line.map { line in operation.map { "[\($0)] \(line)" } ?? line })
    }

    static func hex(_ id: Value.ID) -> String { String(id.rawValue, radix: 16) }

    private static func facts(of value: Value, opened: ValueBody?) -> [(field: Field, fact: Printer.Fact)] {
        let body = opened ?? value.body
        let data = data(of: value, opened: opened)
        var facts: [(field: Field, fact: Printer.Fact)] = [
            (.id, .text(hex(value.id))), (.type, .integer(Int((body?.type ?? value.type).rawValue))),
            (.kind, .text(kind(of: value, opened: opened))), (.size, .integer(data.count)),
        ]
        if let body, let owner = body.owner {
            facts.append((.seq, .integer(Int(body.sequence))))
            facts.append((.owner, .text(InfoHash(hashing: owner).description)))
        }
        if let recipient = body?.recipient { facts.append((.to, .text(recipient.description))) }
        if let body, !body.userType.isEmpty { facts.append((.utype, .text(body.userType))) }
        facts.append((.data, .text(Hexadecimal.encode(data))))
        if let text = String(validating: data, as: UTF8.self) { facts.append((.text, .text(text))) }
        return facts
    }

    private static func facts(of row: FieldRow) -> [(field: Field, fact: Printer.Fact)] {
        var facts: [(field: Field, fact: Printer.Fact)] = []
        if let id = row.id { facts.append((.id, .text(hex(id)))) }
        if let type = row.type { facts.append((.type, .integer(Int(type.rawValue)))) }
        if let sequence = row.sequence { facts.append((.seq, .integer(Int(sequence)))) }
        // Zeros stand for nobody.
        if let owner = row.owner, owner.contains(where: { $0 != 0 }) {
            facts.append((.owner, .text(InfoHash(hashing: owner).description)))
        }
        if let userType = row.userType, !userType.isEmpty { facts.append((.utype, .text(userType))) }
        return facts
    }

    private static func line(of facts: [(field: Field, fact: Printer.Fact)]) -> String {
        facts.map { "\($0.field.rawValue)=\(shown($0.fact))" }.joined(separator: " ")
    }

    private static func line(of value: Value, opened: ValueBody?) -> String {
        let data = data(of: value, opened: opened)
        let shown = String(validating: data, as: UTF8.self).map(Printer.printable) ?? Hexadecimal.encode(data)
        let type = (opened?.type ?? value.type).rawValue
        return "\(hex(value.id)) \(kind(of: value, opened: opened)) \(type) \(shown)"
    }

    private static func kind(of value: Value, opened: ValueBody?) -> String {
        if opened != nil { return "decrypted" }
        return switch value.content {
        case .encrypted: "encrypted"
        case .plain(_, let signature): signature == nil ? "plain" : "signed"
        }
    }

    private static func data(of value: Value, opened: ValueBody?) -> [UInt8] {
        if let opened { return opened.data }
        return switch value.content {
        case .encrypted(let cypher): cypher
        case .plain(let body, _): body.data
        }
    }

    private static func shown(_ fact: Printer.Fact) -> String {
        switch fact {
        case .text(let text): Printer.printable(text)
        case .integer(let number): String(number)
        case .number(let number): String(number)
        case .flag(let flag): String(flag)
        }
    }
}

extension IPAddress.Family {
    /// The name in events.
    var name: String { self == .v4 ? "IPv4" : "IPv6" }
}
