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
///     bare TAG SIZE SECONDS BURST      done TAG RECEIVED; the same between plain sockets, see BareSockets
///     control TAG A                    done TAG SENT; STUN messages sent so far
///     close TAG A                      done TAG 1
final class Host {
    /// A session and who waits for it.
    private final class Guest {
        var session: ICESession?
        var received = 0
        var connecting: (tag: Substring, since: Instant)?
    }

    private let loop: EventLoop
    private let batch = DatagramBatch(slots: 64)
    private let input = Descriptor(owning: 0)
    private var unread: [UInt8] = []
    private var guests: [Substring: Guest] = [:]
    /// Where a network namespace has the loopback interface only, it may hold addresses of any kind.
    private let addresses = ((try? Interfaces.addresses(.loopbackToo)) ?? []).map(\.endpoint).filter {
        !$0.address.isLoopback
    }

    private init(on loop: EventLoop) { self.loop = loop }

    /// Serves standard input until it ends, which ends the process.
    static func run(on loop: EventLoop) throws(Errno) {
        let host = Host(on: loop)
        _ = try loop.register(host.input, for: .readable) { _ in host.read() }
    }

    private func read() {
        let piece = [UInt8](unsafeUninitializedCapacity: 1 << 18) { buffer, count in
            count = max(0, Glibc.read(0, buffer.baseAddress, buffer.count))
        }
        if piece.isEmpty { exit(0) }
        let now = loop.now
        unread += piece
        while let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: unread[..<end], as: UTF8.self)
            unread.removeFirst(end + 1)
            obey(line.split(separator: " "), at: now)
        }
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
        handlers.received = { [unowned guest] _, _ in guest.received += 1 }
        var configuration = ICESession.Configuration()
        configuration.socketBuffer = 1 << 20
        configuration.addresses = addresses
        guest.session = ICESession(
            role: isControlling ? .controlling : .controlled, configuration: configuration, on: loop, batch: batch,
            handlers: handlers)
        guest.session?.gather()
    }

    private func connect(_ tag: Substring, _ guest: Guest?, _ text: Substring, at now: Instant) {
        guard let guest, let remote = Description.read(hex: text) else { return say("done", tag, 0) }
        guest.connecting = (tag, now)
        guest.session?.connect(to: remote)
    }

    private func answer(_ guest: Guest?, _ result: Int) {
        guard let waiting = guest?.connecting else { return }
        guest?.connecting = nil
        say("done", waiting.tag, result, microseconds(since: waiting.since))
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
