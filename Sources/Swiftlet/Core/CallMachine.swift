internal import MediaRTP
package import SIPLite
package import SansIO
internal import SecureChannel
package import SwiftICE

/// One call from the first ring to the last packet: SIP on each device's link, one ICE session for the media.
///
/// An outgoing call has a leg for each device of the peer; the first device that answers keeps the call and the
/// others are cancelled. The media session is shared by all legs and gathered once.
package struct CallMachine: Machine {
    package enum Effect: Sendable {
        /// Open sockets for the media session.
        case gather(components: [Int])
        case network(NetworkAction)
        /// Close the media session's sockets.
        case release
        case sip(SIPCommand)
        case startMedia(MediaPlan)
        case stopMedia
        case event(CallEvent)
        /// The call is over; everything it held was given back.
        case finished
        case ignored(Reason)
    }

    /// What a call asks of the SIP user agent.
    package enum SIPCommand: Hashable, Sendable {
        case invite(SIPLite.CallID, on: FlowID, to: String, offer: [UInt8])
        case ring(SIPLite.CallID)
        case answer(SIPLite.CallID, description: [UInt8])
        case decline(SIPLite.CallID, status: Int)
        case hangUp(SIPLite.CallID)
        case message(Body, in: SIPLite.CallID)
        case information(Body, in: SIPLite.CallID)
    }

    package enum Reason: Hashable, Sendable {
        case ice(ICEAgent.Reason)
        /// Information of a kind we do not know.
        case information
    }

    /// How the media session is set up.
    struct Setting: Sendable {
        var ice: SwiftICE.Configuration
        var negotiation: MediaNegotiation
        /// The vCard to show to peers; empty for none.
        var profile: String
    }

    private enum Phase {
        /// Outgoing: no device answered yet. `hasRung` once one alerts its user.
        case inviting(hasRung: Bool)
        /// Incoming: our user was not heard yet, or the answer waits for the gathering.
        case alerting(offer: SIPLite.SessionDescription, answerWanted: Bool)
        /// Answered; the media session looks for its path.
        case joining(MediaAgreement)
        case established
        case ended
    }

    private struct Leg {
        let flow: FlowID
        let sip: SIPLite.CallID
        /// The user of `To`.
        let device: String
        /// What we offered, once invited.
        var offer: SIPLite.SessionDescription?
        var isInvited: Bool
    }

    let peer: AccountID
    private let setting: Setting
    private var random: RandomSource
    private var media: ICEAgent
    private var isGathered = false
    private var phase: Phase
    private var legs: [Leg] = []
    /// Whether devices are still looked for or connected to, so that a call without legs is not over yet.
    private var expectsLegs: Bool
    /// Why the last leg was lost, for a call that loses all.
    private var lastFailure: CallEnd?
    private var profiles = ProfileCardAssembler()
    private var hasGreeted = false

    /// A call to a peer. Legs follow as devices are reached.
    init(calling peer: AccountID, setting: Setting, random: RandomSource) {
        self.init(peer: peer, role: .controlling, setting: setting, random: random, phase: .inviting(hasRung: false))
    }

    /// A call from a peer, on one leg.
    init(
        from peer: AccountID, leg sip: SIPLite.CallID, flow: FlowID, offer: SIPLite.SessionDescription,
        setting: Setting, random: RandomSource
    ) {
        self.init(
            peer: peer, role: .controlled, setting: setting, random: random,
            phase: .alerting(offer: offer, answerWanted: false))
        legs = [Leg(flow: flow, sip: sip, device: "", isInvited: true)]
    }

    private init(peer: AccountID, role: Role, setting: Setting, random: RandomSource, phase: Phase) {
        self.peer = peer
        self.setting = setting
        self.random = random
        self.phase = phase
        expectsLegs = role == .controlling
        media = ICEAgent(
            configuration: setting.ice, role: role, components: MediaLayout.audio.count, random: self.random.split())
    }

    mutating func start(at now: Instant) -> [Effect] {
        let gather = Effect.gather(components: MediaLayout.audio)
        guard case .alerting = phase, let leg = legs.first else { return [gather] }
        return [gather, .sip(.ring(leg.sip))]
    }

    // MARK: - Devices

    /// The link to one of the peer's devices is ready for SIP.
    mutating func reached(
        _ device: String, on flow: FlowID, as sip: SIPLite.CallID, traits: PeerTraits = PeerTraits(), at now: Instant
    ) -> [Effect] {
        guard case .inviting = phase else { return [] }
        legs.append(Leg(flow: flow, sip: sip, device: device, isInvited: false))
        return inviteWhereReady()
    }

    /// No more devices will be reached; `why` says what kept the last one away.
    mutating func noMoreDevices(because why: CallEnd, at now: Instant) -> [Effect] {
        guard case .inviting = phase else { return [] }
        expectsLegs = false
        guard legs.isEmpty else { return [] }
        return end(lastFailure ?? why)
    }

    /// Runs one input in place; for inputs that are chosen by the caller.
    mutating func apply(_ input: (inout CallMachine) -> [Effect]) -> [Effect] { input(&self) }

    // MARK: - The user

    mutating func answer(at now: Instant) -> [Effect] {
        guard case .alerting(let offer, _) = phase else { return [] }
        phase = .alerting(offer: offer, answerWanted: true)
        return answerWhereReady(at: now)
    }

    mutating func decline(at now: Instant) -> [Effect] {
        guard case .alerting = phase, let leg = legs.first else { return [] }
        return [.sip(.decline(leg.sip, status: 486))]
    }

    mutating func hangUp(at now: Instant) -> [Effect] {
        switch phase {
        case .ended: return []
        case .alerting: return decline(at: now)
        case .inviting where !legs.contains(where: \.isInvited): return end(.cancelled)
        case .inviting, .joining, .established: return hangUpLegs()
        }
    }

    mutating func send(_ message: Message) -> [Effect] {
        legs.first.map { [.sip(.message(Body(message), in: $0.sip))] } ?? []
    }

    /// Tells the peer whether our microphone is muted.
    mutating func announceMute(_ isMuted: Bool) -> [Effect] {
        legs.first.map { [.sip(.information(MediaControl(.muted(isMuted)).body, in: $0.sip))] } ?? []
    }

    // MARK: - SIP

    mutating func ringing(_ sip: SIPLite.CallID) -> [Effect] {
        guard case .inviting(hasRung: false) = phase else { return [] }
        phase = .inviting(hasRung: true)
        return [.event(.ringing)]
    }

    mutating func answered(_ sip: SIPLite.CallID, description: [UInt8], at now: Instant) -> [Effect] {
        guard case .inviting = phase, let winner = legs.first(where: { $0.sip == sip }), let offer = winner.offer else {
            return []
        }
        let cancels: [Effect] = legs.filter { $0.isInvited && $0.sip != sip }.map { .sip(.hangUp($0.sip)) }
        legs = [winner]
        expectsLegs = false
        guard let agreement = setting.negotiation.agreement(offer: offer, answer: description) else {
            return cancels + [.event(.answered), .sip(.hangUp(sip))] + end(.incompatible)
        }
        return cancels + [.event(.answered)] + join(agreement, at: now) + greet()
    }

    /// The caller acknowledged our answer.
    mutating func confirmed(_ sip: SIPLite.CallID) -> [Effect] { greet() }

    mutating func ended(_ sip: SIPLite.CallID, because reason: UserAgent.EndReason) -> [Effect] {
        guard let index = legs.firstIndex(where: { $0.sip == sip }) else { return [] }
        legs.remove(at: index)
        let why = CallEnd(reason)
        if case .inviting = phase, why == .remoteDeclined { return hangUpLegs() + end(why) }
        lastFailure = why
        guard legs.isEmpty, !expectsLegs || why == .cancelled else { return [] }
        return end(why)
    }

    mutating func received(_ body: Body) -> [Effect] {
        guard body.contentType.hasPrefix(ProfileCard.contentType) else { return [.event(.message(Message(body)))] }
        return profiles.receive(body).map { [.event(.profile(String(decoding: $0, as: UTF8.self)))] } ?? []
    }

    mutating func informed(_ body: Body) -> [Effect] {
        guard let control = MediaControl(body) else { return [.ignored(.information)] }
        guard case .muted(let isMuted) = control.primitive else { return [] }
        return [.event(.peerMuted(isMuted))]
    }

    /// New offers inside a call are refused, which leaves the session as it is (RFC 3261 §14.2).
    mutating func reoffered(_ sip: SIPLite.CallID) -> [Effect] { [.sip(.decline(sip, status: 488))] }

    // MARK: - The media session

    mutating func gathered(_ bases: [GatheredBase], at now: Instant) -> [Effect] {
        guard !isGathered else { return [] }
        isGathered = true
        var effects: [Effect] = []
        for base in bases {
            let base = ICEAgent.Base(component: base.component, endpoint: base.endpoint, transport: .udp)
            effects += translate(media.addBase(base, at: now), at: now)
        }
        guard !media.localCandidates.isEmpty else { return effects + hangUpLegs() + end(.mediaUnreachable) }
        return effects + inviteWhereReady() + answerWhereReady(at: now)
    }

    mutating func receive(_ datagram: [UInt8], on base: Endpoint, from peer: Endpoint, at now: Instant) -> [Effect] {
        translate(media.receive(datagram.span, on: base, from: peer, at: now), at: now)
    }

    package var deadline: Instant? {
        if case .ended = phase { nil } else { media.deadline }
    }

    package mutating func advance(to now: Instant) -> [Effect] { translate(media.advance(to: now), at: now) }

    // MARK: - Steps

    private mutating func inviteWhereReady() -> [Effect] {
        guard case .inviting = phase, isGathered else { return [] }
        var effects: [Effect] = []
        for index in legs.indices where !legs[index].isInvited {
            let offer = setting.negotiation.offer(for: media)
            legs[index].offer = offer
            legs[index].isInvited = true
            let leg = legs[index]
            effects.append(.sip(.invite(leg.sip, on: leg.flow, to: leg.device, offer: offer.encoded())))
            effects.append(.event(.invited))
        }
        return effects
    }

    private mutating func answerWhereReady(at now: Instant) -> [Effect] {
        guard case .alerting(let offer, answerWanted: true) = phase, isGathered, let leg = legs.first else { return [] }
        guard let (description, agreement) = setting.negotiation.answer(to: offer, for: media) else {
            return [.sip(.decline(leg.sip, status: 488))]
        }
        return [.sip(.answer(leg.sip, description: description.encoded())), .event(.answered)]
            + join(agreement, at: now)
    }

    private mutating func join(_ agreement: MediaAgreement, at now: Instant) -> [Effect] {
        phase = .joining(agreement)
        return translate(media.start(remote: agreement.remote, at: now), at: now)
    }

    /// Shows our profile and says that our microphone is on, as Jami's clients do at the start of a call.
    private mutating func greet() -> [Effect] {
        guard !hasGreeted, let leg = legs.first else { return [] }
        hasGreeted = true
        let id = UInt32(truncatingIfNeeded: random.next())
        let card = setting.profile.isEmpty ? [] : ProfileCard.messages(of: setting.profile, id: id)
        return card.map { .sip(.message($0, in: leg.sip)) } + announceMute(false)
    }

    private mutating func translate(_ effects: [ICEAgent.Effect], at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes, let base, let peer): translated.append(.network(.send(bytes, from: base, to: peer)))
            case .completed: translated += mediaConnected()
            case .failed: translated += hangUpLegs() + end(mediaLoss)
            case .ignored(let reason): translated.append(.ignored(.ice(reason)))
            case .selected, .received, .connect, .write, .disconnect: break
            }
        }
        return translated
    }

    private mutating func mediaConnected() -> [Effect] {
        guard case .joining(let agreement) = phase,
            let rtp = media.selectedPair(component: MediaLayout.rtp),
            let rtcp = media.selectedPair(component: MediaLayout.rtcp)
        else { return [] }
        phase = .established
        let plan = MediaPlan(
            rtp: MediaPath(rtp), rtcp: MediaPath(rtcp), payloadType: agreement.payloadType, codec: agreement.codec,
            localKey: agreement.localKey, remoteKey: agreement.remoteKey)
        return [.event(.mediaConnected(rtp: plan.rtp, rtcp: plan.rtcp, codec: plan.codec)), .startMedia(plan)]
    }

    private var mediaLoss: CallEnd {
        if case .established = phase { .connectionLost } else { .mediaUnreachable }
    }

    private func hangUpLegs() -> [Effect] { legs.filter(\.isInvited).map { .sip(.hangUp($0.sip)) } }

    private mutating func end(_ why: CallEnd) -> [Effect] {
        if case .ended = phase { return [] }
        let hadMedia = if case .established = phase { true } else { false }
        phase = .ended
        legs = []
        _ = media.close()
        return (hadMedia ? [.stopMedia] : []) + [.release, .event(.ended(why)), .finished]
    }
}

