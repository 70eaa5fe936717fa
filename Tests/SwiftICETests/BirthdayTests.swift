import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

/// NATs that draw a port for each flow, peers whose filters look at ports, and no relay.
@Suite("Meetings at random ports")
struct BirthdayTests {
    private static let drawing = NAT(mapping: .addressAndPortDependent, allocation: .random)
    private static let portRestricted = NAT(allocation: .random)

    /// Two homes that asked two STUN servers each.
    private func network(
        _ nats: [NAT], seed: UInt64, components: Int = 1, configuration: Configuration = Configuration(),
        probes: [Bool] = [true, true]
    ) -> VirtualNetwork {
        var network = AgentPair.homes(
            behind: nats, seed: seed, components: components, servers: 2, configuration: configuration)
        for side in 0..<2 {
            network.options[side].probesRandomPorts = probes[side]
            network.start(side: side, after: .milliseconds(Int(seed) % 5 * side))
        }
        return network
    }

    @Test("most meet within the budget, and both sides agree on where", arguments: [0, 1])
    func meeting(drawingSide: Int) {
        var times: [Duration] = []
        let seeds = UInt64(40)
        for seed in 1...seeds {
            let nats = drawingSide == 0 ? [Self.drawing, Self.portRestricted] : [Self.portRestricted, Self.drawing]
            var network = network(nats, seed: seed)
            guard network.run(until: .zero.advanced(by: .seconds(30)), isDone: { $0.isCompleted }) else { continue }
            times.append(Instant.zero.duration(to: network.now))
            AgentPair.expectMirrored(network, "seed \(seed)")
            network.pass(.seconds(40))
            #expect(network.isCompleted && network.violations.isEmpty, "seed \(seed): \(network.violations)")
            #expect(network.sockets[drawingSide].count <= 4, "seed \(seed): sockets that met nobody are closed")
        }
        // 256 of about 40000 ports are open, and 1024 of 64512 are tried: 98 of a hundred meet.
        #expect(times.count >= 37, "\(times.count) of \(seeds)")
        #expect(times.sorted()[times.count / 2] < .seconds(8), "\(times.sorted())")
    }

    @Test("both components of a session meet")
    func components() {
        let met = (1...UInt64(10)).count { seed in
            var network = network([Self.drawing, Self.portRestricted], seed: seed, components: 2)
            return network.run(until: .zero.advanced(by: .seconds(39))) { $0.isCompleted }
        }
        #expect(met >= 8)
    }

    @Test("a lost packet more or less changes little")
    func losses() {
        let met = (1...UInt64(20)).count { seed in
            var network = network([Self.drawing, Self.portRestricted], seed: seed)
            network.loss = 0.1
            return network.run(until: .zero.advanced(by: .seconds(39))) { $0.isCompleted }
        }
        #expect(met >= 16)
    }

    @Test("nobody probes unless both sides agreed, or where neither or both NATs draw ports")
    func agreement() {
        let cases = [
            ([Self.drawing, Self.portRestricted], [false, false]), ([Self.drawing, Self.drawing], [true, true]),
        ]
        for (nats, probes) in cases {
            var network = network(nats, seed: 3, probes: probes)
            network.pass(.seconds(30))
            #expect(network.sockets == [[], []])
            #expect(network.sent.allSatisfy { $0 < 100 }, "\(network.sent)")
        }
    }

    @Test("where there is a relay nobody probes")
    func relays() {
        var network = network([Self.drawing, Self.portRestricted], seed: 3)
        network.addRelay(Endpoint(.v4(0x0909_0901), port: 6000), component: 1, side: 1, refusing: true)
        network.pass(.seconds(30))
        #expect(network.sockets == [[], []])
        #expect(network.sent.allSatisfy { $0 < 150 }, "\(network.sent)")
    }

    @Test("packets are paced and bounded, and sockets are given back when nobody is met")
    func bounded() {
        var configuration = Configuration()
        configuration.birthdayProbeLimit = 100
        configuration.birthdaySocketLimit = 8
        for seed in 1...UInt64(10) {
            var network = network([Self.drawing, Self.portRestricted], seed: seed, configuration: configuration)
            network.pass(.milliseconds(1_990))
            let before = network.sent
            network.pass(.milliseconds(510))
            #expect(network.sent[1] - before[1] <= 55, "seed \(seed): a hundred a second")
            network.pass(.seconds(10))
            #expect(network.sent[0] - before[0] <= 8 + 20 && network.sent[1] - before[1] <= 100 + 20, "seed \(seed)")
            guard !network.isCompleted else { continue }
            #expect(network.sockets[0].count == 8, "seed \(seed)")
            network.pass(.seconds(40))
            #expect(network.sockets == [[], []], "seed \(seed): \(network.agents.map(\.state))")
        }
    }

    @Test("each port is tried once")
    func order() {
        for seed in 1...UInt64(20) {
            var random = RandomSource.seeded(seed)
            let order = PortOrder(random: &random)
            let ports = (0..<PortOrder.ports.count).map { order[$0] }
            #expect(Set(ports).count == PortOrder.ports.count, "seed \(seed)")
            #expect(ports.allSatisfy { $0 >= 1024 }, "seed \(seed)")
        }
    }

    @Test("sockets nobody asked for, and those of a search that is over, are given back")
    func unwanted() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        let base = ICEAgent.Base(component: 1, endpoint: Endpoint("192.0.2.1:5000")!, transport: .udp)
        _ = agent.addBase(base, at: .zero)
        let sockets = [Endpoint("192.0.2.1:6000")!]
        #expect(agent.opened(sockets, beside: base.endpoint, at: .zero) == [.closeSockets(sockets)])
        #expect(agent.opened([], beside: base.endpoint, at: .zero).isEmpty)
        _ = agent.close()
        #expect(agent.opened(sockets, beside: base.endpoint, at: .zero) == [.closeSockets(sockets)])
    }
}
