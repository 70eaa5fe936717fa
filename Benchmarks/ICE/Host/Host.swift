import EventLoop
import Glibc
import ICEDriver
import SansIO
import SwiftICE

/// ICE sessions with names, driven by lines on standard input and answered on standard output.
///
///     nop TAG                          done TAG 1
///     open TAG A ROLE                  value TAG DESCRIPTION, then done TAG 1 MICROSECONDS
///     remote TAG A DESCRIPTION         done TAG 1|0 MICROSECONDS, when data can be sent or never will
///     blast TAG A SIZE SECONDS BURST   done TAG SENT; BURST datagrams, one turn of the loop, and again
///     count TAG A                      done TAG RECEIVED; datagrams since the last count
///     pair TAG A                       value TAG LOCAL/REMOTE/TRANSPORT of the selected pair, then done TAG 1|0
///     send TAG A HEX                   done TAG 1|0; one datagram
///     heard TAG A                      value TAG HEX,HEX… if there is any, then done TAG COUNT; datagrams since the
///                                      last time, from the first time on
///     bare TAG SIZE SECONDS BURST      done TAG RECEIVED; the same between plain sockets, see BareSockets
///     control TAG A                    done TAG SENT; STUN messages sent so far
///     close TAG A                      done TAG 1
final class Host {
    /// A session and who waits for it.
    private final class Guest {
        var session: ICESession?
        var received = 0
        /// What came since it was first asked for.
        var heard: [[UInt8]]?
        var connecting: (tag: Substring, since: Instant)?
    }

    /// How many datagrams are kept to be told.
    private static let heardLimit = 64

    private let loop: EventLoop
    private let options: Options
    private let batch = DatagramBatch(slots: 64)
    private let input = Descriptor(owning: 0)
    private var unread: [UInt8] = []
    private var guests: [Substring: Guest] = [:]
    /// Where a network namespace has the loopback interface only, it may hold addresses of any kind.
    private let addresses = ((try? Interfaces.addresses(.loopbackToo)) ?? []).map(\.endpoint).filter {
        !$0.address.isLoopback
    }

    private init(_ options: Options, on loop: EventLoop) {
        self.options = options
        self.loop = loop
    }

    /// Serves standard input until it ends, which ends the process.
    static func run(_ options: Options, on loop: EventLoop) throws(Errno) {
        let host = Host(options, on: loop)
        _ = try loop.register(host.input, for: .readable) { _ in host.read() }
    }

    private func read() {
        let piece = [UInt8](unsafeUninitializedCapacity: 1 << 18) { buffer, count in
            count = max(0, Glibc.read(0, buffer.baseAddress, buffer.count))
        }
        if piece.isEmpty { exit(0) }
        let now = loop.now
        unread += piece
        let lines = unread.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        unread = Array(lines.last ?? [])
        for line in lines.dropLast() { obey(String(decoding: line, as: UTF8.self).split(separator: " "), at: now) }
    }

    private func obey(_ words: [Substring], at now: Instant) {
        guard words.count >= 2 else { return }
        let tag = words[1]
        let guest = words.count > 2 ? guests[words[2]] : nil
        switch words[0] {
        case "nop": say("done", tag, 1)
        case "open" where words.count == 4: open(tag, words[2], words[3] == "controlling", at: now)
        case "remote" where words.count == 4: connect(tag, guest, words[3], at: now)
        case "blast" where words.count == 6: blast(tag, guest, words[3...])
        case "bare" where words.count == 5: say("done", tag, bare(Array(words[2...])) ?? 0)
        case "count":
            say("done", tag, guest?.received ?? 0)
            guest?.received = 0
        case "pair": tellPair(tag, guest)
        case "send" where words.count == 4:
            let bytes = Hexadecimal.decode(words[3])
            say("done", tag, bytes.flatMap { guest?.session?.send($0.span) } == true ? 1 : 0)
        case "heard": tellHeard(tag, guest)
        case "control": say("done", tag, guest?.session?.counters.controlSent ?? 0)
        case "close":
            guest?.session?.close()
            guests[words[2]] = nil
            say("done", tag, 1)
        default: say("done", tag, 0)
        }
    }

    private func say(_ words: Any...) {
        let line = words.map { "\($0)" }.joined(separator: " ") + "\n"
        line.utf8CString.withUnsafeBytes { _ = write(1, $0.baseAddress, $0.count - 1) }
    }

