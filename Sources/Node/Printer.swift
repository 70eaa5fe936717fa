import Foundation
import Synchronization

/// Prints what happens: one JSON object a line for programs, or one short line for people.
struct Printer: Sendable {
    /// One fact of an event.
    enum Fact: Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
        ExpressibleByBooleanLiteral
    {
        case text(String)
        case integer(Int)
        case number(Double)
        case flag(Bool)

        init(stringLiteral value: String) { self = .text(value) }
        init(integerLiteral value: Int) { self = .integer(value) }
        init(floatLiteral value: Double) { self = .number(value) }
        init(booleanLiteral value: Bool) { self = .flag(value) }
    }

    let isJSON: Bool

    /// Seconds on the machine's monotonic clock, so that processes of one machine can be compared.
    static var now: Double {
        var time = timespec()
        // The variable lives across the call.
        unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Prints an event; `line` is what people read, `nil` where they need not.
    func event(_ name: String, _ facts: [(String, Fact)] = [], line: String? = nil) {
        guard isJSON else {
            if let line { Self.write(line, to: FileHandle.standardOutput) }
            return
        }
        var fields = ["\"t\":\(String(format: "%.6f", Self.now))", "\"event\":\(Self.quote(name))"]
        fields += facts.map { "\(Self.quote($0)):\(Self.json($1))" }
        Self.write("{" + fields.joined(separator: ",") + "}", to: FileHandle.standardOutput)
    }

    /// Tells a person, on standard error, what is being waited for or what went wrong.
    func note(_ line: String) { Self.write("swiftlet: \(line)", to: FileHandle.standardError) }

    /// Control characters of peers must not reach the terminal.
    static func printable(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
    }

    private static func write(_ line: String, to file: FileHandle) {
        // A closed pipe must not keep a call from ending in order.
        try? file.write(contentsOf: Data((line + "\n").utf8))
    }

    private static func json(_ fact: Fact) -> String {
        switch fact {
        case .text(let text): quote(text)
        case .integer(let number): String(number)
        case .number(let number): number.isFinite ? String(format: "%.3f", number) : "null"
        case .flag(let flag): flag ? "true" : "false"
        }
    }

    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20: quoted += String(format: "\\u%04x", scalar.value)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
