import SansIO
import SwiftICE

/// Two agents and the paths between them, in virtual time; everything random comes from one seed.
struct VirtualNetwork {
    /// A NAT in front of side 0.
    enum NAT { case none, portRestricted, symmetric }

    private enum Event {
        case datagram([UInt8], from: Endpoint, to: Endpoint)
        case knock(side: Int, ICEAgent.ConnectionID, from: Endpoint, to: Endpoint)
        case connected(side: Int, ICEAgent.ConnectionID, local: Endpoint)
        case bytes(side: Int, ICEAgent.ConnectionID, [UInt8])
        case closed(side: Int, ICEAgent.ConnectionID)
        case start(side: Int)
    }
    private struct Entry {
        let at: Instant
        let serial: Int
        let event: Event
    }
    private struct End: Hashable {
        let side: Int
        let id: ICEAgent.ConnectionID
    }
    private struct Mapping {
        let inside: Endpoint
        let outside: Endpoint
        var peers: Set<Endpoint>
    }

    var agents: [ICEAgent]
    var loss = 0.0
    var duplication = 0.0
    var delay = Duration.milliseconds(1)...Duration.milliseconds(40)
    var nat = NAT.none
    private(set) var now = Instant.zero
    private(set) var log: [[ICEAgent.Effect]] = [[], []]
    /// Datagrams that are no STUN, per side.
    private(set) var data: [[[UInt8]]] = [[], []]
    private(set) var connects = 0
    private(set) var sent = [0, 0]
    private var random: RandomSource
    private var events: [Entry] = []
    private var serial = 0
    private var links: [End: End] = [:]
    private var lastArrival: [End: Instant] = [:]
    private var mappings: [Mapping] = []
    private var nextPort: UInt16 = 40_000
    private let bases: [[ICEAgent.Base]]

    init(seed: UInt64, roles: [Role], bases: [[ICEAgent.Base]], configuration: Configuration = Configuration()) {
        random = .seeded(seed)
        self.bases = bases
        agents = []
        for side in 0..<2 {
            var agent = ICEAgent(
                configuration: configuration, role: roles[side],
                components: bases[side].map(\.component).max() ?? 1, random: random.split())
            for base in bases[side] { log[side] += agent.addBase(base, at: .zero) }
            agents.append(agent)
        }
    }

