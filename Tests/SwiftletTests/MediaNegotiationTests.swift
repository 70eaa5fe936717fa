import MediaRTP
import SIPLite
import SansIO
import SwiftICE
import Testing

@testable import Swiftlet

@Suite struct MediaNegotiationTests {
    /// One side of a call with its media session gathered.
    struct Party {
        let negotiation: MediaNegotiation
        var agent: ICEAgent
        let key: SRTPKey

        init(_ seed: UInt64, _ role: Role, address: UInt32) {
            self.init(seed, role, addresses: [.v4(address)])
        }

        init(_ seed: UInt64, _ role: Role, addresses: [IPAddress]) {
            var random = RandomSource.seeded(seed)
            negotiation = MediaNegotiation(
                sizeLimit: UserAgent.Configuration().roomForDescription, clock: WallClock(epochOffset: 0),
                random: &random, at: .zero)
            key = SRTPKey(random: &random)
            agent = ICEAgent(role: role, components: 2, random: random.split())
            for address in addresses {
                for component in 1...2 {
                    let endpoint = Endpoint(address, port: UInt16(4000 + component))
                    _ = agent.addBase(.init(component: component, endpoint: endpoint, transport: .udp), at: .zero)
                }
            }
        }

        var statement: MediaNegotiation.Statement {
            MediaNegotiation.Statement(
                key: key, credentials: agent.localCredentials, candidates: agent.localCandidates)
        }
    }

    private let caller = Party(1, .controlling, address: 0x0A00_0001)
    private let callee = Party(2, .controlled, address: 0x0A00_0002)

    @Test func bothSidesAgree() throws {
        let offer = caller.negotiation.offer(caller.statement)
        let read = try SIPLite.SessionDescription(decoding: offer.encoded())
        let (answer, theirs) = try #require(callee.negotiation.answer(to: read, callee.statement))
        let ours = try #require(caller.negotiation.agreement(offer: offer, answer: answer.encoded()))
        #expect(ours.localKey == theirs.remoteKey)
        #expect(ours.remoteKey == theirs.localKey)
        #expect(ours.localKey != ours.remoteKey)
        #expect(ours.payloadType == 104 && theirs.payloadType == 104)
        #expect(ours.codec == "opus/48000/2")
        #expect(ours.remote?.credentials == callee.agent.localCredentials)
        #expect(theirs.remote?.credentials == caller.agent.localCredentials)
        #expect(Set(ours.remote?.candidates.map(\.component) ?? []) == [1, 2])
        #expect(ours.remote?.candidates.map(\.endpoint) == callee.agent.localCandidates.map(\.endpoint))
    }

    @Test func anOfferWithoutOurCodecIsNotAnswered() throws {
        let text = String(decoding: caller.negotiation.offer(caller.statement).encoded(), as: UTF8.self)
            .replacing("opus/48000/2", with: "PCMA/8000")
        let offer = try SIPLite.SessionDescription(decoding: Array(text.utf8))
        #expect(callee.negotiation.answer(to: offer, callee.statement) == nil)
    }

    @Test func anAnswerThatCannotBeReadIsNoAgreement() {
        let offer = caller.negotiation.offer(caller.statement)
        #expect(caller.negotiation.agreement(offer: offer, answer: [0, 1, 2]) == nil)
        #expect(caller.negotiation.agreement(offer: offer, answer: []) == nil)
    }

    @Test func componentsMayCountAcrossLinesOrWithinOne() {
        #expect(MediaLayout.component(1, inLine: 0) == 1)
        #expect(MediaLayout.component(2, inLine: 1) == 2)
        #expect(MediaLayout.component(3, inLine: 1) == 1)
        #expect(MediaLayout.component(4, inLine: 1) == 2)
    }
}

/// Descriptions fit what stock Jami reads: 8000 octets a message, 68 attributes a media line.
@Suite struct CandidateSelectionTests {
    private static let manyAddresses: [IPAddress] =
        (0..<20).map { .v4(0x0A00_0001 + UInt32($0)) }
        + (0..<20).map { .v6(high: 0x2001_0DB8_AAAA_0000 | UInt64($0), low: 0xFFFF_EEEE_DDDD_0000 | UInt64($0)) }

    private func check(_ description: SIPLite.SessionDescription, _ party: MediaNegotiationTests.Party) throws {
        #expect(description.encoded().count <= UserAgent.Configuration().roomForDescription)
        let line = try #require(description.media.first)
        #expect(line.attributes.all.count <= CandidateSelection.attributeLimit)
        let candidates = line.candidates.compactMap { Candidate.parse(line: $0).candidate }
        let counts = [1, 2].map { component in candidates.count { $0.component == component } }
        #expect(counts[0] == counts[1] && counts[0] >= 20)
        let best = party.agent.localCandidates.prefix {
            $0.endpoint.address == party.agent.localCandidates[0].endpoint.address
        }
        #expect(candidates.prefix(best.count).map(\.endpoint) == best.map(\.endpoint), "the most useful come first")
        let families = Set(candidates.prefix(4).map(\.endpoint.address.family))
        #expect(families == [.v4, .v6], "each family comes early")
    }

    @Test func offersAndAnswersOfAMachineWithFortyAddressesFit() throws {
        let caller = MediaNegotiationTests.Party(1, .controlling, addresses: Priority.interleaved(Self.manyAddresses))
        let callee = MediaNegotiationTests.Party(2, .controlled, addresses: Priority.interleaved(Self.manyAddresses))
        let offer = caller.negotiation.offer(caller.statement)
        try check(offer, caller)
        let (answer, _) = try #require(callee.negotiation.answer(to: offer, callee.statement))
        try check(answer, callee)
    }

    @Test func anInvitationWithAsManyCandidatesIsSent() throws {
        let caller = MediaNegotiationTests.Party(1, .controlling, addresses: Self.manyAddresses)
        var agent = UserAgent(random: .seeded(1))
        let flow = FlowID(rawValue: 1)
        let endpoint = Endpoint(.v6(high: 0x2001_0DB8_AAAA_BBBB, low: 0xFFFF_EEEE_DDDD_CCCC), port: 65_535)
        let id = String(repeating: "a", count: 64)
        _ = agent.open(
            flow,
            Flow(
                local: endpoint, remote: endpoint, accountID: id, deviceID: id,
                displayName: String(repeating: "n", count: 200), remoteAccountID: id))
        let offer = caller.negotiation.offer(caller.statement).encoded()
        let effects = agent.invite(SIPLite.CallID(rawValue: 1), on: flow, to: id, offer: offer, at: .zero)
        guard case .send(let bytes, _)? = effects.first else {
            Issue.record("not sent: \(effects)")
            return
        }
        #expect(bytes.count < 8_000)
    }

    @Test func bothComponentsNameEquallyMany() {
        let party = MediaNegotiationTests.Party(1, .controlling, addresses: Self.manyAddresses)
        let all = party.agent.localCandidates.filter { $0.component == 1 || $0.endpoint.address.family == .v6 }
        let chosen = CandidateSelection.fitting(all, into: .max) {
            $0
        } size: { _ in
            0
        }
        #expect(chosen.count { $0.component == 1 } == chosen.count { $0.component == 2 })
        #expect(!chosen.isEmpty)
    }

    @Test func oneCandidateOfEachComponentIsNamedWhateverTheRoom() {
        let party = MediaNegotiationTests.Party(1, .controlling, addresses: Self.manyAddresses)
        let chosen = CandidateSelection.fitting(party.agent.localCandidates, into: 10) {
            $0
        } size: { _ in
            1_000
        }
        #expect(chosen.map(\.component).sorted() == [1, 2])
    }
}
