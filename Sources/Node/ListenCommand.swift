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
            In a terminal, type and press Return: \(CallKeys.help). Also 'c ID' to call and, without \
            --answer, 'a' to answer a ringing call and 'd' to decline it, with a reason after a blank if you like.
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

    @Flag(help: "Be reachable by contacts alone; others may only ask to be one.")
    var contactsOnly = false

    func validate() throws {
        guard (0...30).contains(answerAfter) else { throw ValidationError("--answer-after must be 0 to 30 seconds.") }
    }

    func run() async throws {
        try await global.run {
            let plan = try sound.plan(global.printer)
            let node = try await global.startNode(acceptsStrangers: !contactsOnly)
            let interruptions = Interruption.stream()
            let desk = Desk(
                printer: global.printer, plan: plan, answer: answer, answerAfter: answerAfter, text: text,
                declineReason: declineReason)
            await withTaskGroup { group in
                if let lines = Keyboard.lines() { group.addTask { await desk.obey(lines, on: node) } }
                group.addTask {
                    for await _ in interruptions { break }
                    await node.close()
                }
                // Ends with the node.
                for await event in node.events {
                    // Before it is told: who reads of a call may answer at once.
                    if let call = IncomingCall(event, on: node) { await desk.take(call) }
                    desk.print(event)
                }
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
    private let declineReason: String
    private var ringing: [IncomingCall] = []
    private var talking: [(id: CallID, keys: CallKeys)] = []
    private var sounds: [CallID: CallSound] = [:]

    init(
        printer: Printer, plan: SoundPlan, answer: ListenCommand.Answer?, answerAfter: Double, text: String?,
        declineReason: String
    ) {
        self.printer = printer
        self.plan = plan
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

    /// Lets a call ring, and does with it what the command line says.
    func take(_ call: IncomingCall) {
        ringing.append(call)
        switch answer {
        case .decline: Task { await decline(call, because: declineReason) }
        case .auto:
            Task {
                if answerAfter > 0 { try? await Task.sleep(for: .seconds(answerAfter)) }
                await accept(call)
            }
        case nil: break
        }
    }

    /// Does what the user types until the keyboard is closed.
    func obey(_ lines: AsyncStream<String>, on node: Node) async {
        for await line in lines {
            let line = line.trimmingCharacters(in: .whitespaces)
            let words = line.split(separator: " ", maxSplits: 1)
            switch words.first?.lowercased() {
            case "a": if let call = firstRinging() { await accept(call) }
            case "d":
                let reason = words.count == 2 ? String(words[1]) : declineReason
                if let call = firstRinging() { await decline(call, because: reason) }
            case "c": if words.count == 2 { await call(String(words[1]), from: node) }
            case nil: break
            default:
                if !(await obey(line.lowercased())) {
                    printer.note("type \(CallKeys.help), a to answer, d to decline, c and an id to call")
                }
            }
        }
    }

    /// The call to answer or decline, with a word where there is none.
    private func firstRinging() -> IncomingCall? {
        if ringing.isEmpty { printer.note("no call is ringing") }
        return ringing.first
    }

    /// Does with the latest call what a line says; `false` when it says nothing about calls.
    private func obey(_ line: String) async -> Bool {
        guard var latest = talking.last else { return false }
        let isUnderstood = await latest.keys.obey(line)
        if let index = talking.lastIndex(where: { $0.id == latest.id }) { talking[index] = latest }
        return isUnderstood
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
        talking.append((call.id, CallKeys(call)))
        Task { await follow(call) }
        await sound.begin(call.id)
    }

    private func accept(_ incoming: IncomingCall) async {
        ringing.removeAll { $0.id == incoming.id }
        let sound = CallSound(plan, printer: printer)
        // Before the call is taken, as it may end at any time after.
        sounds[incoming.id] = sound
        guard let call = try? await incoming.accept(audio: sound.audio) else { return await forget(incoming.id) }
        talking.append((call.id, CallKeys(call)))
        await sound.begin(call.id)
        Task { await follow(call, saying: text) }
    }

    /// Says what is to be said first, and notes what becomes of the call.
    private func follow(_ call: Call, saying text: String? = nil) async {
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
