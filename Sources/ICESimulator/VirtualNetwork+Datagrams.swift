package import SansIO
package import SwiftICE

/// A direction between a base and a peer's address.
struct Flow: Hashable {
    let side: Int
    let base: Endpoint
    let peer: Endpoint
}

/// An address on a relay that a side uses as a base.
struct Relay: Sendable {
    let side: Int
    let endpoint: Endpoint
    var permitted: [IPAddress] = []
    var refuses = false
}

extension VirtualNetwork {
    /// Where everyone finds STUN servers.
    private static let servers = [Endpoint(.v4(0x0808_0808), port: 3478), Endpoint(.v4(0x0808_0404), port: 3478)]

    /// Puts a NAT between a new network and another one, and returns the number of the new network.
    package mutating func addNAT(_ nat: NAT, external: IPAddress, in network: Int? = nil) -> Int {
        boxes.append(NATBox(nat, external: external, network: network))
        return boxes.count - 1
    }

    /// Gives a side an address in a network.
    package mutating func place(_ address: IPAddress, side: Int, in network: Int? = nil) {
        places.removeAll { $0.side == side && $0.address == address }
        places.append(Place(side: side, address: address, network: network))
    }

    /// Has a NAT lose its mappings.
    package mutating func rebind(_ box: Int) { boxes[box].forget() }

    /// Gives a side a base on a relay on the internet; `refusing` lets nobody through.
    package mutating func addRelay(_ endpoint: Endpoint, component: Int, side: Int, refusing: Bool = false) {
        relays.append(Relay(side: side, endpoint: endpoint, refuses: refusing))
        addBase(ICEAgent.Base(component: component, endpoint: endpoint, transport: .udp, kind: .relayed), side: side)
    }

    /// Opens a mapping as a query to a STUN server would, and returns the address seen; `nil` when none arrives.
    package mutating func mapped(_ base: ICEAgent.Base, side: Int, server: Int = 0) -> Endpoint? {
        leave(side, base.endpoint, Self.servers[server % Self.servers.count])?.source
    }

    mutating func transmit(_ bytes: [UInt8], side: Int, from: Endpoint, to: Endpoint) {
        let (source, network): (Endpoint, Int?)
        if let relay = relays.first(where: { $0.side == side && $0.endpoint == from }) {
            guard relay.permitted.contains(to.address) else { return }
            (source, network) = (from, nil)
        } else {
            guard let left = leave(side, from, to) else { return }
            (source, network) = left
        }
        for _ in 0..<(Double.random(in: 0..<1, using: &random) < duplication ? 2 : 1) {
            guard Double.random(in: 0..<1, using: &random) >= loss else { continue }
            schedule(
                .datagram(bytes, from: source, to: to, network: network), after: random.duration(in: delay))
        }
    }

    /// Takes a packet up through the NATs to the network of its target; `nil` when it is lost on the way.
    mutating func leave(_ side: Int, _ source: Endpoint, _ target: Endpoint) -> (source: Endpoint, network: Int?)? {
        guard var network = places.first(where: { $0.side == side && $0.address == source.address })?.network else {
            let isPublic = places.contains { $0.side == side && $0.address == source.address }
            return isPublic && isHere(target.address, nil) ? (source, nil) : nil
        }
        var source = source
        while !isHere(target.address, network) {
            let box = boxes[network]
            guard box.external != target.address || box.nat.hairpins,
                let outside = boxes[network].outbound(from: source, to: target, random: &random)
            else { return nil }
            source = outside
            guard let outer = box.network else { return isHere(target.address, nil) ? (source, nil) : nil }
            network = outer
        }
        return (source, network)
    }

    private func isHere(_ address: IPAddress, _ network: Int?) -> Bool {
        places.contains { $0.address == address && $0.network == network }
            || boxes.contains { $0.external == address && $0.network == network }
            || network == nil && Self.servers.contains { $0.address == address }
            || network == nil && relays.contains { $0.endpoint.address == address }
    }

    mutating func arrive(_ bytes: [UInt8], _ source: Endpoint, _ target: Endpoint, _ network: Int?) {
        guard let (place, target) = enter(source, target, network) else {
            return relay(bytes, source, target)
        }
        receive(bytes, side: place.side, on: target, from: source)
    }

    /// Takes a packet down through the NATs to a place; `nil` when it is filtered, or for no place.
    func enter(_ source: Endpoint, _ target: Endpoint, _ network: Int?) -> (Place, Endpoint)? {
        var (target, network) = (target, network)
        for _ in 0...boxes.count {
            if let place = places.first(where: { $0.address == target.address && $0.network == network }) {
                return (place, target)
            }
            guard let box = boxes.firstIndex(where: { $0.external == target.address && $0.network == network }),
                let inside = boxes[box].inbound(from: source, to: target)
            else { return nil }
            (target, network) = (inside, box)
        }
        return nil
    }

    private mutating func relay(_ bytes: [UInt8], _ source: Endpoint, _ target: Endpoint) {
        guard let relay = relays.first(where: { $0.endpoint == target }), relay.permitted.contains(source.address)
        else { return }
        schedule(
            .relayed(bytes, side: relay.side, base: target, from: source), after: random.duration(in: delay))
    }

    mutating func openSockets(_ count: Int, beside base: Endpoint, _ side: Int) {
        let opened = (0..<count).map { base.with(port: UInt16(10_000 + $0)) }
        sockets[side].formUnion(opened)
        schedule(.opened(side: side, opened, beside: base), after: .milliseconds(1))
    }

    mutating func answerPermission(_ side: Int, _ address: IPAddress, _ base: Endpoint) {
        guard let index = relays.firstIndex(where: { $0.side == side && $0.endpoint == base }) else { return }
        guard !relays[index].refuses else {
            return perform(agents[side].permissionFailed(address, on: base, at: now), side)
        }
        relays[index].permitted.append(address)
        perform(agents[side].permitted(address, on: base, at: now), side)
    }

    mutating func receive(_ bytes: [UInt8], side: Int, on base: Endpoint, from source: Endpoint) {
        guard ICEAgent.isSTUN(bytes.span) else { return data[side].append(bytes) }
        if bytes[0] == 1, bytes[1] == 1 { heard[Flow(side: side, base: base, peer: source)] = now }
        perform(agents[side].receive(bytes.span, on: base, from: source, at: now), side)
    }

    /// Checks and their answers may go anywhere; all else only where an answer came from, in the last 30 s (RFC 7675).
    func violation(_ bytes: [UInt8], _ flow: Flow) -> String? {
        if ICEAgent.isSTUN(bytes.span), bytes[1] & 0x10 == 0 || bytes[0] == 1 { return nil }
        guard let last = heard[flow] else { return "data to \(flow.peer), which never answered" }
        let isFresh = last.duration(to: now) <= .seconds(31) || agents[flow.side].configuration.consent == nil
        return isFresh ? nil : "data to \(flow.peer) without consent"
    }

    mutating func inspect(_ bytes: [UInt8], _ flow: Flow) {
        if let violation = violation(bytes, flow) { violations.append("side \(flow.side) sends \(violation)") }
    }
}
