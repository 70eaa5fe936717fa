import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

@Suite("Paths that change while a session lives")
struct PathChangeTests {
    /// Side 0 behind a NAT, side 1 on the internet or behind one that lets everyone in.
    private func behindNAT(_ seed: UInt64, _ nat: NAT, roles: [Role], renominates: Bool) -> VirtualNetwork {
        var network = AgentPair.network(seed, roles: roles, renominates: renominates)
        let inside = network.addNAT(nat, external: .v4(0xC633_6401))
        network.place(IPAddress("192.0.2.1")!, side: 0, in: inside)
        return network
    }

    @Test(
        "a NAT that forgets its mappings does not end the session",
        arguments: [[Role.controlling, .controlled], [.controlled, .controlling]], [false, true])
    func rebinding(roles: [Role], renominates: Bool) {
        for seed in 1...UInt64(10) {
            var network = behindNAT(seed, .portRestricted, roles: roles, renominates: renominates)
            AgentPair.connect(&network)
            let before = network.agents[1].selectedPair(component: 1)?.remote.endpoint
            network.rebind(0)
            network.pass(.seconds(10))
            let after = network.agents[1].selectedPair(component: 1)?.remote.endpoint
            #expect(before != after, "seed \(seed)")
            AgentPair.expectMirrored(network, "seed \(seed)")
            #expect(AgentPair.talk(&network, for: .seconds(60)) == [1200, 1200], "seed \(seed)")
            #expect(network.isCompleted)
        }
    }

    @Test(
        "an address that goes and one that comes move the session, whoever controls it",
        arguments: [[Role.controlling, .controlled], [.controlled, .controlling]], [false, true])
    func moving(roles: [Role], renominates: Bool) {
        for seed in 1...UInt64(10) {
            var network = AgentPair.network(seed, roles: roles, renominates: renominates)
            AgentPair.connect(&network)
            network.pass(.seconds(20))
            let left = network.now
            network.removeBase(AgentPair.bases(0)[0], side: 0)
            #expect(network.log[0].contains(.lost(component: 1)) && network.agents[0].state == .checking)
            network.place(IPAddress("192.0.2.9")!, side: 0)
            network.addBase(
                ICEAgent.Base(component: 1, endpoint: Endpoint("192.0.2.9:7000")!, transport: .udp), side: 0)
            network.run(until: left.advanced(by: .seconds(30))) { network in
                network.isCompleted
                    && network.agents[1].selectedPair(component: 1)?.remote.endpoint == Endpoint("192.0.2.9:7000")
            }
            #expect(left.duration(to: network.now) < .seconds(3), "seed \(seed)")
            network.pass(.seconds(3))
            AgentPair.expectMirrored(network, "seed \(seed)")
            #expect(AgentPair.talk(&network, for: .seconds(60)) == [1200, 1200], "seed \(seed)")
        }
    }

    @Test("without any address left the session ends when patience does")
    func stranded() {
        var network = AgentPair.network(1)
        AgentPair.connect(&network)
        network.removeBase(AgentPair.bases(0)[0], side: 0)
        network.pass(.seconds(39))
        #expect(network.agents[0].state == .checking)
        #expect(network.agents[0].send([1], component: 1, at: network.now) == [.ignored(.noPath)])
        network.pass(.seconds(2))
        #expect(network.agents[0].state == .failed(.noPath))
        #expect(network.agents[0].removeBase(AgentPair.bases(0)[0], at: network.now) == [.ignored(.unknownBase)])
    }

    @Test("a base that is not in use goes without a trace")
    func unused() {
        var network = AgentPair.network(1)
        let spare = ICEAgent.Base(component: 1, endpoint: Endpoint("192.0.2.8:7000")!, transport: .udp)
        network.place(spare.endpoint.address, side: 0)
        network.addBase(spare, side: 0)
        AgentPair.connect(&network)
        let pair = network.agents[0].selectedPair(component: 1)
        let unused =
            pair?.path == .datagram(from: spare.endpoint, to: Endpoint("192.0.2.2:5101")!)
            ? AgentPair.bases(0)[0] : spare
        network.removeBase(unused, side: 0)
        #expect(network.agents[0].selectedPair(component: 1) == pair && network.agents[0].localCandidates.count == 1)
        #expect(!network.agents[0].checkList.pairs.contains { $0.local.endpoint == unused.endpoint })
        #expect(AgentPair.talk(&network, for: .seconds(1)) == [20, 20])
    }