/// A socket the driver opened for a session.
package struct GatheredBase: Hashable, Sendable {
    /// The component it serves.
    package let component: Int
    /// The address it is bound to.
    package let endpoint: Endpoint

    package init(component: Int, endpoint: Endpoint) {
        self.component = component
        self.endpoint = endpoint
    }
}

extension CallEnd {
    /// What an end of SIP's means to people.
    init(_ reason: UserAgent.EndReason) {
        self =
            switch reason {
            case .hungUp: .hungUp
            case .cancelled: .cancelled
            case .declined(status: 486): .declined
            case .declined: .incompatible
            case .remoteHungUp: .remoteHungUp
            case .remoteCancelled: .remoteCancelled
            case .rejected(status: 486), .rejected(status: 600), .rejected(status: 603): .remoteDeclined
            case .rejected(status: 415), .rejected(status: 488): .incompatible
            case .rejected(status: 408), .rejected(status: 480), .noAnswer: .unanswered
            case .rejected(let status): .refused(status: status)
            case .unresponsive, .flowLost: .connectionLost
            case .overLimit: .unreachable
            case .oversized, .protocolError: .incompatible
            }
    }
}

extension Body {
    init(_ message: Message) { self.init(contentType: message.contentType, bytes: message.content) }
}

extension Message {
    init(_ body: Body) { self.init(contentType: body.contentType, content: body.bytes) }
}
