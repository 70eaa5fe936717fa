import Foundation
import ICESimulator
import SansIO
import Testing

/// Sessions between homes behind random NATs, over random networks, in changing circumstances.
@Suite("Random networks")
struct RandomNetworkTests {
    /// The seeds that are played; `ICE_SEEDS` asks for more, and `ICE_SEED` for one that tells all it does.
    private static let seeds: ClosedRange<UInt64> = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["ICE_SEED"].flatMap({ UInt64($0) }) { return seed...seed }
        return 1...max(1, environment["ICE_SEEDS"].flatMap { UInt64($0) } ?? 80)
    }()

    private static let trace: (@Sendable (String) -> Void)? = {
        guard seeds.count == 1 else { return nil }
        return { line in print(line) }
    }()

    @Test("whatever the network, both sides agree, stop when consent ends, and end")
    func agreement() {
        for seed in Self.seeds {
            var random = RandomSource.seeded(seed)
            let scenario = Scenario(random: &random)
            let findings = scenario.play(trace: Self.trace)
            #expect(findings == [], "seed \(seed): \(scenario)")
        }
    }

    /// 448: the round trip of a repeated request was taken for seconds. 772: questions from before a sleep were held
    /// against the peer. 788: answers from another address counted as consent for this one. 1435: so did a selection of
    /// a pair checked long ago. 2620, 2957: two NATs that give each check a new address kept all other pairs waiting.
    @Test("what once went wrong stays right", arguments: [448, 772, 788, 1435, 2620, 2957] as [UInt64])
    func formerFindings(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let scenario = Scenario(random: &random)
        #expect(scenario.play() == [], "\(scenario)")
    }

    @Test("theory and practice agree on which NATs are crossed without a relay")
    func matrix() {
        for mapping in NAT.Dependence.allCases {
            for filtering in NAT.Dependence.allCases {
                let homes = [NAT(mapping: mapping, filtering: filtering), .portRestricted].map {
                    Scenario.Home(nats: [$0], hasRelay: false)
                }
                let scenario = Scenario(homes: homes, seed: 7)
                #expect(scenario.mustConnect == (mapping == .endpointIndependent))
                #expect(scenario.play() == [], "\(mapping) \(filtering)")
            }
        }
    }
}
