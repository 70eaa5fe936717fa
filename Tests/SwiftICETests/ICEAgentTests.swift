import ICESimulator
import SansIO
import TestVectors
import Testing

@testable import SwiftICE

struct ICEAgentTests {
    private func expectMirrored(_ network: VirtualNetwork, _ seed: UInt64) {
        let (a, b) = (network.agents[0], network.agents[1])
        #expect(Set([a.role, b.role]).count == 2, "seed \(seed)")
        for component in 1...a.components {
            let (mine, theirs) = (a.selectedPair(component: component), b.selectedPair(component: component))
            #expect(mine != nil && mine?.local.endpoint == theirs?.remote.endpoint, "seed \(seed)")
            #expect(mine?.remote.endpoint == theirs?.local.endpoint, "seed \(seed)")
        }
    }

    private func expectConnected(_ network: inout VirtualNetwork, _ seed: UInt64, within limit: Duration) {
        let isDone = network.run(until: .zero.advanced(by: limit)) { $0.isCompleted }
        #expect(isDone, "seed \(seed): \(network.agents.map(\.state))")
        // Late nominations of a repeated check must change nothing any more.
        network.run(until: network.now.advanced(by: .seconds(3)))
        expectMirrored(network, seed)
        for side in 0..<2 {
            #expect(network.log[side].count { $0 == .completed } == 1, "seed \(seed)")
            #expect(!network.log[side].contains { if case .failed = $0 { true } else { false } }, "seed \(seed)")
        }
    }

    private static let addresses = [["192.0.2.1", "2001:db8::1"], ["192.0.2.2", "2001:db8::2"]]

    private func network(
        _ seed: UInt64, _ transport: ICEAgent.Base.Transport, components: Int = 1,
        roles: [Role] = [.controlling, .controlled], configuration: Configuration = Configuration(),
        addresses: [[String]] = addresses
    ) -> VirtualNetwork {
        VirtualNetwork(
            seed: seed, roles: roles,
            bases: (0..<2).map {
                VirtualNetwork.bases($0, components: components, transport, addresses: addresses[$0])
            }, configuration: configuration)
    }

    @Test(arguments: [1, 4])
    func agentsAgreeOverUDPDespiteLossReorderingAndDuplication(components: Int) {
        for seed in 1...UInt64(60) {
            var network = network(seed, .udp, components: components)
            (network.loss, network.duplication) = (0.2, 0.1)
            network.start(side: 0, after: .milliseconds(Int(seed % 7) * 30))
            network.start(side: 1, after: .milliseconds(Int(seed % 3) * 50))
            expectConnected(&network, seed, within: .seconds(39))
        }
    }

