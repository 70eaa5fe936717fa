import ArgumentParser
import Foundation
import SansIO
import SecureChannel
import Swiftlet

/// `swiftlet listen`: be reachable, and answer or decline calls.
struct ListenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "Be reachable until Ctrl-C; calls ring and are answered as told.",
        discussion: """
            In a terminal, type and press Return: \(CallKeys.help). Without --answer also 'a' to answer a ringing call \
            and 'd' to decline it, with a reason after a blank if you like.
            """)

    enum Answer: String, ExpressibleByArgument, CaseIterable {
        case auto
        case decline
    }

    @OptionGroup var global: GlobalOptions
    @OptionGroup var sound: SoundOptions

    @Option(help: "Answer every call, or decline every call.")
    var answer: Answer?

    @Option(help: ArgumentHelp("Ring this long before answering.", valueName: "seconds"))
    var answerAfter: Double = 0

    @Option(help: ArgumentHelp("A text to send once a call is answered.", valueName: "text"))
    var text: String?

    @Option(help: ArgumentHelp("What callers read when they are declined, if they understand it.", valueName: "text"))
    var declineReason = ""

    func validate() throws {
        guard (0...30).contains(answerAfter) else { throw ValidationError("--answer-after must be 0 to 30 seconds.") }
    }

    func run() async throws {
        try await global.run {
            let audio = try sound.audio()
            let interruptions = Interruption.stream()
            let node = try await global.startNode()
            let desk = Desk(
                printer: global.printer, audio: audio, answer: answer, answerAfter: answerAfter, text: text,
                declineReason: declineReason)
            await withTaskGroup { group in
                group.addTask { for await call in node.incomingCalls { await desk.take(call) } }
                if let lines = Keyboard.lines() { group.addTask { await desk.obey(lines) } }
                group.addTask {
                    for await _ in interruptions { break }
                    await node.close()
                }
                // Ends with the node.
                for await event in node.events { desk.print(event) }
                group.cancelAll()
            }
            await node.close()
        }
    }
}

/// Where calls arrive: prints them and carries out what the user, or the command line, says.
private actor Desk {
    private let printer: Printer
    private let audio: Audio
    private let answer: ListenCommand.Answer?
    private let answerAfter: Double
    private let text: String?
    private let declineReason: String
    private var ringing: [IncomingCall] = []
    private var talking: [(id: CallID, keys: CallKeys)] = []

    init(
        printer: Printer, audio: Audio, answer: ListenCommand.Answer?, answerAfter: Double, text: String?,
        declineReason: String
    ) {
        self.printer = printer
        self.audio = audio
        self.answer = answer
        self.answerAfter = answerAfter
        self.text = text
        self.declineReason = declineReason
    }

    nonisolated func print(_ event: NodeEvent) {
        switch event {
        case .network(let family, let isConnected):
            printer.event(
                "network", [("family", .text(family == .v4 ? "IPv4" : "IPv6")), ("connected", .flag(isConnected))])
        case .announced: printer.event("announced", line: "reachable; waiting for calls")
        case .requestReceived(let account, let device):
            printer.event("request-received", [("from", .text(account.hex)), ("device", .text(device.hex))])
        case .incomingCall(let call, let peer, let name):
            let shown = Printer.printable(name)
            printer.event(
                "incoming-call",
                [("call", .integer(Int(call.rawValue))), ("from", .text(peer.hex)), ("name", .text(name))],
                line: "\(shown.isEmpty ? "somebody" : shown) (\(peer)) calls")
        case .call(let call, let event):
            CallReport(printer: printer, call: call).print(event)
            if case .ended = event { Task { await forget(call) } }
        case .message(let message, let peer):
            let text = message.text ?? "(\(message.contentType), \(message.content.count) bytes)"
            printer.event(
                "message", [("from", .text(peer.hex)), ("type", .text(message.contentType)), ("text", .text(text))],
                line: "message from \(peer): \(Printer.printable(text))")
        case .messageOutcome: break
        }
    }

    func take(_ call: IncomingCall) async {
        ringing.append(call)
        switch answer {
        case .decline: await decline(call, because: declineReason)
        case .auto:
            if answerAfter > 0 { try? await Task.sleep(for: .seconds(answerAfter)) }
            await accept(call)
        case nil: break
        }
    }

    /// Does what the user types until the keyboard is closed.
    func obey(_ lines: AsyncStream<String>) async {
        for await line in lines {
            let line = line.trimmingCharacters(in: .whitespaces)
            let words = line.split(separator: " ", maxSplits: 1)
            switch words.first?.lowercased() {
            case "a": if let call = ringing.first { await accept(call) }
            case "d":
                let reason = words.count == 2 ? String(words[1]) : declineReason
                if let call = ringing.first { await decline(call, because: reason) }
            case nil: break
            default:
                if !(await obey(line.lowercased())) { printer.note("type \(CallKeys.help), a to answer, d to decline") }
            }
        }
    }

    /// Does with the latest call what a line says; `false` when it says nothing about calls.
    private func obey(_ line: String) async -> Bool {
        guard var latest = talking.last else { return false }
        let isUnderstood = await latest.keys.obey(line)
        if let index = talking.lastIndex(where: { $0.id == latest.id }) { talking[index] = latest }
        return isUnderstood
    }

    private func accept(_ incoming: IncomingCall) async {
        ringing.removeAll { $0.id == incoming.id }
        guard let call = try? await incoming.accept(audio: audio) else { return }
        talking.append((call.id, CallKeys(call)))
        Task { await follow(call) }
    }

    /// Says what is to be said first, and notes what becomes of the call.
    private func follow(_ call: Call) async {
        var unsent = text
        for await event in call.events {
            if let index = talking.firstIndex(where: { $0.id == call.id }) { talking[index].keys.note(event) }
            guard case .mediaConnected = event, let text = unsent else { continue }
            unsent = nil
            await call.send(text)
        }
    }

    private func decline(_ incoming: IncomingCall, because reason: String) async {
        ringing.removeAll { $0.id == incoming.id }
        await incoming.decline(reason: reason)
    }

    private func forget(_ call: CallID) {
        ringing.removeAll { $0.id == call }
        talking.removeAll { $0.id == call }
    }
}
