import SIPLite
import SansIO
import SecureChannel
import TestIdentities
import Testing

@testable import SwiftICE
@testable import Swiftlet

/// Invitations as they come in on a link, message by message, and without an offer too.
@Suite struct InvitationTests {
    /// A node, and a SIP agent at the other end of a link of it.
    private struct Line {
        static let link = LinkID(rawValue: 1)
        static let flow = FlowID(rawValue: 1)
        static let sip = SIPLite.CallID(rawValue: 1)
        private static let peer = String(repeating: "c3", count: 20)
        private static let ends = ["10.0.0.1:5000", "10.0.0.2:6000"].map { Endpoint($0)! }

        var core: NodeCore
        private var agent = UserAgent(random: .seeded(2))
        /// What the agent's acknowledgement says to what the node described.
        var acknowledgement: (_ description: [UInt8]) -> [UInt8] = { _ in [] }
        private(set) var statuses: [Int] = []
        private(set) var methods: [SIPLite.Method] = []
        private(set) var events: [NodeEvent] = []
        private(set) var network: [NetworkAction] = []
        /// What the node described in its answer.
        private(set) var described: [UInt8] = []

        init() throws {
            let account = NodeCore.Account(Identities.alice, displayName: "alice")
            core = NodeCore(
                account: account, configuration: NodeCore.Configuration(), clock: WallClock(epochOffset: 0),
                random: .seeded(1))
            core.links[Self.link] = try Self.openLink()
            core.linkOrder.append(Self.link)
            _ = core.openFlow(on: Self.link, channel: nil, at: .zero)
            _ = agent.open(
                Self.flow,
                Flow(
                    local: Self.ends[1], remote: Self.ends[0], accountID: Self.peer, deviceID: Self.peer,
                    remoteAccountID: account.accountID.hex))
        }

        private static func openLink() throws -> LinkRecord {
            var random = RandomSource.seeded(3)
            let peer = try #require(ShortID(hex: peer))
            let machine = ControlLink(
                asking: .direct, over: [.tcp], configuration: SwiftICE.Configuration(), timing: .init(),
                random: &random)
            var link = LinkRecord(
                machine: machine, device: peer, account: peer, key: nil, requestID: 1, replyMailbox: nil)
            let candidates = ends.map {
                Candidate(
                    foundation: Foundation(kind: .host, base: $0.address), component: 1, transport: .tcp(.passive),
                    priority: 1, endpoint: $0, kind: .host)
            }
            link.stage = .open
            link.transport = .tcp
            link.pair = ICEAgent.SelectedPair(
                local: candidates[0], remote: candidates[1], path: .datagram(from: ends[0], to: ends[1]))
            return link
        }

        /// The call that came in.
        var call: Swiftlet.CallID? {
            for case .incomingCall(let call, _, _) in events { return call }
            return nil
        }

        var callEvents: [CallEvent] {
            events.compactMap { if case .call(_, let event) = $0 { event } else { nil } }
        }

        mutating func invite(offering offer: [UInt8]) {
            take(agent.invite(Self.sip, on: Self.flow, to: "alice", offer: offer, at: .zero))
        }

        /// The user of the node answers, who has sockets for sound.
        mutating func answer() throws {
            let call = try #require(call)
            let sockets = [1, 2].map {
                ICEAgent.Finding.socket($0, Endpoint(.v4(0x0A00_0001), port: UInt16(4000 + $0)))
            }
            take(core.gathered(sockets, for: .media(call, 0), at: .zero))
            take(core.answer(call, at: .zero))
        }

        private mutating func take(_ effects: [UserAgent.Effect]) {
            for case .send(let bytes, _) in effects {
                guard var message = try? SIPLite.Message(decoding: bytes) else { continue }
                if message.method == .ack {
                    message.body = acknowledgement(described)
                    message.fields.append(.contentType, "application/sdp")
                }
                take(core.received(message.encoded(), on: Self.link, at: .zero))
            }
        }

        private mutating func take(_ effects: [NodeCore.Effect]) {
            var messages: [[UInt8]] = []
            for effect in effects {
                switch effect {
                case .secureSend(_, let bytes): messages.append(bytes)
                case .event(let event): events.append(event)
                case .network(_, let action): network.append(action)
                default: break
                }
            }
            for message in messages { deliver(message) }
        }

        private mutating func deliver(_ bytes: [UInt8]) {
            guard let message = try? SIPLite.Message(decoding: bytes) else { return }
            if let status = message.status { statuses.append(status) }
            if let method = message.method { methods.append(method) }
            if message.status == 200, described.isEmpty { described = message.body }
            take(agent.receive(bytes.span, on: Self.flow, at: .zero))
        }
    }

    private let peer = MediaNegotiationTests.Party(7, .controlled, address: 0x0A00_0002)

    @Test func whoOffersIsAnswered() throws {
        var line = try Line()
        let offer = peer.negotiation.offer(peer.statement)
        line.invite(offering: offer.encoded())
        #expect(line.statuses == [100, 180])
        try line.answer()
        #expect(line.statuses == [100, 180, 200])
        #expect(peer.negotiation.agreement(offer: offer, answer: line.described) != nil)
        #expect(line.callEvents.contains(.answered) && !line.network.isEmpty)
    }

    @Test func anOfferWithoutSenseIsRefused() throws {
        var line = try Line()
        line.invite(offering: [1, 2, 3])
        #expect(line.statuses == [100, 488])
        #expect(line.events.isEmpty && line.core.calls.isEmpty)
    }

    /// RFC 3261 §13.3.1.4: our answer brings the offer then, and the acknowledgement the answer to it.
    @Test func whoOffersNothingIsMadeAnOffer() throws {
        var line = try Line()
        line.acknowledgement = { [peer] in peer.answer($0)?.0 ?? [] }
        line.invite(offering: [])
        #expect(line.statuses == [100, 180] && line.network.isEmpty)
        try line.answer()
        #expect(line.statuses == [100, 180, 200] && !line.methods.contains(.bye))
        let (_, agreement) = try #require(peer.answer(line.described))
        #expect(agreement.remote?.candidates.isEmpty == false)
        #expect(line.callEvents == [.answered] && !line.network.isEmpty, "the path is looked for")
    }

    @Test(arguments: [[], Array("no description".utf8)]) func whoDoesNotAnswerTheOfferIsHungUpOn(
        acknowledgement: [UInt8]
    ) throws {
        var line = try Line()
        line.acknowledgement = { _ in acknowledgement }
        line.invite(offering: [])
        try line.answer()
        #expect(line.statuses.prefix(3) == [100, 180, 200] && line.methods.contains(.bye))
        #expect(line.callEvents == [.answered, .ended(.incompatible)] && line.core.calls.isEmpty)
    }
}
