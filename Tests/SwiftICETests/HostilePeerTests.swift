import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

@Suite("Hostile packets")
struct HostilePeerTests {
    private static let base = Endpoint("192.0.2.1:5001")!

    private func expectUnharmed(_ network: inout VirtualNetwork, _ pair: ICEAgent.SelectedPair?) {
        network.pass(.seconds(60))
        #expect(network.isCompleted && network.agents[0].selectedPair(component: 1) == pair)
        #expect(AgentPair.talk(&network, for: .seconds(2)) == [40, 40])
        let agent = network.agents[0]
        #expect(agent.remotes.count <= agent.configuration.remoteCandidateLimit)
        #expect(agent.checkList.pairs.count <= agent.configuration.pairLimit)
        #expect(agent.transactions.count <= agent.configuration.transactionLimit)
        #expect(network.violations == [])
    }

    /// What side 0 sent to anyone but its peer, and how many of it was no answer.
    private func strangers(_ network: VirtualNetwork) -> (all: Int, requests: Int) {
        var (all, requests) = (0, 0)
        for case .send(let bytes, _, let to) in network.log[0] where to.address != IPAddress("192.0.2.2") {
            all += 1
            if bytes[0] == 0 { requests += 1 }
        }
        return (all, requests)
    }

    @Test("a check replayed from everywhere moves nothing, and is answered with little")
    func replays() {
        for roles in [[Role.controlling, .controlled], [.controlled, .controlling]] {
            var network = AgentPair.network(1, roles: roles)
            AgentPair.connect(&network)
            let pair = network.agents[0].selectedPair(component: 1)
            let recorded = network.log[1].compactMap { effect -> [UInt8]? in
                guard case .send(let bytes, _, _) = effect, bytes[0] == 0, bytes[1] == 1 else { return nil }
                return bytes
            }
            #expect(!recorded.isEmpty)
            network.pass(.seconds(5))
            let floods = 1000
            for index in 0..<floods {
                network.inject(
                    recorded[index % recorded.count], on: Self.base,
                    from: Endpoint(.v4(0x0A00_0000 + UInt32(index)), port: 9), side: 0)
            }
            expectUnharmed(&network, pair)
            let (all, requests) = strangers(network)
            #expect(all - requests == floods)
            #expect(requests <= network.agents[0].configuration.peerReflexiveLimit * 7)
        }
    }

    @Test("spoofed and forged packets of every kind change nothing")
    func spoofs() {
        var network = AgentPair.network(2)
        AgentPair.connect(&network)
        let pair = network.agents[0].selectedPair(component: 1)
        let (before, role) = (network.agents[0].checkList, network.agents[0].role)
        let claims: [Attribute] = [.iceControlling(.max), .iceControlled(.max)]
        for (index, claim) in (0..<500).map({ ($0, claims[$0 % 2]) }) {
            for password in ["", "guess\(index)"] {
                let bytes = AgentPair.check(
                    to: network.agents[0], serial: UInt64(index), claim: claim, nominates: true, password: password)
                network.inject(bytes, on: Self.base, from: Endpoint("192.0.2.2:5101")!, side: 0)
            }
            for type in [MessageType(.success, .binding), MessageType(.error, .binding)] {
                var builder = MessageBuilder(type, TransactionID(high: 1, low: UInt64(index)))
                builder.add(.errorCode(.roleConflict, reason: ""))
                network.inject(
                    builder.finishedWithFingerprint(), on: Self.base, from: Endpoint("192.0.2.2:5101")!, side: 0)
            }
        }
        #expect(network.agents[0].checkList == before && network.agents[0].role == role)
        expectUnharmed(&network, pair)
    }

