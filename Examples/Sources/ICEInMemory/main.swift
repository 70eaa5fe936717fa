// Two ICE agents find a path through a network that is an array. With sockets of your own, `.send` becomes `sendto`
// and what `recvfrom` returns goes into `receive`.
import SansIO
import SwiftICE

func connect() {
    let homes = [Endpoint(.v4(0x0A00_0001), port: 5000), Endpoint(.v4(0x0A00_0002), port: 5000)]
    var now = Instant.zero
    var agents = [Role.controlling, .controlled].map { ICEAgent(role: $0, components: 1, random: .system) }
    var network: [(bytes: [UInt8], from: Endpoint, to: Endpoint)] = []

    func perform(_ effects: [ICEAgent.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let from, let to): network.append((bytes, from, to))
            case .selected(let pair, _): print("\(pair.local.endpoint) uses \(pair.remote.endpoint)")
            case .completed: print("connected after \(Instant.zero.duration(to: now))")
            default: break
            }
        }
    }

    for side in 0..<2 {
        perform(agents[side].addBase(.init(component: 1, endpoint: homes[side], transport: .udp), at: now))
    }
    let descriptions = agents.map(\.localDescription)
    for side in 0..<2 { perform(agents[side].start(remote: descriptions[1 - side], at: now)) }

    while agents.contains(where: { $0.state == .checking }) {
        if !network.isEmpty {
            let (bytes, from, to) = network.removeFirst()
            guard let side = homes.firstIndex(of: to) else { continue }
            perform(agents[side].receive(bytes.span, on: to, from: from, at: now))
        } else if let next = agents.compactMap(\.deadline).min() {
            now = next
            for side in 0..<2 { perform(agents[side].advance(to: now)) }
        }
    }
}

connect()