    /// The controlling side nominates again when every answer to its first nomination was lost.
    @Test(arguments: [true, false])
    func theLastNominationCountsUnlessThePeerIsAggressive(isRegular: Bool) {
        var agent = ICEAgent(role: .controlled, components: 1, random: .seeded(1))
        let base = Endpoint("192.0.2.1:5000")!
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: base, transport: .udp), at: .zero)
        var random = RandomSource.seeded(9)
        let peer = Credentials(random: &random)
        let lines = ["H1 1 UDP 2130706431 192.0.2.2 6000 typ host", "H2 1 UDP 2130706175 192.0.2.3 6000 typ host"]
        let candidates = lines.compactMap { Candidate.parse(line: $0).candidate }
        _ = agent.start(remote: SessionDescription(credentials: peer, candidates: candidates), at: .zero)
        var selected: [Endpoint] = []
        func check(from source: Endpoint, nominates: Bool) {
            let check = request(to: agent, claim: .iceControlling(5), nominates: nominates)
            var effects = agent.receive(check.span, on: base, from: source, at: .zero)
            if let reply = effects.lazy.compactMap({ answer(to: $0, from: base, peer) }).first {
                effects += agent.receive(reply.span, on: base, from: source, at: .zero)
            }
            for case .selected(let pair, 1) in effects { selected.append(pair.remote.endpoint) }
        }
        let (best, second) = (candidates[0].endpoint, candidates[1].endpoint)
        if isRegular {
            for source in [best, second] { check(from: source, nominates: false) }
        }
        for source in [best, second, best] { check(from: source, nominates: true) }
        #expect(selected == (isRegular ? [best, second] : [best]))
    }

    @Test func agentsAgreeOverTCPAndDataFlowsBothWays() {
        for seed in 1...UInt64(60) {
            var network = network(seed, .tcp)
            network.start(side: 0, after: .milliseconds(Int(seed % 5) * 40))
            network.start(side: 1, after: .milliseconds(Int(seed % 4) * 60))
            expectConnected(&network, seed, within: .seconds(5))
            let texts = (0..<20).map { Array("message \($0)".utf8) + Array(repeating: 7, count: $0 * 100) }
            for text in texts {
                network.send(text, component: 1, side: 0)
                network.send(text.reversed(), component: 1, side: 1)
            }
            network.send(Array(repeating: 9, count: 70_000), component: 1, side: 0)
            network.run(until: network.now.advanced(by: .seconds(2)))
            let received = network.log.map {
                $0.compactMap { if case .received(let data, 1) = $0 { data } else { nil } }
            }
            #expect(received[0] == texts.map { $0.reversed() }, "seed \(seed)")
            #expect(Array(received[1].prefix(20)) == texts, "seed \(seed)")
            #expect(received[1].dropFirst(20).map(\.count) == [65_533, 4_467], "seed \(seed)")
        }
    }

    @Test(arguments: [Role.controlling, .controlled], [ICEAgent.Base.Transport.udp, .tcp])
    func roleConflictsAreResolved(role: Role, transport: ICEAgent.Base.Transport) {
        for seed in 1...UInt64(40) {
            var network = network(seed, transport, roles: [role, role])
            network.loss = transport == .udp ? 0.1 : 0
            network.start(side: 0, after: .milliseconds(Int(seed % 7) * 15))
            network.start(side: 1, after: .zero)
            expectConnected(&network, seed, within: .seconds(39))
        }
    }

    @Test(arguments: [ICEAgent.Base.Transport.udp, .tcp])
    func aDescriptionThatArrivesLateCostsOneRoundTrip(transport: ICEAgent.Base.Transport) {
        for seed in 1...UInt64(20) {
            var network = network(seed, transport)
            network.start(side: Int(seed % 2), after: .zero)
            network.start(side: 1 - Int(seed % 2), after: .seconds(5))
            expectConnected(&network, seed, within: .milliseconds(5_500))
        }
    }

    @Test func hostPairsAreNominatedWithinThreeRoundTrips() {
        var network = network(7, .udp)
        network.delay = .milliseconds(10)...(.milliseconds(10))
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .zero)
        #expect(network.run(until: .zero.advanced(by: .milliseconds(60))) { $0.isCompleted })
    }

    @Test(arguments: [NAT.portRestricted, .symmetric])
    func aPeerBehindANATIsReached(nat: NAT) throws {
        for seed in 1...UInt64(30) {
            var network = network(seed, .udp, components: 2, addresses: [["192.168.1.2"], ["203.0.113.9"]])
            let inside = network.addNAT(nat, external: .v4(0xC633_6401))
            network.place(IPAddress("192.168.1.2")!, side: 0, in: inside)
            network.loss = 0.1
            for base in VirtualNetwork.bases(0, components: 2, .udp, addresses: ["192.168.1.2"]) {
                let mapped = network.mapped(base, side: 0)
                network.addMapped(try #require(mapped), base: base, side: 0)
            }
            network.start(side: 0, after: .milliseconds(100))
            network.start(side: 1, after: .zero)
            expectConnected(&network, seed, within: .seconds(39))
            let kind = network.agents[0].selectedPair(component: 1)?.local.kind
            #expect(kind == (nat == .symmetric ? .peerReflexive : .serverReflexive), "seed \(seed)")
        }
    }

    @Test func dataThatOvertakesTheSelectionIsHeldBack() {
        for seed in 1...UInt64(40) {
            var network = network(seed, .tcp)
            network.start(side: 0, after: .zero)
            network.start(side: 1, after: .zero)
            network.run(until: .zero.advanced(by: .seconds(5))) { $0.agents.contains { $0.state == .completed } }
            let first = network.agents[0].state == .completed ? 0 : 1
            network.send([1], component: 1, side: first)
            network.send([2], component: 1, side: first)
            expectConnected(&network, seed, within: .seconds(5))
            let effects = network.log[1 - first]
            let selected = effects.firstIndex { if case .selected = $0 { true } else { false } } ?? .max
            let received = effects.indices.filter { if case .received = effects[$0] { true } else { false } }
            #expect(received.map { effects[$0] } == [.received([1], component: 1), .received([2], component: 1)])
            #expect(received.allSatisfy { $0 > selected }, "seed \(seed)")
        }
    }

    @Test func anAggressivePeersFirstNominationStaysOnTCP() {
        var agent = ICEAgent(role: .controlled, components: 1, random: .seeded(1))
        let base = Endpoint("192.0.2.1:5000")!
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: base, transport: .tcp), at: .zero)
        var random = RandomSource.seeded(9)
        let peer = Credentials(random: &random)
        _ = agent.start(remote: SessionDescription(credentials: peer, candidates: []), at: .zero)
        var selected: [ICEAgent.Effect] = []
        var ids: [ICEAgent.ConnectionID] = []
        for port in [1, 2] as [UInt16] {
            guard let id = agent.accept(on: base, from: Endpoint(.v4(7), port: port), at: .zero) else { continue }
            ids.append(id)
            let check = request(to: agent, claim: .iceControlling(5), nominates: true)
            let effects = agent.receive(StreamFraming.frame(check).span, on: id, at: .zero)
            let reply = effects.lazy.compactMap { answer(to: $0, from: base, peer) }.first ?? []
            selected += agent.receive(StreamFraming.frame(reply).span, on: id, at: .zero)
        }
        #expect(selected.count { if case .selected = $0 { true } else { false } } == 1)
        #expect(agent.selectedPair(component: 1)?.path == .stream(ids[0]))
        let data = agent.receive(StreamFraming.frame([22]).span, on: ids[1], at: .zero)
        #expect(data == [.received([22], component: 1)])
        #expect(agent.send([23], component: 1, at: .zero) == [.write([0, 1, 23], on: ids[0])])
    }

    /// The success response of a peer to a check.
    private func answer(to effect: ICEAgent.Effect, from base: Endpoint, _ peer: Credentials) -> [UInt8]? {
        let bytes: [UInt8]
        switch effect {
        case .write(let frame, _): bytes = Array(frame.dropFirst(2))
        case .send(let datagram, _, _): bytes = datagram
        default: return nil
        }
        guard let message = try? Message(decoding: bytes), message.type == MessageType(.request, .binding)
        else { return nil }
        var builder = MessageBuilder(.success, .binding, message.transaction)
        builder.add(.xorAddress(.xorMappedAddress, base))
        builder.addIntegrity(IntegrityKey(shortTerm: peer.password))
        return builder.finishedWithFingerprint()
    }

    @Test func aPeerThatMissedTheNominationIsToldAgain() {
        var network = network(2, .tcp)
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .zero)
        expectConnected(&network, 2, within: .seconds(5))
        guard case .stream(let id)? = network.agents[0].selectedPair(component: 1)?.path else { return }
        var nominations: [Bool] = []
        for _ in 0..<5 {
            let check = request(to: network.agents[0], claim: .iceControlled(1))
            let effects = network.agents[0].receive(StreamFraming.frame(check).span, on: id, at: network.now)
            nominations.append(
                effects.contains {
                    guard case .write(let bytes, _) = $0 else { return false }
                    return (try? Message(decoding: Array(bytes.dropFirst(2))))?.has(.useCandidate) ?? false
                })
        }
        #expect(nominations.count { $0 } <= 3 && nominations.last == false)
        #expect(nominations.first == true)
    }

    @Test func aCandidateKnownFromACheckIsUpgradedInPlace() {
        var agent = ICEAgent(role: .controlled, components: 1, random: .seeded(1))
        let base = Endpoint("192.0.2.1:5000")!
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: base, transport: .udp), at: .zero)
        let check = request(to: agent)
        _ = agent.receive(check.span, on: base, from: Endpoint("192.0.2.2:6000")!, at: .zero)
        #expect(agent.earlyChecks.count == 1)
        var random = RandomSource.seeded(9)
        let effects = agent.start(
            remote: SessionDescription(credentials: Credentials(random: &random), candidates: []), at: .zero)
        #expect(effects.count { if case .send = $0 { true } else { false } } == 1)
        #expect(agent.checkList.pairs.map(\.remote.kind) == [.peerReflexive])
        let candidate = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.2 6000 typ host").candidate!
        #expect(agent.addRemoteCandidates([candidate], at: .zero).isEmpty)
        #expect(agent.checkList.pairs.map(\.remote) == [candidate])
        #expect(
            agent.checkList.pairs[0].priority == Priority.pair(controlling: 2_130_706_431, controlled: 2_130_706_431))
    }

    @Test func basesMayBeAddedAfterTheStart() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        var random = RandomSource.seeded(9)
        let candidate = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.2 6000 typ host").candidate!
        let remote = SessionDescription(credentials: Credentials(random: &random), candidates: [candidate])
        #expect(agent.start(remote: remote, at: .zero).isEmpty)
        #expect(agent.start(remote: remote, at: .zero) == [.ignored(.wrongState)])
        let base = ICEAgent.Base(component: 1, endpoint: Endpoint("192.0.2.1:5000")!, transport: .udp)
        let effects = agent.addBase(base, at: .zero)
        #expect(effects.count { if case .send = $0 { true } else { false } } == 1)
        #expect(agent.addBase(base, at: .zero) == [.ignored(.unusableCandidate)])
    }

    @Test func forgedResponsesChangeNothing() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        let (base, peer) = (Endpoint("192.0.2.1:5000")!, Endpoint("192.0.2.2:6000")!)
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: base, transport: .udp), at: .zero)
        var random = RandomSource.seeded(9)
        let credentials = Credentials(random: &random)
        let candidate = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.2 6000 typ host").candidate!
        let effects = agent.start(
            remote: SessionDescription(credentials: credentials, candidates: [candidate]), at: .zero)
        guard case .send(let bytes, _, _) = effects.first, let check = try? Message(decoding: bytes) else {
            Issue.record("no check was sent")
            return
        }
        func response(password: String?, _ id: TransactionID) -> [UInt8] {
            var builder = MessageBuilder(.success, .binding, id)
            builder.add(.xorAddress(.xorMappedAddress, base))
            if let password { builder.addIntegrity(IntegrityKey(shortTerm: password)) }
            return builder.finishedWithFingerprint()
        }
        let unprotected = response(password: nil, check.transaction)
        let forged = response(password: "another", check.transaction)
        let unasked = response(password: credentials.password, TransactionID(high: 0, low: 0))
        let right = response(password: credentials.password, check.transaction)
        #expect(agent.receive(unprotected.span, on: base, from: peer, at: .zero) == [.ignored(.unauthenticated(nil))])
        #expect(agent.receive(forged.span, on: base, from: peer, at: .zero) == [.ignored(.unauthenticated(nil))])
        #expect(agent.receive(unasked.span, on: base, from: peer, at: .zero) == [.ignored(.unknownTransaction)])
        #expect(agent.checkList.pairs[0].state == .inProgress)
        let elsewhere = agent.receive(right.span, on: base, from: Endpoint("192.0.2.3:6000")!, at: .zero)
        #expect(elsewhere == [.ignored(.asymmetric)])
        #expect(agent.checkList.pairs[0].state == .failed)
    }

    @Test(arguments: [Duration.seconds(2), nil])
    func losingConnectionsStayAsLongAsConfigured(linger: Duration?) {
        var configuration = Configuration()
        configuration.linger = linger
        var network = network(3, .tcp, configuration: configuration)
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .zero)
        expectConnected(&network, 3, within: .seconds(5))
        network.run(until: network.now.advanced(by: .seconds(60)))
        #expect(network.connects >= 2)
        for side in 0..<2 {
            #expect((network.agents[side].connections.count == 1) == (linger != nil))
            #expect(network.agents[side].state == .completed)
        }
    }

    @Test func aLostConnectionFailsTheSession() {
        var network = network(3, .tcp)
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .zero)
        expectConnected(&network, 3, within: .seconds(5))
        network.reset()
        network.run(until: network.now.advanced(by: .seconds(1)))
        #expect(network.agents.map(\.state) == [.failed(.disconnected), .failed(.disconnected)])
    }

    @Test func withoutAnyAnswerTheSessionFailsWhenPatienceEnds() {
        var network = network(5, .udp)
        network.loss = 1
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .zero)
        network.run(until: .zero.advanced(by: .milliseconds(39_499)))
        #expect(network.agents[0].state == .checking)
        network.run(until: .zero.advanced(by: .seconds(60)))
        #expect(network.agents.map(\.state) == [.failed(.noPath), .failed(.noPath)])
        #expect(network.agents.allSatisfy { $0.deadline == nil })
    }

    @Test func checksOverUDPAreRepeatedAsScheduled() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        let base = ICEAgent.Base(component: 1, endpoint: Endpoint("192.0.2.1:5000")!, transport: .udp)
        var times: [Int64] = []
        var effects = agent.addBase(base, at: .zero)
        var random = RandomSource.seeded(9)
        let remote = Candidate.parse(line: "H1 1 UDP 2130706431 192.0.2.2 6000 typ host").candidate!
        effects += agent.start(
            remote: SessionDescription(credentials: Credentials(random: &random), candidates: [remote]), at: .zero)
        var now = Instant.zero
        while true {
            for effect in effects { if case .send = effect { times.append(now.nanoseconds / 1_000_000) } }
            guard let next = agent.deadline else { break }
            now = next
            effects = agent.advance(to: now)
        }
        #expect(times == [0, 500, 1500, 3500, 7500, 15500, 31500])
        #expect(now == .zero.advanced(by: .milliseconds(39_500)))
    }

    @Test func refusedConnectionsAreTriedAgainUntilThePeerListens() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        _ = agent.addBase(
            ICEAgent.Base(component: 1, endpoint: Endpoint("192.0.2.1:5000")!, transport: .tcp), at: .zero)
        var random = RandomSource.seeded(9)
        let remote = Candidate.parse(line: "H1 1 TCP 2130706431 192.0.2.2 6000 typ host tcptype passive").candidate!
        var effects = agent.start(
            remote: SessionDescription(credentials: Credentials(random: &random), candidates: [remote]), at: .zero)
        var (now, times) = (Instant.zero, [Int64]())
        while agent.state == .checking {
            for effect in effects {
                guard case .connect(let id, let from, let to) = effect else { continue }
                #expect(from == Endpoint("192.0.2.1:0") && to == remote.endpoint)
                times.append(now.nanoseconds / 1_000_000)
                _ = agent.disconnected(id, at: now)
            }
            guard let next = agent.deadline else { break }
            now = next
            effects = agent.advance(to: now)
        }
        #expect(times == (0...24).map { $0 * 500 })
        #expect(agent.state == .failed(.noPath))
    }

    @Test func consentKeepsASessionAndItsLossEndsIt() {
        var network = network(11, .udp)
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .zero)
        expectConnected(&network, 11, within: .seconds(5))
        network.loss = 0.1
        network.run(until: network.now.advanced(by: .seconds(300)))
        #expect(network.isCompleted)
        let silence = network.now
        network.loss = 1
        network.run(until: network.now.advanced(by: .seconds(100))) { $0.agents[0].state != .completed }
        #expect(network.agents[0].state == .failed(.consentLost))
        #expect(silence.duration(to: network.now) <= .seconds(30))
    }

    @Test func withoutConsentChecksAnIndicationLeavesEveryFifteenSeconds() {
        var configuration = Configuration()
        configuration.consent = nil
        var network = network(12, .udp, configuration: configuration)
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .zero)
        expectConnected(&network, 12, within: .seconds(5))
        let before = network.sent[0]
        network.run(until: network.now.advanced(by: .seconds(150)))
        #expect(network.sent[0] - before == 10)
        #expect(network.isCompleted)
    }

    @Test func datagramsTravelOnTheSelectedPair() {
        var network = network(13, .udp, components: 2)
        network.start(side: 0, after: .zero)
        network.start(side: 1, after: .zero)
        expectConnected(&network, 13, within: .seconds(5))
        network.send([0x80, 1, 2], component: 2, side: 0)
        network.run(until: network.now.advanced(by: .milliseconds(100)))
        #expect(network.data[1] == [[0x80, 1, 2]])
    }

    @Test func checksAreAnsweredInEveryStateUntilClosed() {
        var network = network(14, .udp)
        network.loss = 1
        network.start(side: 0, after: .zero)
        network.run(until: .zero.advanced(by: .seconds(60)))
        #expect(network.agents[0].state == .failed(.noPath))
        let check = request(to: network.agents[0])
        func answer() -> [ICEAgent.Effect] {
            network.agents[0].receive(
                check.span, on: Endpoint("192.0.2.1:5001")!, from: Endpoint("192.0.2.2:5101")!, at: network.now)
        }
        #expect(answer().count { if case .send = $0 { true } else { false } } == 1)
        network.close(side: 0)
        #expect(answer() == [.ignored(.wrongState)])
    }

    /// A check as the peer of `agent` would make it.
    private func request(
        to agent: ICEAgent, claim: Attribute? = nil, fragment: String? = nil, password: String? = nil,
        nominates: Bool = false
    ) -> [UInt8] {
        var builder = MessageBuilder(.request, .binding, TransactionID(high: 1, low: 2))
        builder.add(.username("\(fragment ?? agent.localCredentials.fragment):peer"))
        builder.add(.priority(1_862_270_975))
        if let claim { builder.add(claim) }
        if nominates { builder.add(.useCandidate) }
        builder.addIntegrity(IntegrityKey(shortTerm: password ?? agent.localCredentials.password))
        return builder.finishedWithFingerprint()
    }

    private func code(in effects: [ICEAgent.Effect]) -> ErrorCode? {
        for effect in effects {
            guard case .send(let bytes, _, _) = effect, let message = try? Message(decoding: bytes),
                case .errorCode(let code, _) = message.first(.errorCode)
            else { continue }
            return code
        }
        return nil
    }

    @Test func badCredentialsAreRefused() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        let (base, peer) = (Endpoint("192.0.2.1:5000")!, Endpoint("192.0.2.2:6000")!)
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: base, transport: .udp), at: .zero)
        let cases: [([UInt8], ErrorCode?)] = [
            (request(to: agent), nil), (request(to: agent, fragment: "other"), .unauthorized),
            (request(to: agent, password: "other"), .unauthorized),
            (MessageBuilder(.request, .binding, TransactionID(high: 1, low: 2)).finished(), .badRequest),
        ]
        for (bytes, expected) in cases {
            let effects = agent.receive(bytes.span, on: base, from: peer, at: .zero)
            #expect(code(in: effects) == expected)
            #expect(effects.contains(.ignored(.unauthenticated(expected))) == (expected != nil))
        }
    }

    struct Conflict: Decodable {
        let we, our_tie_breaker, attribute, their_tie_breaker, result: String
    }

    @Test func roleConflictsAreJudgedAsPublished() throws {
        let cases: [Conflict] = try TestVectors.json("ice/role-conflict.json")
        for item in cases {
            let claims: [String: Attribute] = [
                "ICE-CONTROLLING": .iceControlling(UInt64(item.their_tie_breaker) ?? 0),
                "ICE-CONTROLLED": .iceControlled(UInt64(item.their_tie_breaker) ?? 0),
            ]
            let verdict = RoleConflict.judge(
                item.we == "controlling" ? .controlling : .controlled,
                tieBreaker: try #require(UInt64(item.our_tie_breaker)), claim: claims[item.attribute])
            switch item.result {
            case let result where result.hasPrefix("answer 487"): #expect(verdict == .refuse)
            case let result where result.hasPrefix("become"): #expect(verdict == .yield)
            default: #expect(verdict == .none)
            }
        }
    }

    struct Pairing: Decodable {
        struct Item: Decodable {
            let id, type, address: String
            let port: UInt16
            let priority: UInt32
        }
        struct Pair: Decodable { let local, remote, priority: String }
        let local, remote: [Item]
        let checklist: [Pair]
    }

    @Test func theCheckListIsFormedAndPrunedAsPublished() throws {
        let vector: Pairing = try TestVectors.json("ice/pairing.json")
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        func endpoint(_ item: Pairing.Item) throws -> Endpoint {
            Endpoint(try #require(IPAddress(item.address)), port: item.port)
        }
        let bases = try [0, 1, 3].map {
            ICEAgent.Base(
                component: 1, endpoint: try endpoint(vector.local[$0]), transport: .udp,
                kind: vector.local[$0].type == "relay" ? .relayed : .host)
        }
        for base in bases { #expect(agent.addBase(base, at: .zero).isEmpty) }
        #expect(agent.addMapped(try endpoint(vector.local[2]), base: bases[0], at: .zero).isEmpty)
        #expect(Set(agent.localCandidates.map(\.priority)) == Set(vector.local.map(\.priority)))
        var random = RandomSource.seeded(1)
        let remotes = vector.remote.compactMap {
            Candidate.parse(line: "\($0.id) 1 UDP \($0.priority) \($0.address) \($0.port) typ \($0.type)").candidate
        }
        _ = agent.start(
            remote: SessionDescription(credentials: Credentials(random: &random), candidates: remotes), at: .zero)
        let pairs = agent.checkList.pairs.sorted { $0.priority > $1.priority }
        #expect(pairs.map { String($0.priority) } == vector.checklist.map(\.priority))
        let locals = try Dictionary(uniqueKeysWithValues: vector.local.map { (try endpoint($0), $0.id) })
        #expect(pairs.map { locals[$0.local.endpoint] } == vector.checklist.map(\.local))
        #expect(pairs.map { $0.remote.foundation.description } == vector.checklist.map(\.remote))
    }

    @Test func jamiCandidatesHaveTheMeasuredForm() {
        var agent = ICEAgent(role: .controlled, components: 1, random: .seeded(1))
        let base = ICEAgent.Base(component: 1, endpoint: Endpoint("10.78.0.11:52473")!, transport: .tcp)
        #expect(agent.addBase(base, at: .zero).isEmpty)
        #expect(agent.addMapped(Endpoint("198.51.100.7:1")!, base: base, tcp: .active, at: .zero).isEmpty)
        #expect(
            agent.localCandidates.map(\.jamiLine) == [
                "Ha4e000b 1 TCP 2130706431 10.78.0.11 52473 typ host tcptype passive",
                "Ha4e000b 1 TCP 2130706175 10.78.0.11 9 typ host tcptype active",
                "Sa4e000b 1 TCP 1694498815 198.51.100.7 9 typ srflx tcptype active",
            ])
        #expect(agent.localCredentials.fragment.count == 8 && agent.localCredentials.password.count == 24)
    }

    @Test func linkLocalAddressesPairOnTheirOwnLinkOnly() {
        func candidate(_ text: String, scope: UInt32 = 0) -> Candidate {
            Candidate(
                foundation: Foundation("1")!, component: 1, transport: .udp, priority: 1,
                endpoint: Endpoint(IPAddress(text)!, port: 1, scope: scope), kind: .host)
        }
        let local = candidate("fe80::1", scope: 3)
        #expect(CandidatePair.reachable(candidate("fe80::2"), from: local)?.endpoint.scope == 3)
        #expect(CandidatePair.reachable(candidate("fe80::2", scope: 4), from: local) == nil)
        #expect(CandidatePair.reachable(candidate("2001:db8::2"), from: local) == nil)
        #expect(CandidatePair.reachable(candidate("fe80::2"), from: candidate("2001:db8::1")) == nil)
        #expect(CandidatePair.reachable(candidate("192.0.2.1"), from: local) == nil)
    }

    @Test func unidentifiedConnectionsAreCappedAndClosed() {
        var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(1))
        let base = Endpoint("192.0.2.1:5000")!
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: base, transport: .tcp), at: .zero)
        let ids = (0..<20).compactMap { agent.accept(on: base, from: Endpoint(.v4(1), port: 1 + $0), at: .zero) }
        #expect(ids.count == 16)
        let data = agent.receive(StreamFraming.frame([1, 2, 3]).span, on: ids[0], at: .zero)
        #expect(data == [.ignored(.unidentifiedData)])
        #expect(agent.deadline == .zero.advanced(by: .seconds(10)))
        #expect(agent.advance(to: .zero.advanced(by: .seconds(10))) == ids.map { .disconnect($0) })
        #expect(agent.connections.isEmpty)
    }

    @Test func garbageNeverTrapsAnAgent() {
        for seed in 1...UInt64(25) {
            var random = RandomSource.seeded(seed)
            var (tap, bases) = (network(seed, .udp), [[ICEAgent.Base]]())
            tap.start(side: 0, after: .zero)
            tap.start(side: 1, after: .zero)
            tap.run(until: .zero.advanced(by: .milliseconds(200)))
            let packets = tap.log.flatMap { $0 }.compactMap {
                if case .send(let bytes, _, _) = $0 { bytes } else { nil }
            }
            for transport in [ICEAgent.Base.Transport.udp, .tcp] {
                bases = (0..<2).map {
                    VirtualNetwork.bases($0, components: 1, transport, addresses: ["192.0.2.\($0 + 1)"])
                }
                var agent = ICEAgent(role: .controlling, components: 1, random: .seeded(seed))
                _ = agent.addBase(bases[0][0], at: .zero)
                torment(&agent, bases[0][0].endpoint, packets, &random)
            }
        }
    }

    /// Calls everything in random order with random arguments.
    private func torment(
        _ agent: inout ICEAgent, _ base: Endpoint, _ packets: [[UInt8]], _ random: inout RandomSource
    ) {
        var (now, ids) = (Instant.zero, [ICEAgent.ConnectionID]())
        for _ in 0..<400 {
            now = now.advanced(by: random.duration(in: .zero ... .milliseconds(200)))
            let source = Endpoint(
                .v4(UInt32.random(in: 0...5, using: &random)), port: .random(in: 0...3, using: &random))
            var bytes = mutated(packets.randomElement(using: &random) ?? [], &random)
            if Bool.random(using: &random) { bytes = request(to: agent, claim: .iceControlled(random.next())) }
            var effects: [ICEAgent.Effect] = []
            switch Int.random(in: 0..<9, using: &random) {
            case 0: effects = agent.receive(bytes.span, on: base, from: source, at: now)
            case 1: if let id = agent.accept(on: base, from: source, at: now) { ids.append(id) }
            case 2, 3:
                guard let id = ids.randomElement(using: &random) else { continue }
                effects = agent.receive(StreamFraming.frame(bytes).span, on: id, at: now)
            case 4:
                guard let id = ids.randomElement(using: &random) else { continue }
                effects = agent.receive(bytes.span, on: id, at: now)
            case 5:
                guard let id = ids.randomElement(using: &random) else { continue }
                effects = agent.connected(id, local: source, at: now)
            case 6:
                guard let id = ids.randomElement(using: &random), source.port == 0 else { continue }
                effects = agent.disconnected(id, at: now)
            case 7:
                let line = mutated(Array("H1 1 TCP 213070643 192.0.2.2 6000 typ host tcptype passive".utf8), &random)
                let candidate = Candidate.parse(line: String(decoding: line, as: UTF8.self)).candidate
                effects = agent.start(
                    remote: SessionDescription(
                        credentials: Credentials(random: &random), candidates: candidate.map { [$0] } ?? []), at: now)
                effects += agent.addRemoteCandidates(candidate.map { [$0] } ?? [], at: now)
            default: effects = agent.send(bytes, component: Int.random(in: -1...3, using: &random), at: now)
            }
            effects += agent.advance(to: now)
            for effect in effects { if case .connect(let id, _, _) = effect { ids.append(id) } }
            #expect(agent.connections.count <= agent.configuration.connectionLimit)
            #expect(agent.checkList.pairs.count <= agent.configuration.pairLimit)
            #expect(agent.deadline.map { $0 > now } ?? true)
        }
    }
}
