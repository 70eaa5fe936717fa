import ArgumentParser
import SansIO
import SecureChannel
import Swiftlet

/// `swiftlet call`: call somebody and talk until one side hangs up.
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Call an account and talk until one side hangs up; Ctrl-C hangs up.")

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
            let interruptions = Interruption.stream()
            let node = try await global.startNode(usesTCP: without != .tcp, usesUDP: without != .udp)
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
        let end = await follow(call, sound)
        await sound.end()
        return end
    }

    /// Prints what happens until the call is over.
    private func follow(_ call: Call, _ sound: CallSound) async -> CallEnd {
        let report = CallReport(printer: global.printer, call: call.id)
        var end = CallEnd.connectionLost
        var clock: Task<Void, Never>?
        for await event in call.events {
            report.print(event)
            switch event {
            case .answered: await sound.begin(call.id)
            case .mediaConnected:
                if let text { await call.send(text) }
                guard let duration else { continue }
                clock = Task {
                    try? await Task.sleep(for: .seconds(duration))
                    if !Task.isCancelled { await call.hangUp() }
                }
            case .ended(let why): end = why
            default: break
            }
        }
        clock?.cancel()
        return end
    }
}
