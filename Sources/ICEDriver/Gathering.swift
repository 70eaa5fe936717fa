internal import EventLoop
internal import SansIO
internal import SwiftICE

/// Where a session can be reached: opens its sockets and asks STUN servers about them.
///
/// A class, as answers change the session, which looks here while they do.
final class Gathering {
    /// A question of one socket to one server.
    private struct Question {
        let base: ICEAgent.Base
        var request: BindingRequest
    }

    private enum Phase {
        case idle
        case running(since: Instant)
        case done
    }

    private var phase = Phase.idle
    private(set) var bases: [ICEAgent.Base] = []
    private var questions: [Question] = []

    /// When ``advance(to:_:)`` next has something to do.
    func deadline(_ session: ICESession) -> Instant? {
        var deadlines = questions.map(\.request.deadline)
        if case .running(let start) = phase {
            let waits = [session.configuration.mappingPatience, patience(session)]
            deadlines += waits.map { start.advanced(by: $0) }.filter { $0 > session.loop.now }
        }
        return deadlines.compactMap(\.self).min()
    }

    /// How long to wait for servers: less once there is a relay, through which every peer can be reached.
    private func patience(_ session: ICESession) -> Duration {
        let hasRelay = session.relays.contains { !$0.relayed.isEmpty }
        return hasRelay ? session.configuration.patienceWithRelay : session.configuration.gatheringPatience
    }

    /// Whether ``ICESession/gather()`` was called.
    var hasBegun: Bool { if case .idle = phase { false } else { true } }

    /// Whether everything was told.
    var isDone: Bool { if case .done = phase { true } else { false } }

    func component(of base: Endpoint) -> Int? { bases.first { $0.endpoint == base }?.component }

    /// Opens sockets at all addresses, and asks the servers.
    func start(_ session: ICESession) -> [ICEAgent.Base] {
        let configuration = session.configuration
        phase = .running(since: session.loop.now)
        let found = configuration.addresses ?? (try? Interfaces.addresses())?.map(\.endpoint) ?? []
        // A peer on the same link is reached at the other addresses as well, and each pair delays those behind it.
        let wider = found.filter { !$0.address.isLinkLocal }
        for address in wider.isEmpty ? found : wider {
            for component in 1...session.agent.components {
                if configuration.usesUDP,
                    let endpoint = session.sockets.openDatagram(
                        at: address, batch: session.batch, buffer: configuration.socketBuffer)
                {
                    bases.append(ICEAgent.Base(component: component, endpoint: endpoint, transport: .udp))
                }
                if configuration.usesTCP, let endpoint = session.sockets.openListener(at: address) {
                    bases.append(ICEAgent.Base(component: component, endpoint: endpoint, transport: .tcp))
                }
            }
        }
        return bases
    }

    /// Asks the servers about every UDP socket.
    func ask(_ session: ICESession, random: inout RandomSource) {
        for base in bases where base.transport == .udp && !base.endpoint.address.isLinkLocal {
            for server in session.configuration.stunServers
            where server.address.family == base.endpoint.address.family {
                let request = BindingRequest(
                    server: server, timing: session.configuration.stunTiming, random: &random)
                questions.append(Question(base: base, request: request))
                perform(questions[questions.count - 1].request.start(at: session.loop.now), base, session)
            }
        }
    }

    /// Takes a STUN message if it answers one of the questions.
    func receive(
        _ bytes: Span<UInt8>, on base: Endpoint, from source: Endpoint, at now: Instant, _ session: ICESession
    ) -> Bool {
        for index in questions.indices
        where questions[index].base.endpoint == base && questions[index].request.server == source {
            let effects = questions[index].request.receive(bytes, from: source, at: now)
            if case .ignored? = effects.first { continue }
            let asked = questions[index].base
            questions.removeAll { $0.request.deadline == nil }
            perform(effects, asked, session)
            session.finishGatheringIfDone()
            return true
        }
        return false
    }

    /// Repeats questions, and ends the wait for their answers.
    func advance(to now: Instant, _ session: ICESession) {
        for index in questions.indices {
            perform(questions[index].request.advance(to: now), questions[index].base, session)
        }
        questions.removeAll { $0.request.deadline == nil }
        session.finishGatheringIfDone()
    }

    /// Whether there is nothing to wait for any more; true once.
    func finish(_ session: ICESession) -> Bool {
        guard case .running(let start) = phase else { return false }
        let waited = start.duration(to: session.loop.now)
        let isWaitingForServers = !questions.isEmpty || session.relays.contains { !$0.isSettled }
        let isWaitingForGateways = session.mappings.contains { !$0.isSettled }
        guard !isWaitingForServers || waited >= patience(session),
            !isWaitingForGateways || waited >= session.configuration.mappingPatience
        else { return false }
        phase = .done
        return true
    }

    private func perform(_ effects: [BindingRequest.Effect], _ base: ICEAgent.Base, _ session: ICESession) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let server): session.send(bytes, from: base.endpoint, to: server)
            case .answered(let mapped, _): session.learn(mapped, of: base)
            case .failed, .ignored: break
            }
        }
    }
}

extension ICESession {
    /// Opens the sockets and looks for the addresses they are seen at; to be called once.
    public func gather() {
        guard !gathering.hasBegun else { return }
        for base in gathering.start(self) { perform(agent.addBase(base, at: loop.now)) }
        var random = RandomSource.system
        gathering.ask(self, random: &random)
        startRelays()
        startMappings()
        finishGatheringIfDone()
        setAlarm()
    }

    func learn(_ mapped: Endpoint, of base: ICEAgent.Base) {
        addLate(mapped) { $0.addMapped(mapped, base: base, at: $1) }
    }

    /// Adds a candidate, and tells it if the others were told already.
    func addLate(_ endpoint: Endpoint, _ add: (inout ICEAgent, Instant) -> [ICEAgent.Effect]) {
        let known = agent.localCandidates.count
        perform(add(&agent, loop.now))
        guard gathering.isDone, agent.localCandidates.count > known,
            let candidate = agent.localCandidates.first(where: { $0.endpoint == endpoint })
        else { return }
        handlers.found(candidate)
    }

    func finishGatheringIfDone() {
        guard gathering.finish(self) else { return }
        handlers.gathered()
    }
}
