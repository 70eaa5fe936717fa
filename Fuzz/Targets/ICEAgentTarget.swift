import SansIO
import SwiftICE

extension FuzzTarget {
    /// An ICE agent: the bytes choose what the peer, the network, the embedder and the clock do.
    static let iceAgent = FuzzTarget(name: "ice-agent") { bytes throws(Finding) in
        var fuzz = ICEAgentFuzz(Choices(bytes))
        try fuzz.run()
    }
}

private struct ICEAgentFuzz {
    private static let udp = ICEAgent.Base(
        component: 1, endpoint: Endpoint(.v4(0x0A00_0001), port: 1000), transport: .udp)
    private static let tcp = ICEAgent.Base(
        component: 1, endpoint: Endpoint(.v4(0x0A00_0001), port: 1000), transport: .tcp)

    private static let relayed = ICEAgent.Base(
        component: 1, endpoint: Endpoint(.v4(0x0909_0901), port: 1000), transport: .udp, kind: .relayed)

    private var choices: Choices
    private var agent: ICEAgent
    private let remote: Credentials
    private var now = Instant.zero
    /// Requests the agent sent last, to be answered.
    private var asked: [[UInt8]] = []
    private var connections: [ICEAgent.ConnectionID] = []
    /// What the agent asked of relays and of name servers last.
    private var permissions: [(address: IPAddress, base: Endpoint)] = []
    private var names: [String] = []
    private var bases: [ICEAgent.Base] = []
    /// Sockets opened for a search at random ports, and the base beside which more are wanted.
    private var sockets: [Endpoint] = []
    private var wanted: (base: Endpoint, count: Int)?
    private var isOver = false

    init(_ choices: Choices) {
        self.choices = choices
        var random = RandomSource.seeded(2)
        remote = Credentials(random: &random)
        let role: Role = self.choices.byte() & 1 == 0 ? .controlling : .controlled
        agent = ICEAgent(role: role, components: 2, random: .seeded(1))
    }

    mutating func run() throws(Finding) {
        try add(Self.udp)
        try add(Self.tcp)
        for _ in 0..<512 where !choices.isAtEnd {
            try step()
            let later = now.advanced(by: choices.duration())
            try take(try pass(&agent, until: later))
            now = later
            try checkLimits()
        }
    }

    private mutating func step() throws(Finding) {
        let choice = choices.byte()
        switch choice % 16 {
        case 0: try receive(choices.bytes())
        case 1: try receive(request(), on: choice & 0x80 == 0 ? nil : sockets.last)
        case 2, 3: try receive(response())
        case 4:
            var peer = ICEAgent.PeerOptions()
            peer.probesRandomPorts = choice & 0x80 != 0
            try take(agent.start(remote: description(), peer: peer, at: now))
        case 5: try take(agent.addRemoteCandidates(description().candidates, at: now))
        case 6: try take(agent.send(choices.bytes(), component: Int(choices.byte()), at: now))
        case 7: accept()
        case 8: try connection()
        case 9: try take(agent.addMapped(endpoint(), base: choices.byte() & 1 == 0 ? Self.udp : Self.tcp, at: now))
        case 10: agent.endOfRemoteCandidates(at: now)
        case 11:
            isOver = false
            try take(agent.restart(at: now))
        case 12: try changeBases()
        case 13:
            guard let asked = choices.element(of: permissions) else { return }
            let isGranted = choices.byte() & 1 == 0
            try take(
                isGranted
                    ? agent.permitted(asked.address, on: asked.base, at: now)
                    : agent.permissionFailed(asked.address, on: asked.base, at: now))
        case 14: try name()
        case 15 where choice & 0x80 != 0: try openSockets()
        default:
            if choices.byte() == 7 { try take(agent.close()) }
        }
    }

    private mutating func add(_ base: ICEAgent.Base) throws(Finding) {
        if !bases.contains(base) { bases.append(base) }
        try take(agent.addBase(base, at: now))
    }

    private mutating func changeBases() throws(Finding) {
        let choice = choices.byte()
        let base = [Self.udp, Self.tcp, Self.relayed][Int(choice % 3)]
        guard choice & 0x80 != 0 else { return try add(base) }
        try take(agent.removeBase(base, at: now))
        bases.removeAll { $0 == base }
    }

    private mutating func name() throws(Finding) {
        let choice = choices.byte()
        if choice & 1 == 0, let name = choices.element(of: names) {
            return try take(agent.resolved(name, to: [endpoint().address], at: now))
        }
        let line = Candidate.parse(line: "1 1 UDP 2130706431 n\(choice >> 1 & 15).local 2000 typ host")
        try take(agent.addRemoteCandidate(line, at: now))
    }

    private mutating func accept() {
        if let id = agent.accept(on: Self.tcp.endpoint, from: endpoint(), at: now) { connections.append(id) }
    }

    private mutating func connection() throws(Finding) {
        guard let id = choices.element(of: connections) else { return }
        switch choices.byte() % 5 {
        case 0: try take(agent.connected(id, local: endpoint(), at: now))
        case 1: try take(agent.disconnected(id, at: now))
        case 2: try take(agent.receive(choices.bytes().span, on: id, at: now))
        case 3: try take(agent.receive(StreamFraming.frame(request()).span, on: id, at: now))
        default: try take(agent.receive(StreamFraming.frame(response()).span, on: id, at: now))
        }
    }

