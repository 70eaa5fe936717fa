package import MediaRTP
package import SIPLite
package import SansIO
internal import SecureChannel
package import SwiftICE

/// One call from the first ring to the last packet: SIP on each device's link, and the sessions its media run over.
///
/// An outgoing call has a leg for each device of the peer; the first device that answers keeps the call and the
/// others are cancelled. All legs share the first media session, gathered once. Later ones, each with sockets and keys
/// of its own, take the media over while the call goes on.
package struct CallMachine: Machine {
    package enum Effect: Sendable {
        /// Open sockets for a media session.
        case gather(session: Int, components: [Int])
        case network(NetworkAction, session: Int)
        /// Close a media session's sockets.
        case release(session: Int)
        case sip(SIPCommand)
        /// Start the media, or move those that run over to another session without a seam.
        case startMedia(MediaPlan)
        /// Take packets under this key as well: the peer may use the next session earlier than we.
        case expectMedia(SRTPKey)
        case directMedia(MediaFlow)
        case stopMedia
        case event(CallEvent)
        /// The call is over; everything it held was given back.
        case finished
        case ignored(Reason)
    }

    /// What a call asks of the SIP user agent.
    package enum SIPCommand: Hashable, Sendable {
        case invite(SIPLite.CallID, on: FlowID, to: String, offer: [UInt8])
        /// Say that our user is alerted; the description, if any, is that of the answer to come.
        case ring(SIPLite.CallID, describing: [UInt8] = [])
        case answer(SIPLite.CallID, description: [UInt8])
        case decline(SIPLite.CallID, status: Int, because: String = "")
        case hangUp(SIPLite.CallID)
        case reinvite(SIPLite.CallID, offer: [UInt8])
        case withdrawOffer(SIPLite.CallID)
        case message(Body, in: SIPLite.CallID)
        case information(Body, in: SIPLite.CallID)
    }

    package enum Reason: Hashable, Sendable {
        case ice(ICEAgent.Reason)
        /// Information of a kind we do not know.
        case information
    }

    /// How the media sessions are set up.
    package struct Setting: Sendable {
        let ice: SwiftICE.Configuration
        let negotiation: MediaNegotiation
        /// The vCard to show to peers; empty for none.
        let profile: String

        package init(ice: SwiftICE.Configuration, negotiation: MediaNegotiation, profile: String) {
            self.ice = ice
            self.negotiation = negotiation
            self.profile = profile
        }
    }

    enum Phase {
        /// Outgoing: no device answered yet. `hasRung` once one alerts its user.
        case inviting(hasRung: Bool)
        /// Incoming: our user was not heard yet, or the answer waits for the gathering. Without an offer of the peer the
        /// answer brings ours.
        case alerting(offer: SIPLite.SessionDescription?, answerWanted: Bool)
        /// Answered; what becomes of the media is said by the sessions.
        case talking
        case ended
    }

    struct Leg {
        let flow: FlowID
        let sip: SIPLite.CallID
        /// The user of `To`.
        let device: String
        let traits: PeerTraits
        /// What we offered, once invited.
        var offer: SIPLite.SessionDescription?
        var isInvited: Bool
    }

    enum Timer: Hashable, Sendable {
        /// The session before the one in use is not needed any more.
        case releaseFormer
    }

    let peer: AccountID
    let setting: Setting
    var random: RandomSource
    var phase: Phase
    var legs: [Leg] = []
    var timers = TimerTable<Timer>()
    /// Whether devices are still looked for or connected to, so that a call without legs is not over yet.
    private var expectsLegs = false
    /// Why the last leg was lost, for a call that loses all.
    private var lastFailure: CallEnd?
    private var profiles = ProfileCardAssembler()
    private var hasGreeted = false

    /// The session the media run over, or will.
    var current: MediaSession
    /// The session that is to take over.
    var next: MediaSession?
    /// The session before the current one, for packets that are on their way and for a peer that moves later.
    var former: MediaSession?
    /// The number of the latest session.
    var lastSession = 0
    /// Whether the media were started.
    var isRunning = false
    /// The leg whose early answer the first session looks for a path to.
    private var early: SIPLite.CallID?
    /// Our answer, where it was told before our user answers.
    private var prepared: (description: [UInt8], agreement: MediaAgreement)?

    /// The offer and answer under way within the call; one at a time (RFC 3264 §4).
    var exchange: Exchange?
    /// What our user wants.
    var wish = Wish()
    /// What was agreed on.
    var isHolding = false
    var isHeldByPeer = false
    var direction = MediaDirection.sendReceive
    var isMuted = false
    /// What the media plane was told last.
    var toldFlow = MediaFlow()
    /// How many descriptions we made that changed something.
    var version: UInt64 = 0

    /// A call to a peer. Legs follow as devices are reached.
    package init(calling peer: AccountID, setting: Setting, random: RandomSource) {
        self.init(peer: peer, role: .controlling, setting: setting, random: random, phase: .inviting(hasRung: false))
        expectsLegs = true
    }

    /// A call from a peer, on one leg; `nil` where it leaves the offer to us, who control the media session then.
    package init(
        from peer: AccountID, leg sip: SIPLite.CallID, flow: FlowID, traits: PeerTraits,
        offer: SIPLite.SessionDescription?, setting: Setting, random: RandomSource
    ) {
        self.init(
            peer: peer, role: offer == nil ? .controlling : .controlled, setting: setting, random: random,
            phase: .alerting(offer: offer, answerWanted: false))
        legs = [Leg(flow: flow, sip: sip, device: "", traits: traits, isInvited: true)]
    }

    private init(peer: AccountID, role: Role, setting: Setting, random: RandomSource, phase: Phase) {
        self.peer = peer
        self.setting = setting
        self.random = random
        self.phase = phase
        current = MediaSession(number: 0, role: role, configuration: setting.ice, random: self.random.split())
    }

    package mutating func start(at now: Instant) -> [Effect] {
        let gather = Effect.gather(session: current.number, components: MediaLayout.audio)
        guard case .alerting = phase, let leg = legs.first else { return [gather] }
        return [gather, .sip(.ring(leg.sip))]
    }

    // MARK: - Devices

    /// The link to one of the peer's devices is ready for SIP.
    package mutating func reached(
        _ device: String, on flow: FlowID, as sip: SIPLite.CallID, traits: PeerTraits, at now: Instant
    ) -> [Effect] {
        guard case .inviting = phase else { return [] }
        legs.append(Leg(flow: flow, sip: sip, device: device, traits: traits, isInvited: false))
        return inviteWhereReady()
    }

    /// No more devices will be reached; `why` says what kept the last one away.
    package mutating func noMoreDevices(because why: CallEnd, at now: Instant) -> [Effect] {
        guard case .inviting = phase else { return [] }
        expectsLegs = false
        guard legs.isEmpty else { return [] }
        return end(lastFailure ?? why)
    }

    /// Runs one input in place; for inputs that are chosen by the caller.
    mutating func apply(_ input: (inout CallMachine) -> [Effect]) -> [Effect] { input(&self) }

    // MARK: - The user

    package mutating func answer(at now: Instant) -> [Effect] {
        guard case .alerting(let offer, _) = phase else { return [] }
        phase = .alerting(offer: offer, answerWanted: true)
        return answerWhereReady(at: now)
    }

    /// Declines; the words reach peers that understand them.
    package mutating func decline(because text: String = "", at now: Instant) -> [Effect] {
        guard case .alerting = phase, let leg = legs.first else { return [] }
        // Stock Jami takes 486 for a refusal, and shows no words.
        guard leg.traits.isSwiftlet else { return [.sip(.decline(leg.sip, status: 486))] }
        return [.sip(.decline(leg.sip, status: 603, because: text))]
    }

    package mutating func hangUp(at now: Instant) -> [Effect] {
        switch phase {
        case .ended: return []
        case .alerting: return decline(at: now)
        case .inviting where !legs.contains(where: \.isInvited): return end(.cancelled)
        case .inviting, .talking: return hangUpLegs()
        }
    }

    package mutating func send(_ message: Message) -> [Effect] {
        legs.first.map { [.sip(.message(Body(message), in: $0.sip))] } ?? []
    }

    // MARK: - SIP

    package mutating func ringing(_ sip: SIPLite.CallID) -> [Effect] {
        guard case .inviting(hasRung: false) = phase else { return [] }
        phase = .inviting(hasRung: true)
        return [.event(.ringing)]
    }

    /// A device tells its answer while it alerts its user: the path can be found before anybody talks.
    ///
    /// Only the first such device is met; should another one take the call, the session meets that one instead.
    package mutating func answeredEarly(_ sip: SIPLite.CallID, description: [UInt8], at now: Instant) -> [Effect] {
        guard case .inviting = phase, early == nil, let leg = legs.first(where: { $0.sip == sip }),
            leg.traits.isSwiftlet, let offer = leg.offer,
            let agreement = setting.negotiation.agreement(offer: offer, answer: description), agreement.remote != nil
        else { return [] }
        early = sip
        return meet(agreement, as: leg.traits, at: now)
    }

    package mutating func answered(_ sip: SIPLite.CallID, description: [UInt8], at now: Instant) -> [Effect] {
        guard case .inviting = phase, let winner = legs.first(where: { $0.sip == sip }), let offer = winner.offer else {
            return []
        }
        let cancels: [Effect] = legs.filter { $0.isInvited && $0.sip != sip }.map { .sip(.hangUp($0.sip)) }
        legs = [winner]
        expectsLegs = false
        guard let agreement = setting.negotiation.agreement(offer: offer, answer: description),
            agreement.remote != nil
        else { return cancels + [.event(.answered), .sip(.hangUp(sip))] + end(.incompatible) }
        phase = .talking
        return cancels + [.event(.answered)] + take(agreement) + meet(agreement, as: winner.traits, at: now) + greet()
            + settle(at: now)
    }

    /// The caller acknowledged our answer.
    package mutating func confirmed(_ sip: SIPLite.CallID, description: [UInt8]? = nil, at now: Instant) -> [Effect] {
        greet() + concludeOfferInAnswer(description, at: now)
    }

    /// The peer says why it refuses.
    package mutating func explained(_ sip: SIPLite.CallID, _ text: String) -> [Effect] {
        guard case .inviting = phase, !text.isEmpty, legs.contains(where: { $0.sip == sip }) else { return [] }
        return [.event(.declineReason(text))]
    }

    package mutating func ended(_ sip: SIPLite.CallID, because reason: UserAgent.EndReason) -> [Effect] {
        guard let index = legs.firstIndex(where: { $0.sip == sip }) else { return [] }
        legs.remove(at: index)
        let why = CallEnd(reason)
        if case .inviting = phase, why == .remoteDeclined { return hangUpLegs() + end(why) }
        if early == sip, case .inviting = phase {
            early = nil
            current.part()
        }
        lastFailure = why
        guard legs.isEmpty, !expectsLegs || why == .cancelled else { return [] }
        return end(why)
    }

    package mutating func received(_ body: Body) -> [Effect] {
        guard body.contentType.hasPrefix(ProfileCard.contentType) else { return [.event(.message(Message(body)))] }
        return profiles.receive(body).map { [.event(.profile(String(decoding: $0, as: UTF8.self)))] } ?? []
    }

    package mutating func informed(_ body: Body) -> [Effect] {
        guard let control = MediaControl(body) else { return [.ignored(.information)] }
        guard case .muted(let isMuted) = control.primitive else { return [] }
        return [.event(.peerMuted(isMuted))]
    }

    // MARK: - Steps

    mutating func inviteWhereReady() -> [Effect] {
        guard case .inviting = phase, current.isGathered else { return [] }
        var effects: [Effect] = []
        for index in legs.indices where !legs[index].isInvited {
            let offer = setting.negotiation.offer(current.statement(.sendReceive, version: version, renewing: true))
            legs[index].offer = offer
            legs[index].isInvited = true
            let leg = legs[index]
            // First, as an invitation that cannot leave ends the call at once.
            effects.append(.event(.invited))
            effects.append(.sip(.invite(leg.sip, on: leg.flow, to: leg.device, offer: offer.encoded())))
        }
        return effects
    }

    /// Tells a peer that understands it what we shall answer, and looks for the path meanwhile.
    mutating func answerEarly(at now: Instant) -> [Effect] {
        guard case .alerting(let offer?, answerWanted: false) = phase, let leg = legs.first, leg.traits.isSwiftlet,
            prepared == nil, let prepared = prepareAnswer(to: offer)
        else { return [] }
        self.prepared = prepared
        return [.sip(.ring(leg.sip, describing: prepared.description))]
            + meet(prepared.agreement, as: leg.traits, at: now)
    }

    mutating func answerWhereReady(at now: Instant) -> [Effect] {
        guard case .alerting(let offer, answerWanted: true) = phase, current.isGathered, let leg = legs.first else {
            return []
        }
        guard let offer else { return offerInFirstAnswer(leg.sip) }
        guard let (description, agreement) = prepared ?? prepareAnswer(to: offer) else {
            return [.sip(.decline(leg.sip, status: 488))]
        }
        phase = .talking
        return [.sip(.answer(leg.sip, description: description)), .event(.answered)] + take(agreement)
            + meet(agreement, as: leg.traits, at: now)
    }

    private func prepareAnswer(
        to offer: SIPLite.SessionDescription
    ) -> (description: [UInt8], agreement: MediaAgreement)? {
        let statement = current.statement(.sendReceive, version: version, renewing: true)
        guard let (description, agreement) = setting.negotiation.answer(to: offer, statement), agreement.remote != nil
        else { return nil }
        return (description.encoded(), agreement)
    }

    /// Shows our profile and says whether our microphone is on, as Jami's clients do at the start of a call.
    private mutating func greet() -> [Effect] {
        guard !hasGreeted, let leg = legs.first else { return [] }
        hasGreeted = true
        let id = UInt32(truncatingIfNeeded: random.next())
        let card = setting.profile.isEmpty ? [] : ProfileCard.messages(of: setting.profile, id: id)
        return card.map { .sip(.message($0, in: leg.sip)) } + announceMute()
    }

    func hangUpLegs() -> [Effect] { legs.filter(\.isInvited).map { .sip(.hangUp($0.sip)) } }

    mutating func end(_ why: CallEnd) -> [Effect] {
        if case .ended = phase { return [] }
        phase = .ended
        legs = []
        exchange = nil
        let stop: [Effect] = isRunning ? [.stopMedia] : []
        return stop + releaseSessions() + [.event(.ended(why)), .finished]
    }
}

extension CallEnd {
    /// What an end of SIP's means to people.
    init(_ reason: UserAgent.EndReason) {
        self =
            switch reason {
            case .hungUp: .hungUp
            case .cancelled: .cancelled
            case .declined(status: 486), .declined(status: 603): .declined
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
