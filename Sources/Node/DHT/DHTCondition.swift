import ArgumentParser
import SwiftDHT

/// A condition on values as people write it: `id=HEX`, `type=NUMBER`, `owner=ID` or `utype=TEXT`.
struct DHTCondition: ExpressibleByArgument {
    let condition: ValueQuery.Where

    init?(argument: String) {
        guard let mark = argument.firstIndex(of: "=") else { return nil }
        let text = argument[argument.index(after: mark)...]
        switch argument[..<mark] {
        case "id":
            guard let id = UInt64(text, radix: 16) else { return nil }
            condition = .id(Value.ID(id))
        case "type":
            guard let type = UInt16(text) else { return nil }
            condition = .type(ValueType(rawValue: type))
        case "owner":
            guard let owner = InfoHash(String(text)) else { return nil }
            condition = .owner(owner)
        case "utype": condition = .userType(Array(text.utf8))
        default: return nil
        }
    }

    /// Reads a condition, and says what is wrong with what is none.
    static func parse(_ argument: String) throws -> DHTCondition {
        guard let condition = DHTCondition(argument: argument) else { throw ValidationError(refusal(argument)) }
        return condition
    }

    static func refusal(_ argument: String) -> String {
        "'\(argument)' is no condition; use id=HEX, type=NUMBER, owner=40 HEX DIGITS or utype=TEXT"
    }
}

/// Which values a command is about.
struct DHTQueryOptions: ParsableArguments {
    @Option(
        name: .customLong("where"),
        help: ArgumentHelp(
            "Only values of which this holds: id=HEX, type=NUMBER, owner=ID or utype=TEXT; repeatable.",
            valueName: "condition"),
        transform: DHTCondition.parse)
    var conditions: [DHTCondition] = []

    @Option(
        help: ArgumentHelp(
            "Print only these facts of values, by the names of JSON events; repeatable. Of id, type, seq, owner and "
                + "utype, 'get' lets nodes send these alone, without proof of who signed.", valueName: "fact"))
    var select: [DHTReport.Field] = []

    var question: DHTQuestion { DHTQuestion(select: select, conditions: conditions.map(\.condition)) }
}
