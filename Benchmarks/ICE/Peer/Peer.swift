import EventLoop
import Glibc
import ICEDriver
import SansIO
import SwiftICE

/// One side of the session. Lives on the loop's thread and ends the process.
final class Peer {
    /// How many packets each side must get; more are sent, as some may be lost.
    private static let packets = 20
    private static let sendLimit = 200
    private static let interval = Duration.milliseconds(10)
    /// How long a side goes on after it has everything, for the other one may not.
    private static let farewell = Duration.milliseconds(400)
    /// How long ago a side that is still heard at the end of a talk was heard last.
    private static let patience = Duration.seconds(1)

    private let options: Options
    private let loop: EventLoop
    private var session: ICESession?
    private let started: Instant
    private var remoteRead: Instant?
    private var gathered: Instant?
    private var connected: Instant?
    private var completed: Instant?
    private var received = 0
    private var sent = 0
    private var isEnding = false
    private var lastHeard: Instant?
    private var longestSilence = Duration.zero

    init(_ options: Options, on loop: EventLoop) {
        self.options = options
        self.loop = loop
        started = loop.now
    }

    func start() {
        var handlers = ICESession.Handlers()
        handlers.gathered = { [self] in loop.schedule(at: loop.now) { self.tell() } }
        handlers.writable = { [self] _ in
            guard connected == nil else { return }
            connected = loop.now
            speak()
            guard let talk = options.talk else { return }
            loop.schedule(at: loop.now.advanced(by: talk)) { self.endTalk() }
        }
        handlers.completed = { [self] in completed = loop.now }
        handlers.received = { [self] _, _ in
            received += 1
            noteSilence()
            lastHeard = loop.now
            endIfDone()
        }
        handlers.failed = { [self] failure in finish(because: "\(failure)") }
        let session = ICESession(
            role: options.me < options.other ? .controlling : .controlled, configuration: configuration(), on: loop,
            batch: DatagramBatch(slots: 16), handlers: handlers)
        self.session = session
        loop.schedule(at: started.advanced(by: options.limit)) { self.finish(because: "time is up") }
        session.gather()
    }

    private func configuration() -> ICESession.Configuration {
        var configuration = ICESession.Configuration()
        configuration.usesUDP = !options.usesTCP
        configuration.usesTCP = options.usesTCP
        configuration.agent.opensSimultaneously = options.opensSimultaneously
        configuration.mapsPorts = options.mapsPorts
        configuration.namesHosts = options.namesHosts
        // What is judged is where a session connects, and a gateway on a busy machine takes longer than a call may wait.
        if options.mapsPorts { configuration.mappingPatience = .seconds(1) }
        configuration.stunServers = options.servers.map { Endpoint($0, port: 3478) }
        guard options.usesRelays else { return configuration }
        let ways: [(TURNServer.Transport, UInt16)] = [(.udp, 3478), (.tcp, 3478), (.tcp, 443)]
        configuration.turnServers = ways.flatMap { transport, port in
            options.servers.map {
                TURNServer(.address($0), port: port, transport: transport, username: "user", password: "pass")
            }
        }
        return configuration
    }

    // MARK: - The other side

    /// Writes our description where the other side looks for it, whole or not at all.
    private func tell() {
        guard let session else { return }
        gathered = loop.now
        let (draft, path) = ("\(options.folder)/.\(options.me)", "\(options.folder)/\(options.me)")
        guard let file = fopen(draft, "w") else { return finish(because: "cannot write \(draft)") }
        fputs(session.localDescription.text, file)
        for (host, candidate) in session.namedCandidates { fputs(candidate.line(named: host) + "\n", file) }
        fclose(file)
        guard rename(draft, path) == 0 else { return finish(because: "cannot write \(path)") }
        listen()
    }

    private func listen() {
        guard let text = read("\(options.folder)/\(options.other)") else {
            loop.schedule(at: loop.now.advanced(by: .milliseconds(1))) { self.listen() }
            return
        }
        guard let remote = try? SessionDescription(text: text) else { return finish(because: "unreadable description") }
        remoteRead = loop.now
        var peer = ICEAgent.PeerOptions()
        peer.predictsPorts = options.predictsPorts
        peer.probesRandomPorts = options.probesRandomPorts
        session?.connect(to: remote, peer: peer)
        for line in text.split(separator: "\n").map({ Candidate.parse(line: $0) }) {
            if case .named = line { session?.addRemoteCandidate(line) }
        }
    }

    private func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        let bytes = [UInt8](unsafeUninitializedCapacity: SessionDescription.lengthLimit) { buffer, count in
            count = fread(buffer.baseAddress, 1, buffer.count, file)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: - Data

    private func speak() {
        guard sent < Self.sendLimit || options.talk != nil, let session else { return }
        let packet = Array("packet \(sent) of \(options.me)".utf8)
        if session.send(packet.span) { sent += 1 }
        endIfDone()
        loop.schedule(at: loop.now.advanced(by: Self.interval)) { self.speak() }
    }

    private func noteSilence() {
        guard let lastHeard, !isEnding else { return }
        longestSilence = max(longestSilence, lastHeard.duration(to: loop.now))
    }

    private func endTalk() {
        noteSilence()
        isEnding = true
        let isHeard = lastHeard.map { $0.duration(to: loop.now) < Self.patience } ?? false
        loop.schedule(at: loop.now.advanced(by: Self.farewell)) { self.finish(because: isHeard ? nil : "silence") }
    }

    private func endIfDone() {
        guard options.talk == nil, !isEnding, completed != nil else { return }
        guard sent >= Self.packets, received >= Self.packets else { return }
        isEnding = true
        loop.schedule(at: loop.now.advanced(by: Self.farewell)) { self.finish(because: nil) }
    }

    // MARK: - The end

    private func finish(because problem: String?) {
        let pair = session?.selectedPair()
        let isGood = connected != nil && received > 0 && (options.talk == nil || problem == nil)
        var fields = ["\"ok\":\(isGood)"]
        let times =
            [("gather_ms", started, gathered)]
            + [("connected_ms", connected), ("completed_ms", completed)].map {
                ($0.0, remoteRead ?? started, $0.1)
            }
        for (name, start, end) in times {
            guard let end else { continue }
            fields.append("\"\(name)\":\(Double(start.duration(to: end).nanoseconds / 10_000) / 100)")
        }
        if let pair {
            fields.append("\"local\":\"\(pair.local.kind.name)\",\"remote\":\"\(pair.remote.kind.name)\"")
            fields.append("\"transport\":\"\(pair.local.transport.isTCP ? "tcp" : "udp")\"")
            fields.append("\"family\":\(pair.local.endpoint.address.family == .v4 ? 4 : 6)")
        }
        fields.append("\"rx\":\(received),\"control\":\(session?.counters.controlSent ?? 0)")
        if options.talk != nil {
            fields.append("\"silence_ms\":\(longestSilence.nanoseconds / 1_000_000)")
        }
        if let problem { fields.append("\"end\":\"\(problem)\"") }
        print("{\(fields.joined(separator: ","))}")
        session?.close()
        exit(isGood ? 0 : 1)
    }
}

extension Candidate.Kind {
    /// The word of a candidate line.
    var name: String {
        switch self {
        case .host: "host"
        case .serverReflexive: "srflx"
        case .peerReflexive: "prflx"
        case .relayed: "relay"
        }
    }
}
