internal import SansIO
internal import SwiftICE

/// A connection that is being opened.
struct Attempt {
    let end: VirtualNetwork.End
    let from: Endpoint
    let to: Endpoint
}

extension VirtualNetwork {
    /// When a SYN is repeated: Linux waits 1 s, then 2 s.
    private static let repetitions: [Duration] = [.zero, .seconds(1), .seconds(3)]

    /// Cuts every connection between the two, as both notice.
    package mutating func reset() {
        let ends = links.keys.sorted { ($0.side, "\($0.id)") < ($1.side, "\($1.id)") }
        links = [:]
        for end in ends { schedule(.closed(side: end.side, end.id), after: .zero) }
    }

    mutating func connect(_ end: End, _ from: Endpoint, _ to: Endpoint) {
        connects += 1
        nextPort += 1
        let from = from.port == 0 ? from.with(port: nextPort) : from
        attempts.append(Attempt(end: end, from: from, to: to))
        guard let (source, network) = leave(end.side, from, to) else { return }
        for wait in Self.repetitions {
            schedule(.knock(end, from: source, to: to, network: network), after: wait + random.duration(in: delay))
        }
    }

    mutating func disconnect(_ end: End) {
        attempts.removeAll { $0.end == end }
        guard let peer = links.removeValue(forKey: end) else { return }
        inOrder(.closed(side: peer.side, peer.id), peer)
    }

    /// A SYN arrives: at a listening base, or at the very attempt that crosses it (RFC 9293 §3.5).
    mutating func knock(_ end: End, _ from: Endpoint, _ to: Endpoint, _ network: Int?) {
        guard let attempt = attempts.first(where: { $0.end == end }), links[end] == nil,
            let (place, target) = enter(from, to, network)
        else { return }
        if let crossing = attempts.first(where: { $0.end.side == place.side && $0.from == target && $0.to == from }) {
            link(end, crossing.end)
            schedule(.connected(side: place.side, crossing.end.id, local: target), after: .zero)
            return confirm(attempt)
        }
        guard let accepted = agents[place.side].accept(on: target, from: from, at: now) else {
            attempts.removeAll { $0.end == end }
            return schedule(.closed(side: end.side, end.id), after: random.duration(in: delay))
        }
        link(end, End(side: place.side, id: accepted))
        confirm(attempt)
    }

    /// The SYN-ACK, before anything else on the connection.
    private mutating func confirm(_ attempt: Attempt) {
        let arrival = random.duration(in: delay)
        lastArrival[attempt.end] = now.advanced(by: arrival)
        schedule(.connected(side: attempt.end.side, attempt.end.id, local: attempt.from), after: arrival)
    }

    private mutating func link(_ one: End, _ other: End) {
        (links[one], links[other]) = (other, one)
        attempts.removeAll { $0.end == one || $0.end == other }
    }

    mutating func write(_ bytes: [UInt8], _ end: End) {
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
}
