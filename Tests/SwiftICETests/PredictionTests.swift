import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

/// NATs that count their ports up, and peers that agreed to guess.
@Suite("Port prediction")
struct PredictionTests {
    private static let sequential = NAT(mapping: .addressAndPortDependent, allocation: .sequential)

    /// Two homes without relays that asked two STUN servers each.
    private func network(_ nats: [NAT], seed: UInt64, predicts: Bool) -> VirtualNetwork {
        var network = AgentPair.homes(behind: nats, seed: seed, servers: 2)
        for side in 0..<2 {
            network.options[side].predictsPorts = predicts
            network.start(side: side, after: .milliseconds(Int(seed) % 5 * side))
        }
        return network
    }

    @Test("a NAT that counts its ports up is met at one of the next", arguments: [0, 1])
    func counting(side: Int) {
        for seed in 1...UInt64(40) {
            let nats = side == 0 ? [Self.sequential, .portRestricted] : [.portRestricted, Self.sequential]
            var guessing = network(nats, seed: seed, predicts: true)
            #expect(guessing.run(until: .zero.advanced(by: .seconds(3))) { $0.isCompleted }, "seed \(seed)")
            AgentPair.expectMirrored(guessing, "seed \(seed)")
            var plain = network(nats, seed: seed, predicts: false)
            #expect(!plain.run(until: .zero.advanced(by: .seconds(39))) { $0.isCompleted }, "seed \(seed)")
        }
    }

    @Test("ports drawn at random are not guessed, and cost nothing")
    func random() {
        let drawing = NAT(mapping: .addressAndPortDependent, allocation: .random)
        for seed in 1...UInt64(10) {
            var guessing = network([drawing, .portRestricted], seed: seed, predicts: true)
            var plain = network([drawing, .portRestricted], seed: seed, predicts: false)
            guessing.pass(.seconds(3))
            plain.pass(.seconds(3))
            #expect(guessing.sent == plain.sent, "seed \(seed)")
        }
    }

    @Test("guesses are few, whatever a peer says")
    func bounded() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        let base = ICEAgent.Base(component: 1, endpoint: Endpoint("192.0.2.1:5000")!, transport: .udp)
        _ = agent.addBase(base, at: .zero)
        var random = RandomSource.seeded(9)
        let candidates = (0..<60).compactMap { index -> Candidate? in
            let address = "198.51.100.\(index / 2) \(65_500 + index % 2)"
            return Candidate.parse(line: "S\(index) 1 UDP \(1_694_498_815 - index) \(address) typ srflx").candidate
        }
        var peer = ICEAgent.PeerOptions()
        peer.predictsPorts = true
        let remote = SessionDescription(credentials: Credentials(random: &random), candidates: candidates)
        _ = agent.start(remote: remote, peer: peer, at: .zero)
        #expect(candidates.count == 60)
        #expect(agent.remotes.count <= 60 + agent.configuration.predictionLimit)
        #expect(agent.remotes.allSatisfy { $0.priority > 0 && $0.endpoint.port > 0 })
    }
}
