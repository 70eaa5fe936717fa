// Two ICE agents find a path through a network that is an array. With sockets of your own, `.send` becomes `sendto`
// and what `recvfrom` returns goes into `receive`.
import SansIO
import SwiftICE

let homes = [Endpoint(.v4(0x0A00_0001), port: 5000), Endpoint(.v4(0x0A00_0002), port: 5000)]
var now = Instant.zero
var agents = [Role.controlling, .controlled].map { ICEAgent(role: $0, components: 1, random: .system) }
var network: [(bytes: [UInt8], from: Endpoint, to: Int)] = []

func perform(_ effects: [ICEAgent.Effect], of side: Int) {
    for effect in effects {
        switch effect {
        case .send(let bytes, let from, let to):
            network += homes.indices.filter { homes[$0] == to }.map { (bytes, from, $0) }
        case .selected(let pair, _): print("agent \(side) uses \(pair.local.endpoint) -> \(pair.remote.endpoint)")
        case .completed: print("agent \(side) is connected after \(Instant.zero.duration(to: now))")
        default: break
        }
    }
}

for side in 0..<2 {
    perform(agents[side].addBase(.init(component: 1, endpoint: homes[side], transport: .udp), at: now), of: side)
}
let descriptions = agents.map(\.localDescription)
for side in 0..<2 { perform(agents[side].start(remote: descriptions[1 - side], at: now), of: side) }

while agents.contains(where: { $0.state == .checking }) {
    if !network.isEmpty {
        let (bytes, from, side) = network.removeFirst()
        perform(agents[side].receive(bytes.span, on: homes[side], from: from, at: now), of: side)
    } else if let next = agents.compactMap(\.deadline).min() {
        now = next
        for side in 0..<2 { perform(agents[side].advance(to: now), of: side) }
    }
}
