import SansIO
import SwiftDHT
import SwiftICE

/// Whole machines in memory: no socket, no clock.
func benchmarkMachines() {
    var node = DHT.sample()
    let source = Samples.peer
    for (name, request) in [("ping", Samples.ping), ("get", Samples.get)] {
        let answer = node.receive(request.span, from: source, at: .zero)
        expect(answer.contains { if case .send(_, source) = $0 { true } else { false } }, "\(name) is answered")
        rate("machine.dht-\(name)", "answers", runs: 5_000) {
            use(node.receive(request.span, from: source, at: .zero))
        }
    }
    var virtual = Duration.zero
    rate("machine.ice-connect", "sessions", runs: 50) { virtual = connect() }
    report("machine.ice-connect-virtual", virtual / .microseconds(1), "us")
}

/// Connects two agents with two components each over a path of 10 ms and returns the virtual time it took.
private func connect() -> Duration {
    let delay = Duration.milliseconds(10)
    var now = Instant.zero
    var agents = [Role.controlling, .controlled].map {
        ICEAgent(role: $0, components: 2, random: .seeded($0 == .controlling ? 1 : 2))
    }
    var packets: [(bytes: [UInt8], from: Endpoint, to: Endpoint, at: Instant)] = []
    func home(_ side: Int, _ component: Int) -> Endpoint {
        Endpoint(.v4(0x0A00_0001 + UInt32(side)), port: 5000 + UInt16(component))
    }
    func carry(_ effects: [ICEAgent.Effect]) {
        for case .send(let bytes, let from, let to) in effects {
            packets.append((bytes, from, to, now.advanced(by: delay)))
        }
    }
    for side in 0..<2 {
        for component in 1...2 {
            let base = ICEAgent.Base(component: component, endpoint: home(side, component), transport: .udp)
            carry(agents[side].addBase(base, at: now))
        }
    }
    let descriptions = agents.map(\.localDescription)
    for side in 0..<2 { carry(agents[side].start(remote: descriptions[1 - side], at: now)) }
    while agents.contains(where: { $0.state == .checking }) {
        now = (agents.compactMap(\.deadline) + packets.prefix(1).map(\.at)).min() ?? now
        while let packet = packets.first, packet.at <= now {
            packets.removeFirst()
            let side = packet.to.address == home(0, 1).address ? 0 : 1
            carry(agents[side].receive(packet.bytes.span, on: packet.to, from: packet.from, at: now))
        }
        for side in 0..<2 { carry(agents[side].advance(to: now)) }
    }
    expect(agents.allSatisfy { $0.state == .completed }, "the agents connect")
    return Instant.zero.duration(to: now)
}

/// Believes everything: signatures are not what is measured.
private struct Believer: ValueVerifier {
    func isValid(signature: [UInt8], of bytes: [UInt8], by owner: [UInt8]) -> Bool { true }
    func publicKey(inCertificate data: [UInt8]) -> [UInt8]? { nil }
}

extension DHT {
    /// A node that serves without counting who asks.
    static func sample() -> DHT {
        var configuration = SwiftDHT.Configuration()
        configuration.limitsRequestRate = false
        return DHT(
            configuration: configuration, id: InfoHash(hashing: "bench"), verifier: Believer(),
            clock: WallClock(epochOffset: 1_800_000_000_000_000_000), random: .seeded(1))
    }
}
