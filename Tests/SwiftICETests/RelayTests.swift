import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

@Suite("Relayed candidates and policies")
struct RelayTests {
    private static let relayed = Endpoint("9.9.9.1:6000")!
    private static let base = ICEAgent.Base(component: 1, endpoint: relayed, transport: .udp, kind: .relayed)
    private static let host = ICEAgent.Base(component: 1, endpoint: Endpoint("192.0.2.1:5000")!, transport: .udp)

    private func agent(_ policy: Configuration.Policy = .all) -> ICEAgent {
        var configuration = Configuration()
        configuration.policy = policy
        return ICEAgent(configuration: configuration, role: .controlling, components: 1, random: .seeded(1))
    }

    private func remote(_ lines: [String]) -> SessionDescription {
        var random = RandomSource.seeded(9)
        return SessionDescription(
            credentials: Credentials(random: &random),
            candidates: lines.compactMap { Candidate.parse(line: $0).candidate })
    }

    private func targets(_ effects: [ICEAgent.Effect]) -> [Endpoint] {
        effects.compactMap { if case .send(_, _, let to) = $0 { to } else { nil } }
    }

    @Test("nothing leaves over a relay before it lets the address through, and each address is asked for once")
    func permissions() {
        var agent = agent()
        _ = agent.addBase(Self.base, at: .zero)
        let lines = [
            "H1 1 UDP 2130706431 192.0.2.2 6000 typ host", "H1 1 UDP 2130706175 192.0.2.2 6001 typ host",
            "H2 1 UDP 2130705919 192.0.2.3 6000 typ host", "H3 1 UDP 2130705663 2001:db8::1 6000 typ host",
        ]
        let asked = agent.start(remote: remote(lines), at: .zero)
        let addresses = [IPAddress("192.0.2.2")!, IPAddress("192.0.2.3")!]
        #expect(asked == addresses.map { .permit($0, on: Self.relayed) })
        var now = Instant.zero.advanced(by: .seconds(1))
        #expect(agent.advance(to: now).isEmpty)
        #expect(targets(agent.permitted(addresses[1], on: Self.relayed, at: now)) == [Endpoint("192.0.2.3:6000")!])
        #expect(agent.permissionFailed(addresses[0], on: Self.relayed, at: now).isEmpty)
        #expect(agent.checkList.pairs.map(\.state) == [.failed, .failed, .inProgress])
        now = now.advanced(by: .seconds(30))
        #expect(Set(targets(agent.advance(to: now))) == [Endpoint("192.0.2.3:6000")!])
        #expect(agent.permitted(IPAddress("192.0.2.9")!, on: Self.relayed, at: now) == [.ignored(.unknownBase)])
    }

    @Test("permissions are bounded")
    func bound() {
        var agent = agent()
        _ = agent.addBase(Self.base, at: .zero)
        let second = Endpoint("9.9.9.2:6000")!
        _ = agent.addBase(
            ICEAgent.Base(component: 1, endpoint: second, transport: .udp, kind: .relayed), at: .zero)
        let lines = (0..<60).map { "H\($0) 1 UDP \(2_130_706_431 - $0) 192.0.2.\($0 + 2) 6000 typ host" }
        let effects = agent.start(remote: remote(lines), at: .zero)
        #expect(agent.permissions.count == agent.configuration.permissionLimit)
        #expect(effects.contains(.ignored(.overLimit)))
    }

    @Test("a peer behind a symmetric NAT comes in over our relay from a port nobody announced")
    func reflexiveOverRelay() {
        for seed in 1...UInt64(20) {
            var network = AgentPair.homes(behind: [.symmetric, .symmetric], seed: seed)
            network.addRelay(Self.relayed, component: 1, side: 0)
            AgentPair.connect(&network)
            let pair = network.agents[0].selectedPair(component: 1)
            #expect(pair?.local.kind == .relayed && pair?.remote.kind == .peerReflexive, "seed \(seed)")
            AgentPair.expectMirrored(network, "seed \(seed)")
            #expect(AgentPair.talk(&network, for: .seconds(1)) == [20, 20])
        }
    }

    @Test("a relay that lets nobody through stops nothing else")
    func refusingRelay() {
        var network = AgentPair.network(1)
        network.addRelay(Self.relayed, component: 1, side: 0, refusing: true)
        AgentPair.connect(&network)
        #expect(network.agents[0].selectedPair(component: 1)?.local.kind == .host)
        #expect(network.agents[0].checkList.pairs.contains { $0.local.kind == .relayed && $0.state == .failed })
    }

