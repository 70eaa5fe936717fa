import AudioDevices
import SansIO
import Swiftlet

/// Shows how loud both sides of a call are: an event each second for programs, a line in place for people at a terminal.
struct LevelReport: Sendable {
    let printer: Printer
    private let sent = LevelMeter()
    private let heard = LevelMeter()

    init(printer: Printer) { self.printer = printer }

    /// Takes one block of each side; on the node's thread.
    func add(sent: [Int16], heard: [Int16]) {
        self.sent.add(sent)
        self.heard.add(heard)
    }

    /// Shows levels until the task is cancelled; `nil` where nobody would see them.
    func start(_ call: CallID) -> Task<Void, Never>? {
        guard printer.isJSON || Printer.hasTerminal else { return nil }
        return Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: printer.isJSON ? .seconds(1) : .milliseconds(200))
                if !Task.isCancelled, let sent = sent.take(), let heard = heard.take() { show(sent, heard, call) }
            }
            printer.status(nil)
        }
    }

    private func show(_ sent: Double, _ heard: Double, _ call: CallID) {
        if printer.isJSON {
            printer.event(
                "levels", [("call", .integer(Int(call.rawValue))), ("sent", .number(sent)), ("heard", .number(heard))])
        } else {
            printer.status("you  \(Self.bar(sent))   peer \(Self.bar(heard))")
        }
    }

    /// A level as a bar of three decibels a step, and as a number.
    private static func bar(_ decibel: Double) -> String {
        let steps = 20
        let lit = min(max(Int((decibel / 3).rounded()) + steps, 0), steps)
        let number = decibel <= LevelMeter.floor ? "  –" : String(Int(decibel.rounded()))
        let padding = String(repeating: " ", count: max(0, 3 - number.count))
        return String(repeating: "▮", count: lit) + String(repeating: "▯", count: steps - lit)
            + " \(padding)\(number) dB"
    }
}
