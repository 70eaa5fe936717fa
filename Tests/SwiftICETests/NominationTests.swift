import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

/// Which pair is nominated, and when, where better ones may still be found.
@Suite("Nomination")
struct NominationTests {
    private static let restricted = NAT(filtering: .addressDependent, allocation: .random)
    private static let portRestricted = NAT(allocation: .random)
    private static let symmetric = NAT(mapping: .addressAndPortDependent, allocation: .random)

    /// Two homes that know their mapped addresses and have a relay each.
    private func network(_ nats: [NAT], seed: UInt64, way: ClosedRange<Duration>) -> VirtualNetwork {
        var configuration = Configuration()
        configuration.pacing = .milliseconds(5)
        configuration.earlyRepetition = .milliseconds(150)
        var network = AgentPair.homes(behind: nats, seed: seed, configuration: configuration)
        network.delay = way
        for side in 0..<2 {
            network.addRelay(Endpoint(.v4(0x0909_0901 + UInt32(side)), port: 6000), component: 1, side: side)
        }
        return network
    }

    private func isUsable(_ network: VirtualNetwork) -> Bool {
        network.agents.allSatisfy { $0.usablePair(component: 1, at: network.now) != nil }
    }

    private func isDirect(_ network: VirtualNetwork) -> Bool {
        network.agents.allSatisfy { agent in
            agent.selectedPair(component: 1).map { $0.local.kind != .relayed && $0.remote.kind != .relayed } ?? false
        }
    }

    @Test(
        "a check that came before the peer's filter was open does not make the relay win",
        arguments: [Duration.microseconds(300), .milliseconds(25), .milliseconds(100)])
    func filtersThatOpenLate(way: Duration) {
        for seed in 1...UInt64(60) {
            var nats = [Self.restricted, Self.symmetric]
            if seed % 4 < 2 { nats.reverse() }
            var network = network(nats, seed: seed, way: way...(way * 11 / 10))
            let late = Duration.milliseconds([0, 1, 3, 20, 200][Int(seed % 5)])
            network.start(side: seed % 3 == 0 ? 0 : 1, after: .zero)
            network.start(side: seed % 3 == 0 ? 1 : 0, after: late)
            let isDone = network.run(until: .zero.advanced(by: late + way * 2 + .seconds(1))) { $0.isCompleted }
            #expect(isDone && isDirect(network), "seed \(seed)")
        }
    }

    @Test("a direct pair does not wait for host pairs that had as long as it took")
    func directPairsSettle() {
        for seed in 1...UInt64(20) {
            var network = network(
                [Self.portRestricted, Self.portRestricted], seed: seed, way: .milliseconds(48)...(.milliseconds(52)))
            for side in 0..<2 { network.start(side: side, after: .zero) }
            let isConnected = network.run(until: .zero.advanced(by: .milliseconds(115)), isDone: isUsable)
            let isSettled = network.run(until: .zero.advanced(by: .milliseconds(220))) { $0.isCompleted }
            #expect(isConnected && isSettled, "seed \(seed)")
            #expect(isDirect(network), "seed \(seed)")
        }
    }

    @Test("a relay carries data at once, and is nominated soon where it is the only way")
    func relaysSettle() {
        for seed in 1...UInt64(20) {
            // A way to the relay and one from it.
            var network = network(
                [Self.symmetric, Self.symmetric], seed: seed, way: .milliseconds(24)...(.milliseconds(26)))
            for side in 0..<2 { network.start(side: side, after: .zero) }
            let isConnected = network.run(until: .zero.advanced(by: .milliseconds(165)), isDone: isUsable)
            let isSettled = network.run(until: .zero.advanced(by: .milliseconds(480))) { $0.isCompleted }
            #expect(isConnected && isSettled, "seed \(seed)")
            #expect(!isDirect(network), "seed \(seed)")
        }
    }

    @Test("a tenth of all packets lost on each of four lines does not keep two sides apart")
    func losses() {
        var times: [Duration] = []
        for seed in 1...UInt64(200) {
            var network = network(
                [Self.portRestricted, Self.portRestricted], seed: seed, way: .milliseconds(44)...(.milliseconds(56)))
            network.loss = 0.19
            for side in 0..<2 { network.start(side: side, after: .zero) }
            let isConnected = network.run(until: .zero.advanced(by: .seconds(5)), isDone: isUsable)
            times.append(Instant.zero.duration(to: network.now))
            let isSettled = network.run(until: .zero.advanced(by: .seconds(5))) { $0.isCompleted }
            #expect(isConnected && isSettled, "seed \(seed)")
        }
        #expect(times.sorted()[100] <= .milliseconds(300))
    }

    @Test(
        "losses make a relay win where there is a direct way once in a hundred sessions",
        arguments: [portRestricted, restricted], [Duration.milliseconds(5), .milliseconds(50), .milliseconds(120)])
    func directInSpiteOfLosses(nat: NAT, way: Duration) {
        let other = nat == Self.restricted ? Self.symmetric : Self.portRestricted
        var relayed = 0
        for seed in 1...UInt64(200) {
            var network = network([nat, other], seed: seed, way: (way * 88 / 100)...(way * 112 / 100))
            network.loss = 0.19
            for side in 0..<2 { network.start(side: side, after: .milliseconds(side * 20)) }
            let isSettled = network.run(until: .zero.advanced(by: .seconds(6))) { $0.isCompleted }
            #expect(isSettled, "seed \(seed)")
            if !isDirect(network) { relayed += 1 }
        }
        #expect(relayed <= 2)
    }

    @Test("repetitions ahead of the schedule are few")
    func repetitionsAreBounded() {
        var network = network(
            [Self.symmetric, Self.symmetric], seed: 3, way: .milliseconds(1)...(.milliseconds(2)))
        for side in 0..<2 { network.start(side: side, after: .zero) }
        network.pass(.seconds(4))
        #expect(network.isCompleted && network.sent.allSatisfy { $0 < 40 }, "\(network.sent)")
    }
}
