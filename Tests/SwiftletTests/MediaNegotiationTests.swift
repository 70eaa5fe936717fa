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

        init(_ seed: UInt64, _ role: Role, address: UInt32) {
            var random = RandomSource.seeded(seed)
            negotiation = MediaNegotiation(clock: WallClock(epochOffset: 0), random: &random, at: .zero)
            agent = ICEAgent(role: role, components: 2, random: random.split())
            for component in 1...2 {
                let endpoint = Endpoint(.v4(address), port: UInt16(4000 + component))
                _ = agent.addBase(.init(component: component, endpoint: endpoint, transport: .udp), at: .zero)
            }
        }
    }

    private let caller = Party(1, .controlling, address: 0x0A00_0001)
    private let callee = Party(2, .controlled, address: 0x0A00_0002)

    @Test func bothSidesAgree() throws {
        let offer = caller.negotiation.offer(for: caller.agent)
        let read = try SIPLite.SessionDescription(decoding: offer.encoded())
        let (answer, theirs) = try #require(callee.negotiation.answer(to: read, for: callee.agent))
        let ours = try #require(caller.negotiation.agreement(offer: offer, answer: answer.encoded()))
        #expect(ours.localKey == theirs.remoteKey)
        #expect(ours.remoteKey == theirs.localKey)
        #expect(ours.localKey != ours.remoteKey)
        #expect(ours.payloadType == 104 && theirs.payloadType == 104)
        #expect(ours.codec == "opus/48000/2")
        #expect(ours.remote.credentials == callee.agent.localCredentials)
        #expect(theirs.remote.credentials == caller.agent.localCredentials)
        #expect(Set(ours.remote.candidates.map(\.component)) == [1, 2])
        #expect(ours.remote.candidates.map(\.endpoint) == callee.agent.localCandidates.map(\.endpoint))
    }

    @Test func anOfferWithoutOurCodecIsNotAnswered() throws {
        let text = String(decoding: caller.negotiation.offer(for: caller.agent).encoded(), as: UTF8.self)
            .replacing("opus/48000/2", with: "PCMA/8000")
        let offer = try SIPLite.SessionDescription(decoding: Array(text.utf8))
        #expect(callee.negotiation.answer(to: offer, for: callee.agent) == nil)
    }

    @Test func anAnswerThatCannotBeReadIsNoAgreement() {
        let offer = caller.negotiation.offer(for: caller.agent)
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