    private func microseconds(since start: Instant) -> Int64 { start.duration(to: loop.now).nanoseconds / 1000 }

    // MARK: - Sessions

    private func open(_ tag: Substring, _ name: Substring, _ isControlling: Bool, at now: Instant) {
        let guest = Guest()
        guests[name] = guest
        var handlers = ICESession.Handlers()
        handlers.gathered = { [weak self, weak guest] in
            guard let self, let guest, let session = guest.session else { return }
            say("value", tag, Description.hex(of: session.localDescription))
            say("done", tag, 1, microseconds(since: now))
        }
        handlers.writable = { [weak self, weak guest] _ in self?.answer(guest, 1) }
        handlers.failed = { [weak self, weak guest] _ in self?.answer(guest, 0) }
        handlers.received = { [unowned guest] bytes, _ in
            guest.received += 1
            if let count = guest.heard?.count, count < Self.heardLimit { guest.heard?.append([UInt8](bytes)) }
        }
        let configuration = options.configuration(addresses: addresses)
        guest.session = ICESession(
            role: isControlling ? .controlling : .controlled, configuration: configuration, on: loop, batch: batch,
            handlers: handlers)
        guest.session?.gather()
    }

    private func connect(_ tag: Substring, _ guest: Guest?, _ text: Substring, at now: Instant) {
        guard let guest, let remote = Description.read(hex: text) else { return say("done", tag, 0) }
        guest.connecting = (tag, now)
        guest.session?.connect(to: remote.description)
        for line in remote.named { guest.session?.addRemoteCandidate(line) }
    }

    private func answer(_ guest: Guest?, _ result: Int) {
        guard let waiting = guest?.connecting else { return }
        guest?.connecting = nil
        say("done", waiting.tag, result, microseconds(since: waiting.since))
    }

    private func tellPair(_ tag: Substring, _ guest: Guest?) {
        guard let pair = guest?.session?.selectedPair() else { return say("done", tag, 0) }
        let transport = pair.local.transport.isTCP ? "tcp" : "udp"
        say("value", tag, "\(pair.local.kind.name)/\(pair.remote.kind.name)/\(transport)")
        say("done", tag, 1)
    }

    private func tellHeard(_ tag: Substring, _ guest: Guest?) {
        let heard = guest?.heard ?? []
        if !heard.isEmpty { say("value", tag, heard.map { Hexadecimal.encode($0) }.joined(separator: ",")) }
        say("done", tag, heard.count)
        guest?.heard = []
    }

    private func blast(_ tag: Substring, _ guest: Guest?, _ words: ArraySlice<Substring>) {
        let words = Array(words)
        guard let session = guest?.session, let size = Int(words[0]), let seconds = Double(words[1]),
            let burst = Int(words[2]), (1...65_000).contains(size), burst > 0
        else { return say("done", tag, 0) }
        let content = [UInt8](repeating: UInt8(ascii: "x"), count: size)
        let datagrams = Array(repeating: content, count: burst)
        continueBlast(
            session, datagrams, until: loop.now.advanced(by: .nanoseconds(Int64(seconds * 1e9))), sent: 0, tag)
    }

    private func bare(_ words: [Substring]) -> Int? {
        guard let address = addresses.first, let size = Int(words[0]), let seconds = Double(words[1]),
            let burst = Int(words[2]), (1...65_000).contains(size), burst > 0,
            let sockets = try? BareSockets(at: address, buffer: 1 << 20)
        else { return nil }
        let end = loop.now.advanced(by: .nanoseconds(Int64(seconds * 1e9)))
        return try? sockets.exchange(
            [UInt8](repeating: UInt8(ascii: "x"), count: size), burst: burst, until: end, on: loop)
    }

    private func continueBlast(
        _ session: ICESession, _ datagrams: [[UInt8]], until end: Instant, sent: Int, _ tag: Substring
    ) {
        guard loop.now < end else { return say("done", tag, sent) }
        let sent = sent + session.send(datagrams)
        // Timers of this moment fire in the next turn, after which descriptors are served.
        loop.schedule(at: loop.now) { [self] in continueBlast(session, datagrams, until: end, sent: sent, tag) }
    }
}

extension Candidate.Kind {
    /// The word of a candidate line.
    fileprivate var name: String {
        switch self {
        case .host: "host"
        case .serverReflexive: "srflx"
        case .peerReflexive: "prflx"
        case .relayed: "relay"
        }
    }
}