    /// UDP or TCP bases of one component each; one address of each prefix.
    static func bases(_ side: Int, components: Int, _ transport: ICEAgent.Base.Transport, addresses: [String])
        -> [ICEAgent.Base]
    {
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

    mutating func start(side: Int, after delay: Duration) { schedule(.start(side: side), after: delay) }

    /// Has a side send application data.
    mutating func send(_ payload: [UInt8], component: Int, side: Int) {
        let effects = agents[side].send(payload, component: component, at: now)
        perform(effects, side)
    }

    mutating func addMapped(_ mapped: Endpoint, base: ICEAgent.Base, side: Int) {
        log[side] += agents[side].addMapped(mapped, base: base, at: now)
    }

    mutating func close(side: Int) { perform(agents[side].close(), side) }

    /// Cuts every connection between the two, as both notice.
    mutating func reset() {
        let ends = links.keys.sorted { ($0.side, "\($0.id)") < ($1.side, "\($1.id)") }
        links = [:]
        for end in ends { schedule(.closed(side: end.side, end.id), after: .zero) }
    }

    /// Lets time pass until `isDone`, or up to `limit`; returns whether it was done.
    @discardableResult
    mutating func run(until limit: Instant, isDone: (VirtualNetwork) -> Bool = { _ in false }) -> Bool {
        var steps = 0
        while !isDone(self) {
            steps += 1
            let deadlines = agents.compactMap(\.deadline) + events.prefix(1).map(\.at)
            guard let next = deadlines.min(), next <= limit, steps < 200_000 else {
                now = max(now, limit)
                return isDone(self)
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

    var isCompleted: Bool { agents.allSatisfy { $0.state == .completed } }

    private mutating func schedule(_ event: Event, after delay: Duration) {
        serial += 1
        let entry = Entry(at: now.advanced(by: delay), serial: serial, event: event)
        let index = events.firstIndex { ($0.at, $0.serial) > (entry.at, entry.serial) } ?? events.endIndex
        events.insert(entry, at: index)
    }

    private mutating func perform(_ effects: [ICEAgent.Effect], _ side: Int) {
        for effect in effects {
            log[side].append(effect)
            switch effect {
            case .send(let bytes, let from, let to):
                sent[side] += 1
                transmit(bytes, from: from, to: to)
            case .connect(let id, let from, let to):
                connects += 1
                nextPort += 1
                schedule(
                    .knock(side: side, id, from: from.with(port: nextPort), to: to), after: random.duration(in: delay))
            case .write(let bytes, let id): write(bytes, End(side: side, id: id))
            case .disconnect(let id):
                guard let peer = links.removeValue(forKey: End(side: side, id: id)) else { continue }
                inOrder(.closed(side: peer.side, peer.id), peer)
            case .received, .selected, .completed, .failed, .ignored: break
            }
        }
    }

    private mutating func transmit(_ bytes: [UInt8], from: Endpoint, to: Endpoint) {
        let source = translated(from, to)
        guard Double.random(in: 0..<1, using: &random) >= loss else { return }
        schedule(.datagram(bytes, from: source, to: to), after: random.duration(in: delay))
        guard Double.random(in: 0..<1, using: &random) < duplication else { return }
        schedule(.datagram(bytes, from: source, to: to), after: random.duration(in: delay))
    }

    /// The source address outside the NAT, which remembers the flow.
    private mutating func translated(_ source: Endpoint, _ peer: Endpoint) -> Endpoint {
        guard nat != .none, bases[0].contains(where: { $0.endpoint == source }) else { return source }
        if let index = mappings.firstIndex(where: {
            $0.inside == source && (nat == .portRestricted || $0.peers.contains(peer))
        }) {
            mappings[index].peers.insert(peer)
            return mappings[index].outside
        }
        let outside = Endpoint(.v4(0xC633_6401), port: UInt16(30_000 + mappings.count))
        mappings.append(Mapping(inside: source, outside: outside, peers: [peer]))
        return outside
    }

    /// Opens a mapping as a query to a STUN server would, and returns the address seen.
    mutating func mapped(_ base: ICEAgent.Base) -> Endpoint {
        translated(base.endpoint, Endpoint(.v4(0x0808_0808), port: 3478))
    }

    private mutating func write(_ bytes: [UInt8], _ end: End) {
        guard let peer = links[end] else { return }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...rest.count, using: &random)
            inOrder(.bytes(side: peer.side, peer.id, Array(rest.prefix(count))), peer)
            rest = rest.dropFirst(count)
        }
    }

    private mutating func inOrder(_ event: Event, _ end: End) {
        let arrival = max(now.advanced(by: random.duration(in: delay)), lastArrival[end] ?? .zero)
        lastArrival[end] = arrival
        schedule(event, after: now.duration(to: arrival))
    }

    private mutating func deliver(_ event: Event) {
        switch event {
        case .start(let side): perform(agents[side].start(remote: agents[1 - side].localDescription, at: now), side)
        case .datagram(let bytes, let from, let to): deliver(bytes, from, to)
        case .knock(let side, let id, let from, let to): knock(End(side: side, id: id), from, to)
        case .connected(let side, let id, let local):
            perform(agents[side].connected(id, local: local, at: now), side)
        case .bytes(let side, let id, let bytes):
            guard links[End(side: side, id: id)] != nil else { return }
            let effects = agents[side].receive(bytes.span, on: id, at: now)
            perform(effects, side)
        case .closed(let side, let id):
            links[End(side: side, id: id)] = nil
            perform(agents[side].disconnected(id, at: now), side)
        }
    }

    private mutating func knock(_ end: End, _ from: Endpoint, _ to: Endpoint) {
        let other = 1 - end.side
        guard bases[other].contains(where: { $0.endpoint == to && $0.transport == .tcp }),
            let accepted = agents[other].accept(on: to, from: from, at: now)
        else { return schedule(.closed(side: end.side, end.id), after: random.duration(in: delay)) }
        links[end] = End(side: other, id: accepted)
        links[End(side: other, id: accepted)] = end
        let arrival = random.duration(in: delay)
        lastArrival[end] = now.advanced(by: arrival)
        schedule(.connected(side: end.side, end.id, local: from), after: arrival)
    }

    private mutating func deliver(_ bytes: [UInt8], _ from: Endpoint, _ to: Endpoint) {
        var to = to
        if nat != .none {
            if bases[0].contains(where: { $0.endpoint == to }) { return }
            if let mapping = mappings.first(where: { $0.outside == to }) {
                guard mapping.peers.contains(from) else { return }
                to = mapping.inside
            }
        }
        for side in 0..<2 where bases[side].contains(where: { $0.endpoint == to && $0.transport == .udp }) {
            if ICEAgent.isSTUN(bytes.span) {
                let effects = agents[side].receive(bytes.span, on: to, from: from, at: now)
                perform(effects, side)
            } else {
                data[side].append(bytes)
            }
        }
    }
}
