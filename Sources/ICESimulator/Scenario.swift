package import SansIO
package import SwiftICE

/// Two homes behind NATs of some kind, a network of some quality, and what happens to them while a session lives.
package struct Scenario: Sendable {
    /// Where an agent is.
    package struct Home: Hashable, Sendable {
        /// The NATs from the host to the internet; none for a public address.
        package var nats: [NAT]
        /// Whether it has an address on a relay.
        package var hasRelay: Bool
        /// Whether a STUN server told it its address.
        package var knowsMapped: Bool

        package init(nats: [NAT], hasRelay: Bool, knowsMapped: Bool = true) {
            (self.nats, self.hasRelay, self.knowsMapped) = (nats, hasRelay, knowsMapped)
        }
    }

    /// What happens to a session.
    package enum Change: Hashable, Sendable {
        /// The outermost NAT of a side loses its mappings.
        case rebind(side: Int)
        /// A side gets another address, with a NAT of its own or none, and finds a bound socket there at once.
        case move(side: Int, behind: NAT?)
        /// A side restarts ICE.
        case restart(side: Int)
        /// Nothing arrives for so long that the consent is lost, then one side restarts ICE.
        case outage(restarting: Int)
        /// Both machines sleep.
        case sleep
    }

    package var homes: [Home]
    /// Whether both are behind the same outermost NAT.
    package var sharesNAT = false
    package var roles: [Role] = [.controlling, .controlled]
    package var renominates = false
    package var trickles = false
    package var loss = 0.0
    package var duplication = 0.0
    /// The longest way of a packet in milliseconds; the shortest is 1 ms.
    package var delay = 40
    /// When each side learns the other's description, in milliseconds.
    package var starts = [0, 0]
    package var changes: [Change] = []
    /// Whether a session may fail by bad luck where packets are lost; what is sent is judged all the same.
    package var forgivesLoss = false
    package var seed: UInt64

    package init(homes: [Home], seed: UInt64) {
        self.homes = homes
        self.seed = seed
    }

    /// A scenario drawn at random.
    package init(random: inout RandomSource) {
        let homes = (0..<2).map { _ in Home(random: &random) }
        self.init(homes: homes, seed: random.next())
        sharesNAT = homes.allSatisfy { !$0.nats.isEmpty } && Int.random(in: 0..<6, using: &random) == 0
        if Int.random(in: 0..<4, using: &random) == 0 {
            let role = Bool.random(using: &random) ? Role.controlling : .controlled
            roles = [role, role]
        }
        renominates = Bool.random(using: &random)
        trickles = Bool.random(using: &random)
        loss = [0, 0, 0.05, 0.15].randomElement(using: &random) ?? 0
        duplication = [0, 0.1].randomElement(using: &random) ?? 0
        delay = [2, 40, 200].randomElement(using: &random) ?? 40
        starts = (0..<2).map { _ in Int.random(in: 0...1500, using: &random) }
        for _ in 0..<Int.random(in: 0...2, using: &random) { changes.append(Change(random: &random)) }
    }
}

extension Scenario.Home {
    fileprivate init(random: inout RandomSource) {
        let depth = [0, 1, 1, 1, 2].randomElement(using: &random) ?? 1
        self.init(
            nats: (0..<depth).map { _ in NAT(random: &random) },
            hasRelay: Int.random(in: 0..<3, using: &random) == 0,
            knowsMapped: Int.random(in: 0..<8, using: &random) > 0)
    }

    var blocksUDP: Bool { nats.contains(where: \.blocksUDP) }
    /// Whether the other side learns its address on the internet, if not its port: relays must let it through.
    var isKnown: Bool { nats.isEmpty || knowsMapped }
    var keepsMapping: Bool { nats.allSatisfy { $0.mapping == .endpointIndependent } }
    var filtering: NAT.Dependence {
        NAT.Dependence(rawValue: nats.map(\.filtering.rawValue).max() ?? 0) ?? .addressAndPortDependent
    }
}

extension NAT {
    fileprivate init(random: inout RandomSource) {
        self.init(
            mapping: Dependence.allCases.randomElement(using: &random) ?? .endpointIndependent,
            filtering: Dependence.allCases.randomElement(using: &random) ?? .endpointIndependent,
            allocation: Allocation.allCases.randomElement(using: &random) ?? .sequential,
            hairpins: Bool.random(using: &random), blocksUDP: Int.random(in: 0..<12, using: &random) == 0)
    }
}

extension Scenario.Change {
    fileprivate init(random: inout RandomSource) {
        let side = Int.random(in: 0..<2, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: self = .rebind(side: side)
        case 1: self = .move(side: side, behind: nil)
        case 2: self = .move(side: side, behind: .portRestricted)
        case 3: self = .restart(side: side)
        case 4: self = .outage(restarting: side)
        default: self = .sleep
        }
    }
}

extension Scenario {
    /// Whether theory says that a path exists between the homes as they are at the beginning; `false` where it does not
    /// say so for sure.
    package var mustConnect: Bool {
        let one = homes[0]
        var other = homes[1]
        if sharesNAT, !other.nats.isEmpty, let shared = one.nats.last { other.nats[other.nats.count - 1] = shared }
        if one.hasRelay, other.hasRelay || other.isKnown && !other.blocksUDP { return true }
        if other.hasRelay, one.isKnown, !one.blocksUDP { return true }
        if sharesNAT { return one.nats.count == 1 && other.nats.count == 1 }
        guard !one.blocksUDP, !other.blocksUDP else { return false }
        return Self.reaches(one, other) || Self.reaches(other, one)
    }

    /// Whether `caller` gets through to `home` by checks that cross, or because `home` is open to it.
    private static func reaches(_ caller: Home, _ home: Home) -> Bool {
        guard home.keepsMapping, home.isKnown else { return false }
        switch home.filtering {
        case .endpointIndependent: return true
        case .addressDependent: return caller.isKnown
        case .addressAndPortDependent:
            return caller.keepsMapping && caller.isKnown
        }
    }
}
