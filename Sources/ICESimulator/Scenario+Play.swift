internal import SansIO
internal import SwiftICE

extension Scenario {
    /// Plays the scenario to its end and returns what should not have happened.
    ///
    /// - Parameter trace: told of every effect, to follow a run.
    package func play(trace: (@Sendable (String) -> Void)? = nil) -> [String] {
        var stage = Stage(self, trace)
        return stage.play()
    }
}

/// A scenario under way.
private struct Stage {
    private let scenario: Scenario
    private var network: VirtualNetwork
    private var bases: [ICEAgent.Base] = []
    private var outermost: [Int?] = [nil, nil]
    private var moves: UInt32 = 0
    private var findings: [String] = []

    init(_ scenario: Scenario, _ trace: (@Sendable (String) -> Void)?) {
        self.scenario = scenario
        network = VirtualNetwork(seed: scenario.seed, roles: scenario.roles)
        network.trace = trace
        (network.loss, network.duplication) = (scenario.loss, scenario.duplication)
        network.delay = .milliseconds(1)...(.milliseconds(max(1, scenario.delay)))
        for side in 0..<2 { network.options[side].renominates = scenario.renominates }
    }

    mutating func play() -> [String] {
        for side in 0..<2 { settle(side) }
        for side in 0..<2 { network.start(side: side, after: .milliseconds(scenario.starts[side])) }
        network.pass(.milliseconds(scenario.starts.max() ?? 0))
        if scenario.trickles { for side in 0..<2 { gather(side) } }
        converse(for: 100)
        judge("at first", mustConnect: scenario.mustConnect)
        for change in scenario.changes { apply(change) }
        for side in 0..<2 { network.close(side: side) }
        network.pass(.seconds(60))
        if network.agents.contains(where: { $0.deadline != nil }) { findings.append("a closed agent waits") }
        return findings + network.violations
    }

    // MARK: The homes

    private mutating func settle(_ side: Int) {
        let home = scenario.homes[side]
        var inside: Int?
        for (depth, nat) in home.nats.enumerated().reversed() {
            let isOutermost = depth == home.nats.count - 1
            if isOutermost, scenario.sharesNAT, side == 1 {
                inside = outermost[0]
            } else {
                let external = isOutermost ? 0xC633_6401 + UInt32(side) : 0x6440_0001 + UInt32(depth * 2 + side)
                inside = network.addNAT(nat, external: .v4(external), in: inside)
            }
            if isOutermost { outermost[side] = inside }
        }
        let address = IPAddress.v4((home.nats.isEmpty ? 0xCB00_7101 : 0xC0A8_0102) + UInt32(side))
        bases.append(
            ICEAgent.Base(component: 1, endpoint: Endpoint(address, port: 5000 + UInt16(side)), transport: .udp))
        network.place(address, side: side, in: inside)
        network.addBase(bases[side], side: side)
        if !scenario.trickles { gather(side) }
    }

    private mutating func gather(_ side: Int) {
        let home = scenario.homes[side]
        if home.knowsMapped, let mapped = network.mapped(bases[side], side: side), mapped != bases[side].endpoint {
            network.addMapped(mapped, base: bases[side], side: side)
        }
        if home.hasRelay {
            network.addRelay(Endpoint(.v4(0x0909_0901 + UInt32(side)), port: 6000), component: 1, side: side)
        }
        if scenario.trickles { network.trickle(side: side) }
    }

    // MARK: Time

    /// Lets time pass while both sides talk.
    private mutating func converse(for seconds: Int, lossless: Bool = false) {
        let loss = network.loss
        if lossless { network.loss = 0 }
        defer { network.loss = loss }
        for _ in 0..<seconds {
            for side in 0..<2 where network.agents[side].usablePair(component: 1, at: network.now) != nil {
                network.send([0x80, UInt8(side)], component: 1, side: side)
            }
            network.pass(.seconds(1))
        }
    }

    private mutating func apply(_ change: Scenario.Change) {
        let wasConnected = network.isCompleted
        switch change {
        case .rebind(let side):
            guard let box = outermost[side] else { return }
            network.rebind(box)
            converse(for: 120)
            judge("after \(change)", mustConnect: false)
        case .move(let side, let nat):
            move(side, behind: nat)
            converse(for: 120)
            judge("after \(change)", mustConnect: false)
        case .restart(let side):
            guard network.agents.allSatisfy({ $0.state != .new }) else { return }
            network.restart(side: side)
            converse(for: 100)
            judge("after \(change)", mustConnect: wasConnected && scenario.changes.first == change)
        case .outage(let side):
            outage(restarting: side)
            judge("after \(change)", mustConnect: wasConnected && scenario.changes.first == change)
        case .sleep:
            network.sleep(.seconds(20))
            converse(for: 60)
            judge("after \(change)", mustConnect: wasConnected && scenario.changes.first == change)
        }
    }

    private mutating func move(_ side: Int, behind nat: NAT?) {
        moves += 1
        network.removeBase(bases[side], side: side)
        var inside: Int?
        if let nat { inside = network.addNAT(nat, external: .v4(0xC633_6500 + moves)) }
        let address = IPAddress.v4(nat == nil ? 0xCB00_7200 + moves : 0xC0A8_0200 + moves)
        bases[side] = ICEAgent.Base(component: 1, endpoint: Endpoint(address, port: 7000), transport: .udp)
        outermost[side] = inside
        network.place(address, side: side, in: inside)
        network.addBase(bases[side], side: side)
    }

    private mutating func outage(restarting side: Int) {
        let loss = network.loss
        network.loss = 1
        converse(for: 100)
        if network.isCompleted { findings.append("a session without consent is completed") }
        network.loss = loss
        guard network.agents.allSatisfy({ $0.state != .new }) else { return }
        network.restart(side: side)
        converse(for: 100)
    }

    // MARK: What must hold

    private mutating func judge(_ moment: String, mustConnect: Bool) {
        let (one, other) = (network.agents[0], network.agents[1])
        guard network.isCompleted else {
            if one.state == .checking || other.state == .checking { findings.append("\(moment): no end of checks") }
            guard !scenario.forgivesLoss || scenario.loss == 0 else { return }
            if mustConnect { findings.append("\(moment): a path exists, but \(one.state), \(other.state)") }
            if one.state == .completed || other.state == .completed {
                findings.append("\(moment): one side only is connected: \(one.state), \(other.state)")
            }
            return
        }
        // Where much is lost, one side may just have moved away from a pair that was silent for long, and the other follows.
        if !agree, scenario.loss > 0 { converse(for: 15, lossless: true) }
        if !agree {
            let pairs = network.agents.map { $0.selectedPair(component: 1).map(Self.text) ?? "none" }
            findings.append("\(moment): the pairs differ: \(pairs[0]), \(pairs[1])")
        }
        if one.role == other.role { findings.append("\(moment): both sides are \(one.role)") }
    }

    /// Whether what one side has selected is what the other one has.
    private var agree: Bool {
        let (mine, theirs) = (
            network.agents[0].selectedPair(component: 1), network.agents[1].selectedPair(component: 1)
        )
        return mine?.local.endpoint == theirs?.remote.endpoint && mine?.remote.endpoint == theirs?.local.endpoint
    }

    private static func text(_ pair: ICEAgent.SelectedPair) -> String {
        "\(pair.local.kind) \(pair.local.endpoint) - \(pair.remote.kind) \(pair.remote.endpoint)"
    }
}