    private mutating func receive(_ datagram: [UInt8], on socket: Endpoint? = nil) throws(Finding) {
        try take(agent.receive(datagram.span, on: socket ?? Self.udp.endpoint, from: endpoint(), at: now))
    }

    private mutating func openSockets() throws(Finding) {
        guard let (base, count) = wanted else { return }
        wanted = nil
        let opened = (0..<min(count, Int(choices.byte()))).map { base.with(port: UInt16(3000 + $0)) }
        sockets += opened
        try take(agent.opened(opened, beside: base, at: now))
    }

    // MARK: What the peer sends

    /// One of a few addresses, so that they meet again.
    private mutating func endpoint() -> Endpoint {
        let choice = choices.byte()
        let address: IPAddress = choice & 0x80 == 0 ? .v4(0x0A00_0002 + UInt32(choice & 3)) : .v4(UInt32(choice) << 24)
        return Endpoint(address, port: 2000 + UInt16(choice >> 2 & 3))
    }

    private mutating func description() -> SessionDescription {
        let transports: [Candidate.Transport] = [.udp, .tcp(.passive), .tcp(.active), .tcp(.simultaneousOpen)]
        var candidates: [Candidate] = []
        for _ in 0..<Int(choices.byte() % 8) {
            let (shape, endpoint) = (choices.byte(), endpoint())
            candidates.append(
                Candidate(
                    foundation: Foundation(kind: .host, base: endpoint.address), component: Int(shape >> 2 & 3),
                    transport: transports[Int(shape & 3)], priority: UInt32(choices.word()) << 8 | 1,
                    endpoint: endpoint, kind: shape & 0x80 == 0 ? .host : .serverReflexive))
        }
        return SessionDescription(credentials: remote, candidates: candidates)
    }

    /// A check that knows the agent's password.
    private mutating func request() -> [UInt8] {
        let shape = choices.byte()
        var builder = MessageBuilder(
            .request, .binding, TransactionID(high: UInt32(choices.byte()), low: UInt64(shape)))
        if shape & 1 == 0 { builder.add(.username("\(agent.localCredentials.fragment):\(remote.fragment)")) }
        if shape & 2 == 0 { builder.add(.priority(UInt32(choices.word()))) }
        let tieBreaker = UInt64(choices.byte()) << 56
        builder.add(shape & 4 == 0 ? .iceControlling(tieBreaker) : .iceControlled(tieBreaker))
        if shape & 8 != 0 { builder.add(.useCandidate) }
        if shape & 16 != 0 { builder.add(.unknown(AttributeType(rawValue: choices.word()), choices.bytes())) }
        builder.addIntegrity(IntegrityKey(shortTerm: agent.localCredentials.password))
        return builder.finishedWithFingerprint()
    }

    /// An answer to one of the agent's checks, under the key it expects.
    private mutating func response() -> [UInt8] {
        guard let asked = choices.element(of: asked), let request = try? Message(decoding: asked) else { return [] }
        let shape = choices.byte()
        var builder = MessageBuilder(shape & 1 == 0 ? .success : .error, .binding, request.transaction)
        if shape & 2 == 0 { builder.add(.xorAddress(.xorMappedAddress, endpoint())) }
        if shape & 1 != 0 { builder.add(.errorCode(shape & 4 == 0 ? .roleConflict : .badRequest, reason: "")) }
        if shape & 8 != 0 { builder.add(.unknown(AttributeType(rawValue: choices.word()), choices.bytes())) }
        builder.addIntegrity(IntegrityKey(shortTerm: shape & 16 == 0 ? remote.password : ""))
        return builder.finishedWithFingerprint()
    }

    // MARK: What the agent does

    private mutating func take(_ effects: [ICEAgent.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            switch effect {
            case .send(let bytes, let base, _):
                try require(
                    bases.contains { $0.endpoint == base && $0.transport == .udp } || sockets.contains(base),
                    "datagrams leave from a base")
                remember(bytes)
            case .write(let bytes, let id):
                try require(connections.contains(id), "only open connections are written to")
                remember(Array(bytes.dropFirst(2)))
            case .connect(let id, let from, _):
                try require(from.port == 0, "connections are opened from any port")
                connections.append(id)
            case .disconnect(let id): connections.removeAll { $0 == id }
            case .completed, .failed:
                try require(!isOver || effect != .completed, "a session completes once")
                isOver = true
            case .lost: isOver = false
            case .permit(let address, let base):
                permissions.append((address, base))
                if permissions.count > 8 { permissions.removeFirst() }
            case .openSockets(let base, let count): wanted = (base, count)
            case .closeSockets(let closed): sockets.removeAll { closed.contains($0) }
            case .resolve(let host):
                names.append(host)
                if names.count > 8 { names.removeFirst() }
            case .received, .selected, .ignored: break
            }
        }
    }

    private mutating func remember(_ bytes: [UInt8]) {
        guard let message = try? Message(decoding: bytes), message.type.messageClass == .request else { return }
        asked.append(bytes)
        if asked.count > 8 { asked.removeFirst() }
    }

    private func checkLimits() throws(Finding) {
        let isRunning = agent.state == .new || agent.state == .checking || agent.state == .completed
        try require(isRunning || agent.deadline == nil, "a session that is over waits for nothing")
        try require(agent.localCandidates.count <= 62, "candidates are bounded")
    }
}
