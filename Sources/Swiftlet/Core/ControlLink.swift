package import SansIO
internal import SecureChannel
internal import SwiftICE

/// The way to one device: two ICE sessions raced, described to the peer through the DHT, and one of them secured.
///
/// Whoever ends up controlling in a session is its TLS or DTLS client, and decides: TCP is preferred, UDP is taken when
/// TCP failed or is late. The other side follows the first bytes of the client.
package struct ControlLink: Machine {
    private enum Phase {
        case gathering
        case waitingForReply
        case negotiating
        case securing(SessionTransport)
        case closed
    }

    private enum Timer: Hashable {
        case reply
        case negotiation
        case grace
        /// A path that was lost is not replaced.
        case repair
    }

    /// How many datagrams, or pieces of a stream, of a peer that is ahead of us are kept until we have a pair as well.
    static let earlyInputLimit = 16

    private let isOutgoing: Bool
    /// The flow that is spoken: of an outgoing link a guess, until the reply tells.
    private(set) var dialect: Dialect
    private let timing: Timing
    /// The sessions, in order of preference.
    private var sessions: [Session]
    private var phase = Phase.gathering
    private var timers = TimerTable<Timer>()
    private var mayDescribe: Bool
    /// Records that came while negotiating.
    private var early: [(transport: SessionTransport, bytes: [UInt8])] = []
    /// What the peer of an incoming link sent with its request.
    private var remote: SessionOffer
    /// What the peer said of itself.
    private var peer: PeerTraits

    /// A link we ask for, probably in this dialect. It describes itself once ``allowDescription(at:)`` was called, as a
    /// request can only be sealed for a peer whose key is known.
    init(
        asking dialect: Dialect, over transports: [SessionTransport], configuration: SwiftICE.Configuration,
        timing: Timing, random: inout RandomSource
    ) {
        isOutgoing = true
        self.dialect = dialect
        self.timing = timing
        mayDescribe = false
        remote = SessionOffer(udp: nil, tcp: nil)
        peer = PeerTraits()
        sessions = transports.map { transport in
            Session(transport, role: dialect.requesterRole, configuration: configuration, random: random.split())
        }
    }

    /// A link a peer asked for in this dialect.
    init(
        answering remote: SessionOffer, of peer: PeerTraits = PeerTraits(), in dialect: Dialect,
        over transports: [SessionTransport], configuration: SwiftICE.Configuration, timing: Timing,
        random: inout RandomSource
    ) {
        isOutgoing = false
        self.dialect = dialect
        self.timing = timing
        mayDescribe = true
        self.remote = remote
        self.peer = peer
        sessions = transports.filter { remote[$0] != nil }.map { transport in
            Session(
                transport, role: dialect.answererRole(over: transport), configuration: configuration,
                random: random.split())
        }
    }

    // MARK: - Inputs

    mutating func start(at now: Instant) -> [Effect] {
        guard !sessions.isEmpty else { return fail(.noPath) }
        return sessions.map { .gather($0.transport) }
    }

    /// The driver opened sockets for a session, or none where that was not possible.
    mutating func gathered(
        _ findings: [ICEAgent.Finding], for transport: SessionTransport, at now: Instant
    ) -> [Effect] {
        guard let index = index(of: transport), case .gathering = sessions[index].state else { return [] }
        var effects: [Effect] = []
        for finding in findings {
            effects += translate(sessions[index].agent.take(finding, at: now), of: index, at: now)
        }
        sessions[index].state = .gathered
        return effects + describeIfReady(at: now)
    }

    /// The driver found out more about the network of a session.
    mutating func found(_ finding: ICEAgent.Finding, for transport: SessionTransport, at now: Instant) -> [Effect] {
        guard let index = index(of: transport), sessions[index].isGathered else { return [] }
        return translate(sessions[index].agent.take(finding, at: now), of: index, at: now)
    }

    /// The peer's certificate is known: the request may go out as soon as everything is gathered.
    mutating func allowDescription(at now: Instant) -> [Effect] {
        mayDescribe = true
        return describeIfReady(at: now)
    }

    /// The reply to our request arrived, in this dialect.
    mutating func replied(
        _ descriptions: SessionOffer, by peer: PeerTraits = PeerTraits(), in dialect: Dialect, at now: Instant
    ) -> [Effect] {
        guard case .waitingForReply = phase else { return [] }
        self.peer = peer
        timers.cancel(.reply)
        self.dialect = dialect
        remote = descriptions
        for index in sessions.indices { sessions[index].agent.assume(dialect.requesterRole) }
        return negotiate(at: now)
    }

    mutating func receive(
        _ datagram: [UInt8], on base: Endpoint, from peer: Endpoint, at now: Instant
    ) -> [Effect] {
        guard let index = index(of: .udp) else { return [.ignored(.stray)] }
        if ICEAgent.isSTUN(datagram.span) {
            return translate(
                sessions[index].agent.receive(datagram.span, on: base, from: peer, at: now), of: index, at: now)
        }
        // Anybody may send here, and a single record can decide which session is taken.
        guard sessions[index].agent.isPeer(peer) else { return [.ignored(.stray)] }
        guard let first = datagram.first, (20...63).contains(first) else { return [.ignored(.stray)] }
        return receiveSecured(datagram, over: .udp)
    }

    mutating func accept(on base: Endpoint, from peer: Endpoint, at now: Instant) -> ICEAgent.ConnectionID? {
        guard let index = index(of: .tcp) else { return nil }
        return sessions[index].agent.accept(on: base, from: peer, at: now)
    }

    mutating func connected(_ connection: ICEAgent.ConnectionID, local: Endpoint, at now: Instant) -> [Effect] {
        guard let index = index(of: .tcp) else { return [] }
        return translate(sessions[index].agent.connected(connection, local: local, at: now), of: index, at: now)
    }

    mutating func disconnected(_ connection: ICEAgent.ConnectionID, at now: Instant) -> [Effect] {
        guard let index = index(of: .tcp) else { return [] }
        return translate(sessions[index].agent.disconnected(connection, at: now), of: index, at: now)
    }

    mutating func receive(_ bytes: [UInt8], on connection: ICEAgent.ConnectionID, at now: Instant) -> [Effect] {
        guard let index = index(of: .tcp) else { return [.ignored(.stray)] }
        return translate(sessions[index].agent.receive(bytes.span, on: connection, at: now), of: index, at: now)
    }

    /// Sends what TLS or DTLS wrote.
    mutating func transmit(_ bytes: [UInt8], at now: Instant) -> [Effect] {
        guard case .securing(let transport) = phase, let index = index(of: transport) else { return [] }
        return translate(sessions[index].agent.send(bytes, component: 1, at: now), of: index, at: now)
    }

    /// The channel is secured: the other session is no longer needed.
    mutating func secured(at now: Instant) -> [Effect] {
        guard case .securing(let chosen) = phase else { return [] }
        timers.cancel(.negotiation)
        var effects: [Effect] = []
        for index in sessions.indices.reversed() where sessions[index].transport != chosen {
            effects += release(index)
            sessions.remove(at: index)
        }
        return effects
    }

    /// Gives all sockets back.
    mutating func close() -> [Effect] {
        guard case .closed = phase else {
            phase = .closed
            timers = TimerTable()
            let effects = sessions.indices.flatMap { release($0) }
            sessions = []
            return effects
        }
        return []
    }

    // MARK: - Time

    package var deadline: Instant? {
        sessions.reduce(timers.deadline) { earlier($0, $1.agent.deadline) }
    }

    package mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        for transport in sessions.map(\.transport) {
            guard let index = index(of: transport) else { continue }
            effects += translate(sessions[index].agent.advance(to: now), of: index, at: now)
        }
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .reply: effects += fail(.noReply)
            case .negotiation: effects += fail(hasPair ? .timedOut : .noPath)
            case .grace: effects += choose(at: now, patient: false)
            case .repair: effects += fail(.stranded)
            }
        }
        return effects
    }

    // MARK: - Steps

    private mutating func describeIfReady(at now: Instant) -> [Effect] {
        guard case .gathering = phase, mayDescribe, sessions.allSatisfy({ $0.isGathered }) else { return [] }
        guard sessions.contains(where: { !$0.agent.localCandidates.isEmpty }) else { return fail(.noPath) }
        let effect = Effect.describe(localDescriptions())
        guard isOutgoing else { return [effect] + negotiate(at: now) }
        phase = .waitingForReply
        timers.set(.reply, at: now.advanced(by: timing.reply))
        return [effect]
    }

    private func localDescriptions() -> SessionOffer {
        func description(_ transport: SessionTransport) -> SwiftICE.SessionDescription? {
            sessions.first { $0.transport == transport }.map {
                SwiftICE.SessionDescription(
                    credentials: $0.agent.localCredentials, candidates: $0.agent.localCandidates)
            }
        }
        return SessionOffer(udp: description(.udp), tcp: description(.tcp))
    }

    private mutating func negotiate(at now: Instant) -> [Effect] {
        phase = .negotiating
        timers.set(.negotiation, at: now.advanced(by: timing.negotiation))
        var effects: [Effect] = []
        for transport in sessions.map(\.transport) {
            guard let index = index(of: transport) else { continue }
            guard let description = remote[transport] else {
                sessions[index].state = .failed
                continue
            }
            sessions[index].state = .running
            let started = sessions[index].agent.start(remote: description, peer: peer.iceOptions, at: now)
            effects += translate(started, of: index, at: now)
        }
        return effects + choose(at: now, patient: true)
    }

    /// Decides which session is secured, once that can be decided, and by whom it is to be decided.
    private mutating func choose(at now: Instant, patient: Bool) -> [Effect] {
        guard case .negotiating = phase else { return [] }
        for session in sessions {
            switch session.state {
            case .connected(let pair):
                return session.agent.role == .controlling ? secure(session.transport, pair: pair, as: .client) : []
            case .failed: continue
            case .gathering, .gathered, .running:
                guard patient else { continue }
                if hasPair, !timers.isSet(.grace) {
                    timers.set(.grace, at: now.advanced(by: timing.grace(in: dialect)))
                }
                return []
            }
        }
        return sessions.allSatisfy { $0.hasFailed } ? fail(.noPath) : []
    }

    private mutating func secure(
        _ transport: SessionTransport, pair: ICEAgent.SelectedPair, as role: SecureRole
    ) -> [Effect] {
        phase = .securing(transport)
        timers.cancel(.grace)
        let inputs = early.filter { $0.transport == transport }.map { Effect.secureInput($0.bytes) }
        early = []
        return [.secure(role, transport, pair: pair)] + inputs
    }

    /// Bytes for TLS or DTLS. From a peer that is the client the first ones also say which session it took.
    private mutating func receiveSecured(_ bytes: [UInt8], over transport: SessionTransport) -> [Effect] {
        switch phase {
        case .securing(transport): return [.secureInput(bytes)]
        case .waitingForReply, .negotiating:
            guard early.count < Self.earlyInputLimit else {
                // A stream cannot go on without what is left out; the client repeats its datagrams.
                return transport == .tcp ? fail(.lost) : [.ignored(.overflow)]
            }
            early.append((transport, bytes))
            return followClient(over: transport)
        case .gathering, .securing, .closed: return [.ignored(.stray)]
        }
    }

    /// Takes the session the peer has begun to secure, where the peer is the client.
    private mutating func followClient(over transport: SessionTransport) -> [Effect] {
        guard case .negotiating = phase, let index = index(of: transport), let pair = sessions[index].pair,
            sessions[index].agent.role == .controlled, early.contains(where: { $0.transport == transport })
        else { return [] }
        return secure(transport, pair: pair, as: .server)
    }

    private mutating func translate(
        _ effects: [ICEAgent.Effect], of index: Int, at now: Instant
    ) -> [Effect] {
        let transport = sessions[index].transport
        var translated: [Effect] = []
        // One effect may end the link, and with it its sockets.
        for effect in effects where !isClosed {
            switch effect {
            case .send(let bytes, let base, let peer):
                translated.append(.network(transport, .send(bytes, from: base, to: peer)))
            case .connect(let connection, let base, let peer):
                translated.append(.network(transport, .connect(connection, from: base, to: peer)))
            case .write(let bytes, let connection):
                translated.append(.network(transport, .write(bytes, on: connection)))
            case .disconnect(let connection): translated.append(.network(transport, .disconnect(connection)))
            case .received(let bytes, _): translated += receiveSecured(bytes, over: transport)
            case .selected(let pair, _):
                translated += NetworkAction.preferring(pair).map { .network(transport, $0) }
                translated += selected(pair, for: transport, at: now)
            case .permit(let address, let base): translated.append(.network(transport, .permit(address, on: base)))
            case .lost: translated += lost(transport, at: now)
            case .completed, .resolve, .openSockets, .closeSockets: break
            case .failed: translated += sessionFailed(transport, at: now)
            case .ignored(let reason): translated.append(.ignored(.ice(reason)))
            }
        }
        return translated
    }

    private mutating func selected(
        _ pair: ICEAgent.SelectedPair, for transport: SessionTransport, at now: Instant
    ) -> [Effect] {
        guard let index = index(of: transport) else { return [] }
        sessions[index].state = .connected(pair)
        timers.cancel(.repair)
        guard case .negotiating = phase else { return [] }
        return [.connected(transport, pair: pair)] + followClient(over: transport) + choose(at: now, patient: true)
    }

    /// The path in use is gone, and a stream with it. Datagrams may find another one, until they do not for too long; toward
    /// a Swiftlet another link takes their place sooner.
    private mutating func lost(_ transport: SessionTransport, at now: Instant) -> [Effect] {
        guard case .securing(transport) = phase else { return [] }
        guard transport == .udp else { return fail(peer.isSwiftlet ? .stranded : .lost) }
        if peer.isSwiftlet { timers.set(.repair, at: now.advanced(by: timing.repair)) }
        return []
    }

    private mutating func sessionFailed(_ transport: SessionTransport, at now: Instant) -> [Effect] {
        guard let index = index(of: transport) else { return [] }
        sessions[index].state = .failed
        if case .securing(transport) = phase { return fail(.lost) }
        return choose(at: now, patient: true)
    }

    private mutating func fail(_ failure: Failure) -> [Effect] { close() + [.failed(failure)] }

    private mutating func release(_ index: Int) -> [Effect] {
        let transport = sessions[index].transport
        let closing = sessions[index].agent.close()
        let goodbyes: [Effect] = closing.compactMap { effect in
            guard case .disconnect(let connection) = effect else { return nil }
            return .network(transport, .disconnect(connection))
        }
        return goodbyes + [.release(transport)]
    }

    /// Whether the peer was told of our addresses and has not answered.
    var awaitsReply: Bool { if case .waitingForReply = phase { true } else { false } }

    private var isClosed: Bool { if case .closed = phase { true } else { false } }

    private var hasPair: Bool { sessions.contains { $0.pair != nil } }

    private func index(of transport: SessionTransport) -> Int? {
        sessions.firstIndex { $0.transport == transport }
    }
}

/// The earlier of two deadlines, where `nil` is never.
func earlier(_ left: Instant?, _ right: Instant?) -> Instant? {
    switch (left, right) {
    case (let left?, let right?): min(left, right)
    case (let left?, nil): left
    case (nil, let right): right
    }
}
