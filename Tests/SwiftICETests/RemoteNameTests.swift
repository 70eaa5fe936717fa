import SansIO
import Testing

@testable import SwiftICE

@Suite("Candidates with names")
struct RemoteNameTests {
    private static let base = Endpoint("192.0.2.1:5000")!
    private static let name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"

    private func agent() -> ICEAgent {
        var agent = ICEAgent(role: .controlled, components: 1, random: .seeded(1))
        _ = agent.addBase(ICEAgent.Base(component: 1, endpoint: Self.base, transport: .udp), at: .zero)
        var random = RandomSource.seeded(9)
        _ = agent.start(
            remote: SessionDescription(credentials: Credentials(random: &random), candidates: []), at: .zero)
        return agent
    }

    private func line(_ host: String, port: Int = 6000) -> Candidate.Line {
        Candidate.parse(line: "1 1 UDP 2130706431 \(host) \(port) typ host")
    }

    @Test("a name is resolved once and its candidate checked")
    func resolved() {
        var agent = agent()
        #expect(agent.addRemoteCandidate(line(Self.name), at: .zero) == [.resolve(host: Self.name)])
        #expect(agent.addRemoteCandidate(line(Self.name.uppercased(), port: 6002), at: .zero).isEmpty)
        let effects = agent.resolved(
            Self.name, to: [IPAddress("192.0.2.2")!, IPAddress("192.0.2.3")!], at: .zero)
        #expect(effects.count { if case .send = $0 { true } else { false } } == 1)
        #expect(agent.remotes.map(\.endpoint) == [Endpoint("192.0.2.2:6000")!, Endpoint("192.0.2.2:6002")!])
        #expect(agent.resolved(Self.name, to: [], at: .zero) == [.ignored(.unusableCandidate)])
    }

    @Test("a check that comes before the resolution becomes the same candidate")
    func unified() {
        var agent = agent()
        _ = agent.addRemoteCandidate(line(Self.name), at: .zero)
        let check = AgentPair.check(to: agent)
        _ = agent.receive(check.span, on: Self.base, from: Endpoint("192.0.2.2:6000")!, at: .zero)
        #expect(agent.checkList.pairs.map(\.remote.kind) == [.peerReflexive])
        _ = agent.resolved(Self.name, to: [IPAddress("192.0.2.2")!], at: .zero)
        #expect(agent.checkList.pairs.map(\.remote.kind) == [.host] && agent.remotes.count == 1)
    }

    @Test("a resolution has a limit in time, and there are few of them")
    func bounds() {
        var agent = agent()
        for index in 0..<8 { #expect(agent.addRemoteCandidate(line("a\(index).local"), at: .zero).count == 1) }
        #expect(agent.addRemoteCandidate(line("a8.local"), at: .zero) == [.ignored(.overLimit)])
        for _ in 0..<7 { #expect(agent.addRemoteCandidate(line("a1.local"), at: .zero).isEmpty) }
        #expect(agent.addRemoteCandidate(line("a1.local"), at: .zero) == [.ignored(.overLimit)])
        let effects = agent.advance(to: .zero.advanced(by: .seconds(5)))
        #expect(effects == Array(repeating: .ignored(.unusableCandidate), count: 8))
        #expect(agent.resolutions.isEmpty)
    }

    @Test("other names are not looked up", arguments: ["example.org", "a.local.example.org", "x.locals"])
    func foreign(host: String) {
        var agent = agent()
        #expect(agent.addRemoteCandidate(line(host), at: .zero) == [.ignored(.unusableCandidate)])
    }
}
