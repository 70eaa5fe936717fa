import ICESimulator
import SansIO
import Testing

@testable import SwiftICE

/// What tests of sessions between two agents share.
enum AgentPair {
    static let addresses = [["192.0.2.1"], ["192.0.2.2"]]

    /// Two agents on the internet.
    static func network(
        _ seed: UInt64, _ transport: ICEAgent.Base.Transport = .udp, roles: [Role] = [.controlling, .controlled],
        configuration: Configuration = Configuration(), renominates: Bool = false
    ) -> VirtualNetwork {
        var network = VirtualNetwork(
            seed: seed, roles: roles, bases: (0..<2).map { bases($0, transport) }, configuration: configuration)
        for side in 0..<2 { network.options[side].renominates = renominates }
        return network
    }

    /// Two agents in homes of their own, who know the addresses that STUN servers see them at; side 0 controls on even
    /// seeds.
    static func homes(
        behind nats: [NAT], seed: UInt64, components: Int = 1, servers: Int = 1,
        _ transport: ICEAgent.Base.Transport = .udp, tcp: Candidate.TCPRole = .passive,
        configuration: Configuration = Configuration()
    ) -> VirtualNetwork {
        let roles: [Role] = seed % 2 == 0 ? [.controlling, .controlled] : [.controlled, .controlling]
        var network = VirtualNetwork(seed: seed, roles: roles, components: components, configuration: configuration)
        for (side, nat) in nats.enumerated() {
            let address = IPAddress.v4(0xC0A8_0102 + UInt32(side))
            network.place(address, side: side, in: network.addNAT(nat, external: .v4(0xC633_6401 + UInt32(side))))
            for component in 1...components {
                let endpoint = Endpoint(address, port: UInt16(5000 + component))
                let base = ICEAgent.Base(component: component, endpoint: endpoint, transport: transport)
                network.addBase(base, side: side)
                for server in 0..<servers {
                    guard let mapped = network.mapped(base, side: side, server: server) else { continue }
                    network.addMapped(mapped, base: base, tcp: tcp, side: side)
                }
            }
        }
        return network
    }

    static func bases(_ side: Int, _ transport: ICEAgent.Base.Transport = .udp) -> [ICEAgent.Base] {
        VirtualNetwork.bases(side, components: 1, transport, addresses: addresses[side])
    }

    /// Starts both sides and waits until they are connected.
    static func connect(_ network: inout VirtualNetwork) {
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .milliseconds(20))
        let isConnected = network.run(until: network.now.advanced(by: .seconds(39))) { $0.isCompleted }
        #expect(isConnected, "\(network.agents.map(\.state))")
        network.pass(.seconds(3))
    }

    /// Both sides talk for a while, a datagram each every 50 ms; returns how many each one received.
    static func talk(_ network: inout VirtualNetwork, for time: Duration) -> [Int] {
        let before = network.data.map(\.count)
        for _ in 0..<Int(time / .milliseconds(50)) {
            for side in 0..<2 { network.send([0x80, UInt8(side)], component: 1, side: side) }
            network.pass(.milliseconds(50))
        }
        network.pass(.milliseconds(500))
        return zip(network.data, before).map { $0.count - $1 }
    }

    static func expectMirrored(_ network: VirtualNetwork, _ moment: String = "") {
        let pairs = network.agents.map { $0.selectedPair(component: 1) }
        #expect(pairs[0] != nil && pairs[0]?.local.endpoint == pairs[1]?.remote.endpoint, "\(moment)")
        #expect(pairs[0]?.remote.endpoint == pairs[1]?.local.endpoint, "\(moment)")
        #expect(network.violations == [], "\(moment)")
    }

    /// A check as the peer of `agent` would make it.
    static func check(
        to agent: ICEAgent, serial: UInt64 = 2, claim: Attribute? = nil, nominates: Bool = false,
        password: String? = nil, nomination: UInt32? = nil
    ) -> [UInt8] {
        var builder = MessageBuilder(.request, .binding, TransactionID(high: 1, low: serial))
        builder.add(.username("\(agent.localCredentials.fragment):peer"))
        builder.add(.priority(1_862_270_975))
        if let claim { builder.add(claim) }
        if nominates { builder.add(.useCandidate) }
        if let nomination {
            builder.add(.unknown(.nomination, [0, 0, UInt8(nomination >> 8), UInt8(nomination & 255)]))
        }
        builder.addIntegrity(IntegrityKey(shortTerm: password ?? agent.localCredentials.password))
        return builder.finishedWithFingerprint()
    }

    /// The success response of a peer with these credentials to a check among the effects.
    static func answer(_ effects: [ICEAgent.Effect], mapped: Endpoint, _ peer: Credentials) -> [UInt8]? {
        for case .send(let bytes, _, _) in effects {
            guard let message = try? Message(decoding: bytes), message.type == MessageType(.request, .binding) else {
                continue
            }
            var builder = MessageBuilder(.success, .binding, message.transaction)
            builder.add(.xorAddress(.xorMappedAddress, mapped))
            builder.addIntegrity(IntegrityKey(shortTerm: peer.password))
            return builder.finishedWithFingerprint()
        }
        return nil
    }
}
