import MediaRTP
import SIPLite
import SansIO
import SecureChannel
import SwiftICE
import Testing

@testable import Swiftlet

/// What a call did, without the packets.
struct Doings {
    var sip: [CallMachine.SIPCommand] = []
    var events: [CallEvent] = []
    /// The sessions whose sockets were opened, and closed, in order.
    var gathers: [Int] = []
    var releases: [Int] = []
    var plans: [MediaPlan] = []
    var flows: [MediaFlow] = []
    var expected: [SRTPKey] = []
    var network: [(session: Int, action: NetworkAction)] = []
    var stops = 0
    var isFinished = false

    init(_ effects: [CallMachine.Effect]) { add(effects) }

    mutating func add(_ effects: [CallMachine.Effect]) {
        for effect in effects {
            switch effect {
            case .sip(let command): sip.append(command)
            case .event(let event): events.append(event)
            case .gather(let session, _): gathers.append(session)
            case .release(let session): releases.append(session)
            case .finished: isFinished = true
            case .startMedia(let plan): plans.append(plan)
            case .directMedia(let flow): flows.append(flow)
            case .expectMedia(let key): expected.append(key)
            case .stopMedia: stops += 1
            case .network(let action, let session): network.append((session, action))
            case .ignored: break
            }
        }
    }
}

@Suite struct CallMachineTests {
    private let peer = ShortID(decoding: [UInt8](repeating: 1, count: 20))!
    private let bases = [1, 2].map {
        ICEAgent.Finding.socket($0, Endpoint(.v4(0x0A00_0001), port: UInt16(4000 + $0)))
    }
    private let phone = SIPLite.CallID(rawValue: 1)
    private let tablet = SIPLite.CallID(rawValue: 2)

    private func setting(_ seed: UInt64) -> CallMachine.Setting {
        var random = RandomSource.seeded(seed)
        return CallMachine.Setting(
            ice: SwiftICE.Configuration(),
            negotiation: MediaNegotiation(
                sizeLimit: 6_000, clock: WallClock(epochOffset: 0), random: &random, at: .zero), profile: "")
    }

    private func outgoing() -> CallMachine { CallMachine(calling: peer, setting: setting(1), random: .seeded(1)) }

    /// A call that invited two devices, and its offer.
    private func inviting() -> (CallMachine, offer: [UInt8]) {
        var call = outgoing()
        _ = call.start(at: .zero)
        _ = call.gathered(bases, session: 0, at: .zero)
        let first = Doings(call.reached("phone", on: FlowID(rawValue: 1), as: phone, traits: PeerTraits(), at: .zero))
        _ = call.reached("tablet", on: FlowID(rawValue: 2), as: tablet, traits: PeerTraits(), at: .zero)
        guard case .invite(_, _, _, let offer)? = first.sip.first else { return (call, []) }
        return (call, offer)
    }

    private func incoming() throws -> CallMachine {
        let offer = try SIPLite.SessionDescription(decoding: inviting().offer)
        return CallMachine(
            from: peer, leg: phone, flow: FlowID(rawValue: 1), traits: PeerTraits(), offer: offer, setting: setting(2),
            random: .seeded(2))
    }

    // MARK: - Outgoing

