package import SansIO
package import SwiftICE

/// Two agents and the networks between them, in virtual time; everything random comes from one seed.
///
/// A network is the internet or the inside of a ``NATBox``; an address lives in one of them.
package struct VirtualNetwork {
    /// An address of a side.
    package struct Place: Hashable, Sendable {
        package let side: Int
        package let address: IPAddress
        /// The box it is behind; `nil` for the internet.
        package let network: Int?
    }

    enum Event {
        case datagram([UInt8], from: Endpoint, to: Endpoint, network: Int?)
        case relayed([UInt8], side: Int, base: Endpoint, from: Endpoint)
        case permission(side: Int, IPAddress, on: Endpoint)
        case opened(side: Int, [Endpoint], beside: Endpoint)
        case knock(End, from: Endpoint, to: Endpoint, network: Int?)
        case connected(side: Int, ICEAgent.ConnectionID, local: Endpoint)
        case bytes(side: Int, ICEAgent.ConnectionID, [UInt8])
        case closed(side: Int, ICEAgent.ConnectionID)
        case start(side: Int)
        case offer(side: Int, SessionDescription, isAnswer: Bool)
        case trickle(side: Int, [Candidate], fragment: String)
    }
    private struct Entry {
        let at: Instant
        let serial: Int
        let event: Event
    }
    struct End: Hashable {
        let side: Int
        let id: ICEAgent.ConnectionID
    }

    package var agents: [ICEAgent]
    /// What each side knows of the other beside its description.
    package var options = [ICEAgent.PeerOptions(), ICEAgent.PeerOptions()]
    package var loss = 0.0
    package var duplication = 0.0
    package var delay = Duration.milliseconds(1)...Duration.milliseconds(40)
    /// How long a description takes.
    package var signalling = Duration.milliseconds(50)
    package internal(set) var boxes: [NATBox] = []
    package internal(set) var places: [Place] = []
    package internal(set) var now = Instant.zero
    package private(set) var log: [[ICEAgent.Effect]] = [[], []]
    /// Datagrams that are no STUN, per side.
    package internal(set) var data: [[[UInt8]]] = [[], []]
    /// Sockets that were opened for a search at random ports and not closed, per side.
    package internal(set) var sockets: [Set<Endpoint>] = [[], []]
    package internal(set) var connects = 0
    package internal(set) var sent = [0, 0]
    /// What an agent did that no agent may do.
    package internal(set) var violations: [String] = []
    /// Told of every effect and change of state, to follow a run.
    package var trace: (@Sendable (String) -> Void)?
    package var random: RandomSource
    var relays: [Relay] = []
    /// When each path last carried an answer to its side.
    var heard: [Flow: Instant] = [:]
    var links: [End: End] = [:]
    var attempts: [Attempt] = []
    var lastArrival: [End: Instant] = [:]
    var nextPort: UInt16 = 40_000
    private var events: [Entry] = []
    private var serial = 0

    /// Agents without bases; see ``place(_:side:in:)`` and ``addBase(_:side:)``.
    package init(
        seed: UInt64, roles: [Role], components: Int = 1, configuration: Configuration = Configuration()
    ) {
        random = .seeded(seed)
        agents = []
        for side in 0..<2 {
            agents.append(
                ICEAgent(
                    configuration: configuration, role: roles[side], components: components, random: random.split()))
        }
    }

    /// Agents whose bases are all on the internet.
    package init(
        seed: UInt64, roles: [Role], bases: [[ICEAgent.Base]], configuration: Configuration = Configuration()
    ) {
        self.init(
            seed: seed, roles: roles, components: bases.joined().map(\.component).max() ?? 1,
            configuration: configuration)
        for side in 0..<2 {
            for base in bases[side] {
                place(base.endpoint.address, side: side)
                addBase(base, side: side)
            }
        }
    }

    /// UDP or TCP bases of one component each; one address of each prefix.
    package static func bases(
        _ side: Int, components: Int, _ transport: ICEAgent.Base.Transport, addresses: [String]
    ) -> [ICEAgent.Base] {
        (1...components).flatMap { component in
            addresses.compactMap { text in
                IPAddress(text).map {
                    ICEAgent.Base(
                        component: component,
                        endpoint: Endpoint($0, port: UInt16(5000 + 100 * side + component)), transport: transport)
                }
            }
        }
    }

    /// Has a side start with the other's description of that moment.
    package mutating func start(side: Int, after delay: Duration) { schedule(.start(side: side), after: delay) }

    /// Has a side restart; its description and the answer travel by signalling.
    package mutating func restart(side: Int) {
        perform(agents[side].restart(at: now), side)
        schedule(.offer(side: 1 - side, agents[side].localDescription, isAnswer: false), after: signalling)
    }

    /// Tells the other side the candidates it has not been told.
    package mutating func trickle(side: Int) {
        let candidates = agents[side].takeNewCandidates()
        guard !candidates.isEmpty else { return }
        let fragment = agents[side].localCredentials.fragment
        schedule(.trickle(side: 1 - side, candidates, fragment: fragment), after: signalling)
    }

    /// Has a side send application data.
    package mutating func send(_ payload: [UInt8], component: Int, side: Int) {
        perform(agents[side].send(payload, component: component, at: now), side)
    }

    package mutating func addMapped(
        _ mapped: Endpoint, base: ICEAgent.Base, tcp: Candidate.TCPRole = .passive, side: Int
    ) {
        perform(agents[side].addMapped(mapped, base: base, tcp: tcp, at: now), side)
    }

    package mutating func addBase(_ base: ICEAgent.Base, side: Int) {
        perform(agents[side].addBase(base, at: now), side)
    }

    package mutating func removeBase(_ base: ICEAgent.Base, side: Int) {
        places.removeAll { $0.side == side && $0.address == base.endpoint.address }
        perform(agents[side].removeBase(base, at: now), side)
    }

    package mutating func close(side: Int) { perform(agents[side].close(), side) }

    /// Hands a side a datagram as if it came from anywhere, which only an attacker can do.
    package mutating func inject(_ bytes: [UInt8], on base: Endpoint, from source: Endpoint, side: Int) {
        perform(agents[side].receive(bytes.span, on: base, from: source, at: now), side)
    }

    /// Lets a side's clock stand still while the others' goes on is not possible here; instead both sleep: nothing is
    /// delivered and no timer fires until `duration` has passed.
    package mutating func sleep(_ duration: Duration) {
        now = now.advanced(by: duration)
        events.removeAll { $0.at <= now }
    }

    /// Lets time pass until `isDone`, or up to `limit`; returns whether it was done.
    @discardableResult
    package mutating func run(until limit: Instant, isDone: (VirtualNetwork) -> Bool = { _ in false }) -> Bool {
        var steps = 0
        while !isDone(self) {
            steps += 1
            let deadlines = agents.compactMap(\.deadline) + events.prefix(1).map(\.at)
            guard let next = deadlines.min(), next <= limit else {
                now = max(now, limit)
                return isDone(self)
            }
            guard steps < 200_000 else {
                violations.append("no end of events")
                return false
            }
            now = max(now, next)
            if let first = events.first, first.at <= now {
                events.removeFirst()
                deliver(first.event)
            }
            for side in 0..<2 { perform(agents[side].advance(to: now), side) }
        }
        return true
    }

    /// Lets a time pass.
    package mutating func pass(_ duration: Duration) { run(until: now.advanced(by: duration)) }

    package var isCompleted: Bool { agents.allSatisfy { $0.state == .completed } }

    mutating func schedule(_ event: Event, after delay: Duration) {
        serial += 1
        let entry = Entry(at: now.advanced(by: delay), serial: serial, event: event)
        let index = events.firstIndex { ($0.at, $0.serial) > (entry.at, entry.serial) } ?? events.endIndex
        events.insert(entry, at: index)
    }

    mutating func perform(_ effects: [ICEAgent.Effect], _ side: Int) {
        for effect in effects {
            log[side].append(effect)
            trace?("\(Instant.zero.duration(to: now)) \(side) \(Self.text(effect))")
            switch effect {
            case .send(let bytes, let from, let to):
                sent[side] += 1
                inspect(bytes, Flow(side: side, base: from, peer: to))
                transmit(bytes, side: side, from: from, to: to)
            case .connect(let id, let from, let to): connect(End(side: side, id: id), from, to)
            case .write(let bytes, let id): write(bytes, End(side: side, id: id))
            case .disconnect(let id): disconnect(End(side: side, id: id))
            case .permit(let address, let base):
                schedule(.permission(side: side, address, on: base), after: random.duration(in: delay) * 2)
            case .openSockets(let base, let count): openSockets(count, beside: base, side)
            case .closeSockets(let closed): sockets[side].subtract(closed)
            case .received, .selected, .completed, .lost, .resolve, .failed, .ignored: break
            }
        }
    }

    private mutating func deliver(_ event: Event) {
        switch event {
        case .datagram(let bytes, let from, let to, let network): arrive(bytes, from, to, network)
        case .relayed(let bytes, let side, let base, let from): receive(bytes, side: side, on: base, from: from)
        case .permission(let side, let address, let base): answerPermission(side, address, base)
        case .opened(let side, let opened, let base):
            perform(agents[side].opened(opened, beside: base, at: now), side)
        case .knock(let end, let from, let to, let network): knock(end, from, to, network)
        case .connected(let side, let id, let local):
            perform(agents[side].connected(id, local: local, at: now), side)
        case .bytes(let side, let id, let bytes):
            guard links[End(side: side, id: id)] != nil else { return }
            perform(agents[side].receive(bytes.span, on: id, at: now), side)
        case .closed(let side, let id):
            links[End(side: side, id: id)] = nil
            perform(agents[side].disconnected(id, at: now), side)
        case .start(let side): start(side, with: agents[1 - side].localDescription)
        case .offer(let side, let description, let isAnswer):
            if !isAnswer {
                perform(agents[side].restart(at: now), side)
                schedule(.offer(side: 1 - side, agents[side].localDescription, isAnswer: true), after: signalling)
            }
            start(side, with: description)
        case .trickle(let side, let candidates, let fragment):
            perform(agents[side].addRemoteCandidates(candidates, fragment: fragment, at: now), side)
        }
    }

    private mutating func start(_ side: Int, with description: SessionDescription) {
        perform(agents[side].start(remote: description, peer: options[side], at: now), side)
    }
}