    @Test("a removed TCP base takes its connections along")
    func streams() {
        var network = AgentPair.network(3, .tcp)
        AgentPair.connect(&network)
        network.removeBase(AgentPair.bases(0, .tcp)[0], side: 0)
        #expect(network.agents[0].connections.isEmpty && network.agents[0].localCandidates.isEmpty)
        #expect(network.agents[0].state == .checking)
        network.pass(.seconds(60))
        #expect(network.agents[0].state == .failed(.noPath) && network.agents[1].state == .failed(.disconnected))
    }

    @Test("relay first, direct later: without a gap, and only between peers that agreed", arguments: [true, false])
    func renomination(renominates: Bool) {
        for seed in 1...UInt64(10) {
            var network = VirtualNetwork(seed: seed, roles: [.controlling, .controlled])
            for side in 0..<2 {
                network.options[side].renominates = renominates
                network.place(IPAddress("192.0.2.\(side + 1)")!, side: side)
                network.addRelay(Endpoint(.v4(0x0909_0901 + UInt32(side)), port: 6000), component: 1, side: side)
            }
            AgentPair.connect(&network)
            #expect(network.agents[0].selectedPair(component: 1)?.local.kind == .relayed)
            for side in 0..<2 {
                network.addBase(AgentPair.bases(side)[0], side: side)
                network.trickle(side: side)
            }
            #expect(AgentPair.talk(&network, for: .seconds(3)) == [60, 60], "seed \(seed)")
            let kind = network.agents[1].selectedPair(component: 1)?.local.kind
            #expect(kind == (renominates ? .host : .relayed), "seed \(seed)")
            AgentPair.expectMirrored(network, "seed \(seed)")
        }
    }

    @Test("a nomination that was overtaken by a later one counts no more")
    func overtaken() {
        var agent = ICEAgent(role: .controlled, components: 1, random: .seeded(1))
        let base = Endpoint("192.0.2.1:5000")!
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: base, transport: .udp), at: .zero)
        var random = RandomSource.seeded(9)
        let peer = Credentials(random: &random)
        var options = ICEAgent.PeerOptions()
        options.renominates = true
        let sources = [Endpoint("192.0.2.2:6000")!, Endpoint("192.0.2.3:6000")!]
        _ = agent.start(remote: SessionDescription(credentials: peer, candidates: []), peer: options, at: .zero)
        var serial: UInt64 = 10
        func nominate(_ source: Endpoint, _ number: UInt32) -> Endpoint? {
            serial += 1
            let check = AgentPair.check(
                to: agent, serial: serial, claim: .iceControlling(5), nominates: true, nomination: number)
            let effects = agent.receive(check.span, on: base, from: source, at: .zero)
            if let reply = AgentPair.answer(effects, mapped: base, peer) {
                _ = agent.receive(reply.span, on: base, from: source, at: .zero)
            }
            return agent.selectedPair(component: 1)?.remote.endpoint
        }
        #expect(nominate(sources[0], 1) == sources[0])
        #expect(nominate(sources[1], 3) == sources[1])
        #expect(nominate(sources[0], 2) == sources[1])
        #expect(nominate(sources[0], 4) == sources[0])
    }

    @Test("a path that dies is left for one that lives, between peers that renominate")
    func failover() {
        for seed in 1...UInt64(5) {
            var network = AgentPair.homes(behind: [NAT(), NAT()], seed: seed)
            for side in 0..<2 { network.options[side].renominates = true }
            network.addRelay(Endpoint("9.9.9.1:6000")!, component: 1, side: 0)
            AgentPair.connect(&network)
            network.pass(.seconds(5))
            #expect(network.agents[0].selectedPair(component: 1)?.local.kind != .relayed)
            for box in network.boxes.indices { network.rebind(box) }
            network.pass(.seconds(35))
            #expect(network.isCompleted, "seed \(seed): \(network.agents.map(\.state))")
            AgentPair.expectMirrored(network, "seed \(seed)")
            #expect(AgentPair.talk(&network, for: .seconds(2)) == [40, 40], "seed \(seed)")
        }
    }

    @Test("after a sleep the peer is asked before the session is judged")
    func sleep() {
        var network = AgentPair.network(4)
        AgentPair.connect(&network)
        network.sleep(.seconds(3600))
        network.pass(.seconds(10))
        #expect(network.isCompleted)
        #expect(AgentPair.talk(&network, for: .seconds(60)) == [1200, 1200])
        network.loss = 1
        network.sleep(.seconds(3600))
        network.pass(.seconds(10))
        #expect(network.agents.allSatisfy { $0.state == .failed(.consentLost) })
    }
}