    @Test("a relay of connections waits for peers and reaches passive ones, and lets those through who only connect")
    func connections() {
        var agent = agent()
        let relay = ICEAgent.Base(component: 1, endpoint: Self.relayed, transport: .tcp, kind: .relayed)
        let listener = ICEAgent.Base(component: 1, endpoint: Self.host.endpoint, transport: .tcp)
        for base in [listener, relay] { _ = agent.addBase(base, at: .zero) }
        _ = agent.take(.seen(IPAddress("198.51.100.1")!, base: listener), at: .zero)
        let told = agent.localCandidates.map { candidate in
            candidate.jamiLine.split(separator: " ").dropFirst(4).joined(separator: " ")
        }
        #expect(
            Set(told) == [
                "192.0.2.1 5000 typ host tcptype passive", "192.0.2.1 9 typ host tcptype active",
                "198.51.100.1 9 typ srflx tcptype active", "9.9.9.1 6000 typ relay tcptype passive",
                "9.9.9.1 9 typ relay tcptype active",
            ])
        let lines = [
            "S1 1 TCP 1694498815 198.51.100.2 9 typ srflx tcptype active",
            "R1 1 TCP 16777215 9.9.9.2 7000 typ relay tcptype passive",
        ]
        var effects = agent.start(remote: remote(lines), at: .zero)
        while let deadline = agent.deadline, deadline < .zero.advanced(by: .seconds(1)) {
            effects += agent.advance(to: deadline)
        }
        for address in ["198.51.100.2", "9.9.9.2"] {
            #expect(effects.contains(.permit(IPAddress(address)!, on: Self.relayed)))
        }
        let opened = effects.compactMap { if case .connect(_, let from, let to) = $0 { "\(from) \(to)" } else { nil } }
        #expect(Set(opened) == ["192.0.2.1:0 9.9.9.2:7000", "9.9.9.1:0 9.9.9.2:7000"])
        #expect(agent.accept(on: Self.relayed, from: Endpoint("198.51.100.2:4444")!, at: .zero) != nil)
        _ = agent.take(.gone(relay), at: .zero)
        #expect(agent.permissions.isEmpty && agent.accept(on: Self.relayed, from: Self.relayed, at: .zero) == nil)
    }

    @Test("relay-only shows and uses nothing but relays")
    func relayOnly() {
        var agent = agent(.relayOnly)
        for base in [Self.host, Self.base] { _ = agent.addBase(base, at: .zero) }
        _ = agent.addMapped(Endpoint("198.51.100.1:1")!, base: Self.host, at: .zero)
        #expect(agent.localCandidates.map(\.kind) == [.relayed])
        let description = remote(["H1 1 UDP 2130706431 192.0.2.2 6000 typ host"])
        #expect(targets(agent.start(remote: description, at: .zero)).isEmpty)
        let check = AgentPair.check(to: agent)
        let peer = Endpoint("192.0.2.2:6000")!
        #expect(agent.receive(check.span, on: Self.host.endpoint, from: peer, at: .zero) == [.ignored(.policy)])
        #expect(agent.checkList.pairs.map(\.local.kind) == [.relayed])
        #expect(!targets(agent.receive(check.span, on: Self.relayed, from: peer, at: .zero)).isEmpty)
    }

    @Test("no-host checks from host addresses without ever showing them")
    func noHost() {
        var agent = agent(.noHost)
        _ = agent.addBase(Self.host, at: .zero)
        _ = agent.addMapped(Endpoint("198.51.100.1:1")!, base: Self.host, at: .zero)
        #expect(agent.localCandidates.map(\.kind) == [.serverReflexive])
        #expect(agent.localCandidates[0].sdpLine.hasSuffix("198.51.100.1 1 typ srflx raddr 0.0.0.0 rport 9"))
        let effects = agent.start(remote: remote(["H1 1 UDP 2130706431 192.0.2.2 6000 typ host"]), at: .zero)
        #expect(targets(effects) == [Endpoint("192.0.2.2:6000")!])
    }

    @Test("every candidate of a component has a priority of its own")
    func uniquePriorities() {
        var agent = agent()
        for base in [Self.host, Self.base] { _ = agent.addBase(base, at: .zero) }
        let other = ICEAgent.Base(component: 1, endpoint: Endpoint("[2001:db8::1]:5000")!, transport: .udp)
        _ = agent.addBase(other, at: .zero)
        for port in 1...3 as ClosedRange<UInt16> {
            _ = agent.addMapped(Endpoint(.v4(0xC633_6401), port: port), base: Self.host, at: .zero)
        }
        #expect(Set(agent.localCandidates.map(\.priority)).count == 6)
        let reflexive = [Self.host, Self.base, other].map { base in
            agent.locals.first { $0.candidate.endpoint == base.endpoint }.map {
                agent.reflexivePriority(of: $0.candidate)
            }
        }
        #expect(Set(reflexive).count == 3)
    }

    @Test("candidates are trickled once each, and refused after their end")
    func trickle() {
        var agent = agent()
        _ = agent.addBase(Self.host, at: .zero)
        #expect(agent.takeNewCandidates().map(\.kind) == [.host])
        #expect(agent.takeNewCandidates().isEmpty)
        _ = agent.addBase(Self.base, at: .zero)
        #expect(agent.takeNewCandidates().map(\.kind) == [.relayed])
        let candidates = remote(["H1 1 UDP 2130706431 192.0.2.2 6000 typ host"]).candidates
        #expect(agent.addRemoteCandidates(candidates, at: .zero) == [.ignored(.wrongState)])
        _ = agent.start(remote: remote([]), at: .zero)
        #expect(!targets(agent.addRemoteCandidates(candidates, at: .zero)).isEmpty)
        agent.endOfRemoteCandidates(at: .zero)
        #expect(agent.addRemoteCandidates(candidates, at: .zero) == [.ignored(.wrongState)])
    }
}
