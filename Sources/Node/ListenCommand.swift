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
            Without --answer, type 'a' to answer a ringing call, 'd' to decline it, 'h' to hang up and 'c ID' to call.
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

    func validate() throws {
        guard (0...30).contains(answerAfter) else { throw ValidationError("--answer-after must be 0 to 30 seconds.") }
    }

    func run() async throws {
        try await global.run {
            let plan = try sound.plan(global.printer)
            let interruptions = Interruption.stream()
            let node = try await global.startNode()
            let desk = Desk(printer: global.printer, plan: plan, answer: answer, answerAfter: answerAfter, text: text)
            await withTaskGroup { group in
                group.addTask { for await call in node.incomingCalls { await desk.take(call) } }
                if answer == nil, let lines = Desk.keyboard() { group.addTask { await desk.obey(lines, on: node) } }
                group.addTask {
                    for await _ in interruptions { break }
                    await node.close()
                }
                // Ends with the node.
                for await event in node.events { desk.print(event) }
                group.cancelAll()
            }
            await node.close()
            await desk.close()
        }
    }
}

/// Where calls arrive: prints them and carries out what the user, or the command line, says.
private actor Desk {
    private let printer: Printer
    private let plan: SoundPlan
    private let answer: ListenCommand.Answer?
    private let answerAfter: Double
    private let text: String?
    private var ringing: [IncomingCall] = []
    private var talking: [Call] = []
    private var sounds: [CallID: CallSound] = [:]

    init(printer: Printer, plan: SoundPlan, answer: ListenCommand.Answer?, answerAfter: Double, text: String?) {
        self.printer = printer
        self.plan = plan
        self.answer = answer
        self.answerAfter = answerAfter
        self.text = text
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
        case .contactRequested(let peer, let profile):
            printer.event(
                "contact-request", [("from", .text(peer.hex)), ("profile", .text(profile))],
                line: "\(peer) wants to be a contact; agree with: swiftlet contact add \(peer)")
        case .contactAsked(let peer, let device):
            printer.event("contact-asked", [("contact", .text(peer.hex)), ("device", .text(device.hex))])
        case .contactConfirmed(let peer):
            printer.event("contact-confirmed", [("contact", .text(peer.hex))], line: "\(peer) is a contact now")
        case .presence(let peer, let isOnline):
            printer.event(
                "presence", [("contact", .text(peer.hex)), ("online", .flag(isOnline))],
                line: "\(peer) is \(isOnline ? "online" : "away")")
        case .messageOutcome: break
        }
    }

    func take(_ call: IncomingCall) async {
        ringing.append(call)
        switch answer {
        case .decline: await decline(call)
        case .auto:
            if answerAfter > 0 { try? await Task.sleep(for: .seconds(answerAfter)) }
            await accept(call)
        case nil: break
        }
    }

    /// Does what the user types until the keyboard is closed.
    func obey(_ lines: AsyncStream<String>, on node: Node) async {
        for await line in lines {
            switch line.trimmingCharacters(in: .whitespaces).lowercased() {
            case let line where line.hasPrefix("c "): await call(String(line.dropFirst(2)), from: node)
            case "a": if let call = ringing.first { await accept(call) }
            case "d": if let call = ringing.first { await decline(call) }
            case "h": for call in talking { await call.hangUp() }
            case "": break
            default: printer.note("type a to answer, d to decline, h to hang up, c and an id to call")
            }
        }
    }

    /// The user's lines, where standard input is a terminal; reading blocks, so a thread of its own does it.
    static func keyboard() -> AsyncStream<String>? {
        guard isatty(STDIN_FILENO) == 1 else { return nil }
        let (lines, input) = AsyncStream<String>.makeStream()
        Thread.detachNewThread {
            while let line = readLine() { input.yield(line) }
            input.finish()
        }
        return lines
    }

    /// Calls back, or somebody else, over a connection that is there already if possible.
    private func call(_ text: String, from node: Node) async {
        guard let peer = AccountID(text.trimmingCharacters(in: .whitespaces)) else {
            return printer.note("an account's id has 40 hexadecimal digits")
        }
        printer.event("dialing", [("peer", .text(peer.hex))], line: "calling \(peer)")
        let sound = CallSound(plan, printer: printer)
        guard let call = try? await node.call(peer, audio: sound.audio) else { return }
        sounds[call.id] = sound
        talking.append(call)
        await sound.begin(call.id)
    }

    private func accept(_ incoming: IncomingCall) async {
        ringing.removeAll { $0.id == incoming.id }
        let sound = CallSound(plan, printer: printer)
        // Before the call is taken, as it may end at any time after.
        sounds[incoming.id] = sound
        guard let call = try? await incoming.accept(audio: sound.audio) else { return await forget(incoming.id) }
        talking.append(call)
        await sound.begin(call.id)
        guard let text else { return }
        for await event in call.events {
            if case .mediaConnected = event { await call.send(text) }
        }
    }

    private func decline(_ incoming: IncomingCall) async {
        ringing.removeAll { $0.id == incoming.id }
        await incoming.decline()
    }

    private func forget(_ call: CallID) async {
        ringing.removeAll { $0.id == call }
        talking.removeAll { $0.id == call }
        await sounds[call]?.end()
        sounds[call] = nil
    }

    /// Waits until no call uses a device any more.
    func close() async {
        for call in sounds.keys.sorted(by: { $0.rawValue < $1.rawValue }) { await forget(call) }
    }
}
