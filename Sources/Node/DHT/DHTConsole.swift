import SansIO
import SwiftDHT
import Swiftlet

/// Obeys what is typed at a running node, one order after the other; what takes time goes on beside the next.
struct DHTConsole {
    private let node: DHTNode
    private let report: DHTReport
    private var lastNumber = 0
    /// What goes on until cancelled, by number: the order as it was typed, and what carries it out.
    private var running: [(number: Int, line: String, task: Task<Void, Never>)] = []

    init(_ node: DHTNode, _ report: DHTReport) {
        self.node = node
        self.report = report
    }

    /// Obeys one line; `false` when it says to end.
    mutating func obey(_ line: String) async -> Bool {
        let order: DHTOrder
        do throws(DHTOrder.Refusal) { order = try DHTOrder.parse(line) } catch {
            refuse(error.line)
            return true
        }
        switch order {
        case .nothing: break
        case .quit: return false
        case .help: if !report.printer.isJSON { report.printer.event("help", line: DHTOrder.guide) }
        case .get(let key, let question):
            follow(await question.ask(node, about: key.hash), key, question.select, line, isLasting: false)
        case .listen(let key, let question):
            let updates = await node.listen(key.hash, matching: question.query)
            follow(updates, key, question.select, line, isLasting: true)
        case .put(let key, let text, let kind, let isPermanent):
            put(text, kind, at: key, line, permanently: isPermanent)
        case .cancel(let number): cancel(number)
        case .inspect(.operations): list()
        case .inspect(let inspection):
            if let snapshot = await node.snapshot { report.show(inspection, of: snapshot) }
        case .bootstrap(let host):
            if await !node.bootstrap(from: host) { refuse("no address is known of \(host)") }
        }
        return true
    }

    /// Gives up everything under way.
    mutating func end() {
        for entry in running { entry.task.cancel() }
        running = []
    }

    private mutating func begin(_ key: DHTKey) -> Int {
        lastNumber += 1
        report.event(
            "began", [("key", .text(key.hash.description)), ("hashed", .flag(key.text != nil))],
            line: "at \(key.hash)", operation: lastNumber)
        return lastNumber
    }

    private mutating func follow(
        _ updates: AsyncStream<DHTNode.Update>, _ key: DHTKey, _ select: [DHTReport.Field], _ line: String,
        isLasting: Bool
    ) {
        let number = begin(key)
        let report = DHTReport(printer: report.printer, fields: select)
        let task = Task { [node] in
            let outcome = await report.follow(updates, of: node, operation: number) { "done, \($0) nodes answered" }
            Self.judge(outcome, report, number)
        }
        if isLasting { running.append((number, line, task)) }
    }

    private mutating func put(
        _ text: String, _ kind: DHTValueKind, at key: DHTKey, _ line: String, permanently isPermanent: Bool
    ) {
        let number = begin(key)
        var random = RandomSource.system
        let id = Value.ID.random(using: &random)
        let body = ValueBody(type: .userData, data: Array(text.utf8), userType: "text/plain")
        let task = Task { [node, report] in
            do {
                let value = try await DHTPutCommand.value(body, kind, id: id, at: key.hash, by: node)
                let updates = await node.put(value, at: key.hash, permanently: isPermanent)
                let outcome = await report.follow(updates, of: node, operation: number) {
                    "stored \(DHTReport.hex(id)) at \($0) nodes"
                }
                Self.judge(outcome, report, number)
                // The put goes on while its stream is read.
                if isPermanent { for await _ in updates {} }
            } catch let failure as Failure {
                Self.tell(failure.line, report, number)
            } catch {
                Self.tell("\(error)", report, number)
            }
        }
        if isPermanent { running.append((number, line, task)) }
    }

    private mutating func cancel(_ number: Int) {
        guard let index = running.firstIndex(where: { $0.number == number }) else {
            return refuse("there is no operation \(number) to cancel; operations lists them")
        }
        running.remove(at: index).task.cancel()
        report.event("cancelled", [], line: "cancelled", operation: number)
    }

    private func list() {
        for entry in running {
            report.event("operation", [("line", .text(entry.line))], line: entry.line, operation: entry.number)
        }
        if running.isEmpty, !report.printer.isJSON { report.printer.event("", line: "nothing to cancel") }
    }

    private func refuse(_ line: String) {
        report.event("refused", [("message", .text(line))], line: line)
    }

    private static func judge(_ outcome: DHT.Outcome?, _ report: DHTReport, _ number: Int) {
        switch outcome {
        case .completed?, nil: break
        case .noNodes?, .failed?: tell("no node of the network answered; try again", report, number)
        }
    }

    private static func tell(_ line: String, _ report: DHTReport, _ number: Int) {
        report.event("failed", [("message", .text(line))], line: line, operation: number)
    }
}
