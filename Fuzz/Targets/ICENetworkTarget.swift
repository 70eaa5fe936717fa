import ICESimulator
import SansIO
import SwiftICE

extension FuzzTarget {
    /// Two ICE agents and the networks between them: the bytes choose NATs, loss, delay, duplicates, roles, relays, and
    /// what happens to addresses and credentials while the session lives.
    static let iceNetwork = FuzzTarget(name: "ice-network") { bytes throws(Finding) in
        var choices = Choices(bytes)
        let scenario = Scenario(&choices)
        if let finding = scenario.play().first { throw Finding(fact: "\(finding) in \(scenario)") }
    }
}

extension Scenario {
    fileprivate init(_ choices: inout Choices) {
        let shape = choices.byte()
        let homes = [Home(&choices), Home(&choices)]
        self.init(homes: homes, seed: UInt64(choices.word()))
        forgivesLoss = true
        sharesNAT = shape & 1 != 0 && homes.allSatisfy { !$0.nats.isEmpty }
        let roles: [Role] = [.controlling, .controlled]
        self.roles = [roles[Int(shape >> 1 & 1)], roles[Int(shape >> 2 & 1)]]
        renominates = shape & 8 != 0
        trickles = shape & 16 != 0
        duplication = shape & 32 != 0 ? 0.2 : 0
        let quality = choices.byte()
        loss = Double(quality & 3) * 0.1
        delay = [1, 20, 100, 300][Int(quality >> 2 & 3)]
        starts = [Int(choices.byte()) * 8, Int(choices.byte()) * 8]
        for _ in 0..<3 where !choices.isAtEnd { changes.append(Change(&choices)) }
    }
}

extension Scenario.Home {
    fileprivate init(_ choices: inout Choices) {
        let shape = choices.byte()
        let nats = (0..<Int(shape & 3)).map { _ in NAT(&choices) }
        self.init(nats: nats, hasRelay: shape & 4 != 0, knowsMapped: shape & 8 == 0)
    }
}

extension NAT {
    fileprivate init(_ choices: inout Choices) {
        let shape = Int(choices.byte())
        self.init(
            mapping: Dependence.allCases[shape % 3], filtering: Dependence.allCases[shape / 3 % 3],
            allocation: Allocation.allCases[shape / 9 % 3], hairpins: shape / 27 % 2 == 1, blocksUDP: shape / 54 == 4)
    }
}

extension Scenario.Change {
    fileprivate init(_ choices: inout Choices) {
        let shape = choices.byte()
        let side = Int(shape >> 3 & 1)
        switch shape & 7 {
        case 0, 1: self = .rebind(side: side)
        case 2: self = .move(side: side, behind: nil)
        case 3: self = .move(side: side, behind: NAT(&choices))
        case 4, 5: self = .restart(side: side)
        case 6: self = .outage(restarting: side)
        default: self = .sleep
        }
    }
}