    @Test func devicesAreInvitedOnceTheMediaIsGathered() {
        var call = outgoing()
        #expect(Doings(call.start(at: .zero)).gathers == [0])
        #expect(
            Doings(call.reached("phone", on: FlowID(rawValue: 1), as: phone, traits: PeerTraits(), at: .zero)).sip
                .isEmpty)
        let doings = Doings(call.gathered(bases, session: 0, at: .zero))
        guard case .invite(phone, FlowID(rawValue: 1), "phone", _)? = doings.sip.first else {
            return #expect(Bool(false), "invited")
        }
        #expect(doings.sip.count == 1)
        #expect(doings.events == [.invited])
    }

    @Test func withoutAddressesThereIsNoMedia() {
        var call = outgoing()
        _ = call.start(at: .zero)
        let doings = Doings(call.gathered([], session: 0, at: .zero))
        #expect(doings.events == [.ended(.mediaUnreachable)])
        #expect(doings.isFinished && doings.releases == [0])
    }

    @Test func itRingsOnce() {
        var (call, _) = inviting()
        #expect(Doings(call.ringing(phone)).events == [.ringing])
        #expect(Doings(call.ringing(tablet)).events.isEmpty)
    }

    @Test func theFirstAnswerCancelsTheOtherDevices() throws {
        var (call, offer) = inviting()
        let (answer, _) = try #require(
            MediaNegotiationTests.Party(3, .controlled, address: 0x0A00_0002).answer(offer))
        let doings = Doings(call.answered(tablet, description: answer, at: .zero))
        #expect(doings.sip.first == .hangUp(phone))
        #expect(!doings.sip.contains(.hangUp(tablet)))
        #expect(doings.events == [.answered])
        #expect(Doings(call.ended(phone, because: .cancelled)).events.isEmpty, "the other leg is no longer ours")
        #expect(Doings(call.answered(phone, description: answer, at: .zero)).events.isEmpty)
    }

    @Test func anAnswerWithoutSenseEndsTheCall() {
        var (call, _) = inviting()
        let doings = Doings(call.answered(phone, description: [1, 2, 3], at: .zero))
        #expect(doings.sip == [.hangUp(tablet), .hangUp(phone)])
        #expect(doings.events == [.answered, .ended(.incompatible)])
        #expect(doings.isFinished)
    }

    @Test func whoDeclinesDeclinesForAllDevices() {
        var (call, _) = inviting()
        let doings = Doings(call.ended(phone, because: .rejected(status: 486)))
        #expect(doings.sip == [.hangUp(tablet)])
        #expect(doings.events == [.ended(.remoteDeclined)])
    }

    @Test func aLostDeviceLeavesTheOthersRinging() {
        var (call, _) = inviting()
        _ = call.noMoreDevices(because: .notFound, at: .zero)
        #expect(Doings(call.ended(phone, because: .flowLost)).events.isEmpty)
        #expect(Doings(call.ended(tablet, because: .flowLost)).events == [.ended(.connectionLost)])
    }

    @Test func withoutDevicesTheReasonIsTold() {
        var call = outgoing()
        _ = call.start(at: .zero)
        #expect(Doings(call.noMoreDevices(because: .notFound, at: .zero)).events == [.ended(.notFound)])
    }

    @Test func nothingFollowsTheEnd() throws {
        var (call, offer) = inviting()
        _ = call.ended(phone, because: .rejected(status: 603))
        let (answer, _) = try #require(
            MediaNegotiationTests.Party(3, .controlled, address: 0x0A00_0002).answer(offer))
        #expect(call.hangUp(at: .zero).isEmpty)
        #expect(call.answered(tablet, description: answer, at: .zero).isEmpty)
        #expect(call.ended(tablet, because: .cancelled).isEmpty)
        #expect(call.noMoreDevices(because: .notFound, at: .zero).isEmpty)
        #expect(
            call.reached(
                "late", on: FlowID(rawValue: 9), as: SIPLite.CallID(rawValue: 9), traits: PeerTraits(), at: .zero
            ).isEmpty)
        #expect(call.deadline == nil)
    }

    @Test func hangingUpBeforeAnyDeviceIsReachedEndsAtOnce() {
        var call = outgoing()
        _ = call.start(at: .zero)
        #expect(Doings(call.hangUp(at: .zero)).events == [.ended(.cancelled)])
    }

    @Test func hangingUpWhileItRingsCancelsEveryDevice() {
        var (call, _) = inviting()
        #expect(Doings(call.hangUp(at: .zero)).sip == [.hangUp(phone), .hangUp(tablet)])
        _ = call.ended(phone, because: .cancelled)
        #expect(Doings(call.ended(tablet, because: .cancelled)).events.last != nil || call.hangUp(at: .zero).isEmpty)
    }

    // MARK: - Incoming

    @Test func anIncomingCallRings() throws {
        var call = try incoming()
        let doings = Doings(call.start(at: .zero))
        #expect(doings.gathers == [0])
        #expect(doings.sip == [.ring(phone)])
    }

    @Test func theAnswerWaitsForTheGathering() throws {
        var call = try incoming()
        _ = call.start(at: .zero)
        #expect(Doings(call.answer(at: .zero)).sip.isEmpty)
        let doings = Doings(call.gathered(bases, session: 0, at: .zero))
        guard case .answer(phone, _)? = doings.sip.first else { return #expect(Bool(false), "answered") }
        #expect(doings.events == [.answered])
    }

    // MARK: - Incoming, without an offer

    /// A call without an offer that our user took, and what we offered.
    private func offering() throws -> (CallMachine, offer: [UInt8]) {
        var call = CallMachine(
            from: peer, leg: phone, flow: FlowID(rawValue: 1), traits: PeerTraits(isSwiftlet: true), offer: nil,
            setting: setting(2), random: .seeded(2))
        #expect(Doings(call.start(at: .zero)).sip == [.ring(phone)])
        #expect(Doings(call.gathered(bases, session: 0, at: .zero)).sip.isEmpty, "nothing is told early")
        let doings = Doings(call.answer(at: .zero))
        guard case .answer(phone, let offer)? = doings.sip.first else { return (call, []) }
        #expect(doings.events == [.answered] && doings.network.isEmpty)
        return (call, offer)
    }

    @Test func whoeverMakesTheOfferControls() throws {
        var (call, offer) = try offering()
        let peer = MediaNegotiationTests.Party(3, .controlled, address: 0x0A00_0002)
        let (answer, agreement) = try #require(peer.answer(offer))
        var doings = Doings(call.confirmed(phone, description: answer, at: .zero))
        while doings.network.isEmpty, let deadline = call.deadline { doings.add(call.advance(to: deadline)) }
        let checks = doings.network.compactMap { entry -> SwiftICE.Message? in
            guard case .send(let bytes, _, let target) = entry.action, target.address == .v4(0x0A00_0002) else {
                return nil
            }
            return try? SwiftICE.Message(decoding: bytes)
        }
        #expect(checks.contains { $0.attributes.contains { if case .iceControlling = $0 { true } else { false } } })
        #expect(agreement.remote != nil && doings.events.isEmpty)
    }

    @Test func aPeersOfferWaitsForItsAnswerToOurs() throws {
        var (call, offer) = try offering()
        let (answer, _) = try #require(
            MediaNegotiationTests.Party(3, .controlled, address: 0x0A00_0002).answer(offer))
        #expect(Doings(call.reoffered(phone, description: offer, at: .zero)).sip == [.decline(phone, status: 491)])
        #expect(Doings(call.confirmed(phone, description: answer, at: .zero)).events.isEmpty)
        #expect(call.current.agreement != nil)
    }

    @Test func aHoldWaitsForTheAnswerToOurOffer() throws {
        var (call, offer) = try offering()
        #expect(Doings(call.hold(at: .zero)).sip.isEmpty)
        let (answer, _) = try #require(
            MediaNegotiationTests.Party(3, .controlled, address: 0x0A00_0002).answer(offer))
        let doings = Doings(call.confirmed(phone, description: answer, at: .zero))
        guard case .reinvite(phone, let hold)? = doings.sip.last else { return #expect(Bool(false), "\(doings.sip)") }
        #expect(String(decoding: hold, as: UTF8.self).contains("a=sendonly\r\n"))
    }

    // MARK: - Incoming, and its end

    @Test func hangingUpWhatRingsDeclinesIt() throws {
        var call = try incoming()
        _ = call.start(at: .zero)
        #expect(Doings(call.hangUp(at: .zero)).sip == [.decline(phone, status: 486)])
        #expect(Doings(call.ended(phone, because: .declined(status: 486))).events == [.ended(.declined)])
    }

    @Test func aCallerThatGivesUpEndsTheCall() throws {
        var call = try incoming()
        _ = call.start(at: .zero)
        let doings = Doings(call.ended(phone, because: .remoteCancelled))
        #expect(doings.events == [.ended(.remoteCancelled)])
        #expect(doings.releases == [0] && doings.isFinished)
    }

    @Test func mediaThatFindsNoPathEndsTheCall() throws {
        var call = try incoming()
        _ = call.start(at: .zero)
        _ = call.gathered(bases, session: 0, at: .zero)
        _ = call.answer(at: .zero)
        var doings = Doings([])
        while let deadline = call.deadline { doings.add(call.advance(to: deadline)) }
        #expect(doings.events.last == .ended(.mediaUnreachable))
        #expect(doings.sip.contains(.hangUp(phone)))
    }
}

extension MediaNegotiationTests.Party {
    /// Answers an encoded offer.
    func answer(_ offer: [UInt8]) -> ([UInt8], MediaAgreement)? {
        guard let offer = try? SIPLite.SessionDescription(decoding: offer),
            let (description, agreement) = negotiation.answer(to: offer, statement)
        else { return nil }
        return (description.encoded(), agreement)
    }
}
