import EventLoop
import Foundation
import SansIO

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
    static var now: Double { Instant.zero.duration(to: EventLoop.now).seconds }

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

    /// Whether a person sees standard error.
    static var hasTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Shows a line at the end of the terminal until it is replaced or anything else is printed; `nil` takes it away.
    func status(_ line: String?) {
        guard !isJSON, Self.hasTerminal else { return }
        Self.statusIsShown.with { isShown in
            guard isShown || line != nil else { return }
            Self.put(Self.eraseLine + (line ?? ""), to: FileHandle.standardError)
            isShown = line != nil
        }
    }

    /// Back to the first column, and everything from there is blank.
    private static let eraseLine = "\r\u{1B}[K"
    private static let statusIsShown = Locked(false)

    /// Control characters of peers must not reach the terminal.
    static func printable(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
    }

    private static func write(_ line: String, to file: FileHandle) {
        statusIsShown.with { isShown in
            if isShown { put(eraseLine, to: FileHandle.standardError) }
            isShown = false
            put(line + "\n", to: file)
        }
    }

    private static func put(_ text: String, to file: FileHandle) {
        // A closed pipe must not keep a call from ending in order.
        try? file.write(contentsOf: Data(text.utf8))
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
