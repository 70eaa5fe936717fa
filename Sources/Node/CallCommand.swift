import ArgumentParser
import SansIO
import SecureChannel
import Swiftlet

/// `swiftlet call`: call somebody and talk until one side hangs up.
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Call an account and talk until one side hangs up; Ctrl-C hangs up.",
        discussion: "In a terminal, type and press Return: \(CallKeys.help).")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var sound: SoundOptions

    @Argument(
        help: ArgumentHelp("The account's id, 40 hexadecimal digits.", valueName: "id"),
        transform: AccountArgument.parse)
    var peer: AccountArgument

    @Option(help: ArgumentHelp("Hang up this many seconds after the call was answered.", valueName: "seconds"))
    var duration: Double?

    @Option(help: ArgumentHelp("A text to send once the call is answered.", valueName: "text"))
    var text: String?

    @Option(
        help: ArgumentHelp("Do without this transport for the control channel: tcp or udp.", valueName: "transport"))
    var without: Transport?

    enum Transport: String, ExpressibleByArgument, CaseIterable {
        case tcp
        case udp
    }

    func validate() throws {
        if let duration, !(duration > 0 && duration <= 86_400) {
            throw ValidationError("--duration must be above 0 and at most 86400 seconds.")
        }
    }

    func run() async throws {
        try await global.run {
            let sound = CallSound(try sound.plan(global.printer), printer: global.printer)
            let node = try await global.startNode(usesTCP: without != .tcp, usesUDP: without != .udp)
            let interruptions = Interruption.stream()
            let end = try await talk(node, sound, interruptions)
            await node.close()
            if let status = end.status { throw Failure(status, end.line) }
        }
    }

    private func talk(_ node: Node, _ sound: CallSound, _ interruptions: AsyncStream<Void>) async throws -> CallEnd {
        global.printer.event("dialing", [("peer", .text(peer.id.hex))], line: "calling \(peer.id)")
        let call: Call
        do throws(NodeError) { call = try await node.call(peer.id, audio: sound.audio) } catch { throw Failure(error) }
        let hangUp = Task {
            for await _ in interruptions { await call.hangUp() }
        }
        defer { hangUp.cancel() }
        let (events, input) = AsyncStream<Turn>.makeStream()
        let listening = Task {
            for await event in call.events { input.yield(.event(event)) }
            input.finish()
        }
        let typing = Task {
            guard let lines = Keyboard.lines() else { return }
            for await line in lines { input.yield(.line(line)) }
        }
        defer { for task in [listening, typing] { task.cancel() } }
        let end = await follow(call, events, sound)
        await sound.end()
        return end
    }

    /// What happens next: in the call, or at the keyboard.
    private enum Turn {
        case event(CallEvent)
        case line(String)
    }

    /// Prints what happens until the call is over.
    private func follow(_ call: Call, _ turns: AsyncStream<Turn>, _ sound: CallSound) async -> CallEnd {
        let report = CallReport(printer: global.printer, call: call.id)
        var keys = CallKeys(call)
        var end = CallEnd.connectionLost
        var clock: Task<Void, Never>?
        for await turn in turns {
            switch turn {
            case .line(let line):
                if !(await keys.obey(line.lowercased())) { global.printer.note("type \(CallKeys.help)") }
            case .event(let event):
                report.print(event)
                keys.note(event)
                if case .answered = event { await sound.begin(call.id) }
                if case .ended(let why) = event { end = why }
                if case .mediaConnected = event, clock == nil { clock = await begin(call) }
            }
        }
        clock?.cancel()
        return end
    }

    /// Says what is to be said first, and sets the time by which to hang up.
    private func begin(_ call: Call) async -> Task<Void, Never> {
        if let text { await call.send(text) }
        return Task { [duration] in
            guard let duration else { return }
            try? await Task.sleep(for: .seconds(duration))
            if !Task.isCancelled { await call.hangUp() }
        }
    }
}
