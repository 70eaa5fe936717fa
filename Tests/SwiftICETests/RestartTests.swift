import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

@Suite("ICE restart")
struct RestartTests {
    @Test("data flow without a gap while a restart replaces the pair", arguments: [0, 1])
    func seamless(side: Int) {
        for seed in 1...UInt64(20) {
            var network = AgentPair.network(seed)
            AgentPair.connect(&network)
            let before = network.agents.map(\.localCredentials)
            network.restart(side: side)
            #expect(AgentPair.talk(&network, for: .seconds(3)) == [60, 60], "seed \(seed)")
            #expect(network.isCompleted && zip(before, network.agents).allSatisfy { $0 != $1.localCredentials })
            #expect(network.log.allSatisfy { log in log.count { $0 == .completed } == 2 })
            #expect(network.agents.allSatisfy { $0.currentSelection(1) != nil })
            AgentPair.expectMirrored(network)
        }
    }

    @Test("a restart that finds nothing leaves everything as it was")
    func fruitless() {
        var network = AgentPair.network(1)
        AgentPair.connect(&network)
        _ = network.agents[0].restart(at: network.now)
        var random = RandomSource.seeded(5)
        let nowhere = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.77 6000 typ host").candidate!
        _ = network.agents[0].start(
            remote: SessionDescription(credentials: Credentials(random: &random), candidates: [nowhere]),
            at: network.now)
        network.pass(.seconds(60))
        #expect(network.isCompleted && network.log[0].contains(.ignored(.noPath)))
        #expect(AgentPair.talk(&network, for: .seconds(40)) == [800, 800])
    }

    @Test("the loss of consent is reported, and a restart repairs the session")
    func repair() {
        for seed in 1...UInt64(10) {
            var network = AgentPair.network(seed)
            AgentPair.connect(&network)
            network.loss = 1
            network.pass(.seconds(40))
            #expect(network.agents.allSatisfy { $0.state == .failed(.consentLost) })
            #expect(network.agents.allSatisfy { $0.selectedPair(component: 1) == nil && $0.deadline == nil })
            network.loss = 0
            network.restart(side: Int(seed % 2))
            network.pass(.seconds(3))
            #expect(network.isCompleted, "seed \(seed): \(network.agents.map(\.state))")
            AgentPair.expectMirrored(network)
        }
    }

    @Test("a stream is replaced by another one as well")
    func streams() {
        for seed in 1...UInt64(10) {
            var network = AgentPair.network(seed, .tcp)
            AgentPair.connect(&network)
            let before = network.agents.map { $0.selectedPair(component: 1)?.path }
            network.restart(side: Int(seed % 2))
            network.pass(.seconds(5))
            #expect(network.isCompleted, "seed \(seed): \(network.agents.map(\.state))")
            #expect(zip(before, network.agents).allSatisfy { $0 != $1.selectedPair(component: 1)?.path })
            network.send([1, 2], component: 1, side: 0)
            network.pass(.seconds(1))
            #expect(
                network.log[1].last { if case .received = $0 { true } else { false } }
                    == .received([1, 2], component: 1))
        }
    }

    @Test("a restart is legal from the start on, until the end")
    func legality() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        #expect(agent.restart(at: .zero) == [.ignored(.wrongState)])
        var random = RandomSource.seeded(9)
        let (first, second) = (Credentials(random: &random), Credentials(random: &random))
        #expect(!agent.isRestart(first))
        _ = agent.start(remote: SessionDescription(credentials: first, candidates: []), at: .zero)
        #expect(!agent.isRestart(first) && agent.isRestart(second))
        let old = agent.localCredentials
        #expect(agent.restart(at: .zero).isEmpty && agent.state == .new && agent.localCredentials != old)
        #expect(agent.restart(at: .zero).isEmpty)
        #expect(agent.start(remote: SessionDescription(credentials: second, candidates: []), at: .zero).isEmpty)
        let late = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.2 6000 typ host").candidate!
        #expect(
            agent.addRemoteCandidates([late], fragment: first.fragment, at: .zero) == [.ignored(.otherGeneration)])
        #expect(agent.addRemoteCandidates([late], fragment: second.fragment, at: .zero).isEmpty)
        _ = agent.close()
        #expect(agent.restart(at: .zero) == [.ignored(.wrongState)])
    }
}