    @Test("a peer that calls every check a conflict is given up")
    func conflicts() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: Self.base, transport: .udp), at: .zero)
        var random = RandomSource.seeded(9)
        let peer = Credentials(random: &random)
        let candidate = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.2 6000 typ host").candidate!
        var effects = agent.start(
            remote: SessionDescription(credentials: peer, candidates: [candidate]), at: .zero)
        var (now, rounds) = (Instant.zero, 0)
        while let request = request(in: effects, &agent, &now), rounds < 100 {
            rounds += 1
            var builder = MessageBuilder(.error, .binding, request.transaction)
            builder.add(.errorCode(.roleConflict, reason: ""))
            builder.addIntegrity(IntegrityKey(shortTerm: peer.password))
            effects = agent.receive(
                builder.finishedWithFingerprint().span, on: Self.base, from: candidate.endpoint, at: now)
        }
        #expect(rounds == 9 && agent.checkList.pairs.map(\.state) == [.failed])
    }

    /// The first request among the effects, or among those of the time that passes until there is one.
    private func request(
        in effects: [ICEAgent.Effect], _ agent: inout ICEAgent, _ now: inout Instant
    ) -> Message? {
        var effects = effects
        while true {
            for case .send(let bytes, _, _) in effects {
                if let message = try? Message(decoding: bytes), message.type == MessageType(.request, .binding) {
                    return message
                }
            }
            guard let next = agent.deadline else { return nil }
            now = next
            effects = agent.advance(to: now)
        }
    }

    @Test("a peer that sees us elsewhere with every answer does not keep us talking")
    func restlessMapping() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: Self.base, transport: .udp), at: .zero)
        var random = RandomSource.seeded(9)
        let peer = Credentials(random: &random)
        let candidate = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.2 6000 typ host").candidate!
        var effects = agent.start(
            remote: SessionDescription(credentials: peer, candidates: [candidate]), at: .zero)
        var (now, requests, port) = (Instant.zero, 0, UInt16(1))
        while now < .zero.advanced(by: .seconds(60)) {
            port += 1
            let mapped = Endpoint(.v4(0x0A00_0001), port: port)
            if let answer = AgentPair.answer(effects, mapped: mapped, peer) {
                requests += 1
                effects = agent.receive(answer.span, on: Self.base, from: candidate.endpoint, at: now)
            } else {
                guard let next = agent.deadline else { break }
                now = next
                effects = agent.advance(to: now)
            }
        }
        #expect(agent.state == .completed && requests <= 2 + 2 * 15)
    }

    @Test("a flood of candidates is cut, whatever they say")
    func candidates() {
        var agent = ICEAgent(role: .controlling, components: 2, random: .seeded(1))
        for component in 1...2 {
            for port in 1...8 as ClosedRange<UInt16> {
                let endpoint = Endpoint(.v4(0xC000_0201), port: port + UInt16(component) * 100)
                _ = agent.addBase(ICEAgent.Base(component: component, endpoint: endpoint, transport: .udp), at: .zero)
            }
        }
        var random = RandomSource.seeded(9)
        let flood = (0..<20_000).map { index in
            Candidate(
                foundation: Foundation(kind: .host, base: .v4(UInt32(index))), component: index % 4,
                transport: index % 5 == 0 ? .tcp(.passive) : .udp, priority: UInt32(index),
                endpoint: Endpoint(.v4(0x0A00_0000 + UInt32(index)), port: UInt16(index % 3)), kind: .host)
        }
        _ = agent.start(
            remote: SessionDescription(credentials: Credentials(random: &random), candidates: flood), at: .zero)
        #expect(agent.remotes.count <= 2 * agent.configuration.remoteCandidateLimit)
        #expect(agent.checkList.pairs.count <= agent.configuration.pairLimit)
        var (now, sent) = (Instant.zero, 0)
        while let next = agent.deadline {
            now = next
            sent += agent.advance(to: now).count { if case .send = $0 { true } else { false } }
        }
        #expect(agent.state == .failed(.noPath) && now <= .zero.advanced(by: .seconds(60)))
        #expect(sent <= agent.configuration.pairLimit * 7)
    }

    @Test("connections that dribble are closed in time, and take little memory until then")
    func slowLoris() throws {
        var network = AgentPair.network(5, .tcp)
        AgentPair.connect(&network)
        let pair = network.agents[0].selectedPair(component: 1)
        var ids: [ICEAgent.ConnectionID] = []
        for port in 0..<200 as Range<UInt16> {
            let source = Endpoint(.v4(0x0A00_0001), port: port + 1)
            if let id = network.agents[0].accept(on: Self.base, from: source, at: network.now) { ids.append(id) }
        }
        #expect(ids.count == network.agents[0].configuration.unidentifiedConnectionLimit)
        for _ in 0..<12 {
            for id in ids { _ = network.agents[0].receive([0xFF].span, on: id, at: network.now) }
            network.pass(.seconds(1))
        }
        #expect(ids.allSatisfy { network.log[0].contains(.disconnect($0)) })
        #expect(network.isCompleted && network.agents[0].selectedPair(component: 1) == pair)
        let accepted = network.agents[0].accept(on: Self.base, from: Endpoint("10.0.0.1:1")!, at: network.now)
        let late = try #require(accepted)
        #expect(network.agents[0].receive([0].span, on: late, at: network.now).isEmpty)
    }
}
