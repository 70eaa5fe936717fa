import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

@Suite("Peers that are no full agents of our kind")
struct PeerKindTests {
    private static let base = Endpoint("192.0.2.1:5000")!
    private static let peer = Endpoint("192.0.2.2:6000")!

    @Test("a lite peer only answers; we take control and nominate")
    func lite() {
        var agent = ICEAgent(role: .controlled, components: 1, random: .seeded(1))
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: Self.base, transport: .udp), at: .zero)
        var random = RandomSource.seeded(9)
        let credentials = Credentials(random: &random)
        let candidate = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.2 6000 typ host").candidate!
        var options = ICEAgent.PeerOptions()
        options.isLite = true
        var effects = agent.start(
            remote: SessionDescription(credentials: credentials, candidates: [candidate]), peer: options, at: .zero)
        #expect(agent.role == .controlling)
        var (now, nominations) = (Instant.zero, 0)
        for _ in 0..<100 {
            for case .send(let bytes, _, _) in effects {
                if (try? Message(decoding: bytes))?.has(.useCandidate) == true { nominations += 1 }
            }
            if let answer = AgentPair.answer(effects, mapped: Self.base, credentials) {
                effects = agent.receive(answer.span, on: Self.base, from: Self.peer, at: now)
            } else {
                guard let next = agent.deadline else { break }
                now = next
                effects = agent.advance(to: now)
            }
        }
        #expect(agent.state == .completed && nominations == 1)
        #expect(now > .zero.advanced(by: .seconds(60)))
    }

    @Test("data may flow before the nomination")
    func early() {
        var network = AgentPair.network(3)
        network.delay = .milliseconds(10)...(.milliseconds(10))
        for side in 0..<2 { network.start(side: side, after: .zero) }
        let isEarly = network.run(until: .zero.advanced(by: .seconds(1))) { network in
            network.agents.allSatisfy { $0.usablePair(component: 1, at: network.now) != nil }
        }
        #expect(isEarly && network.agents.allSatisfy { $0.selectedPair(component: 1) == nil })
        for side in 0..<2 { network.send([0x80], component: 1, side: side) }
        network.pass(.milliseconds(11))
        #expect(network.data == [[[0x80]], [[0x80]]])
        network.pass(.seconds(1))
        AgentPair.expectMirrored(network)
    }
}
