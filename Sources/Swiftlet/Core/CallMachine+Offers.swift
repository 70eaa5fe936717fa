package import SIPLite
package import SansIO
internal import SwiftICE

/// Offers and answers within a call (RFC 3264 §8): hold, resume, and media that move to another path.
///
/// Our user's commands only say what is wanted; ``settle(at:)`` makes the offers that bring it about, one at a time.
/// An offer without ICE credentials changes nothing about path and keys, as stock Jami uses new keys only with a new
/// path. One with new credentials brings a session of its own, keys included, which takes over once it is connected.
extension CallMachine {
    /// What our user wants of the media.
    struct Wish: Hashable, Sendable {
        var isHolding = false
        /// Whether the media should move to a new session.
        var renews = false
    }

    enum Exchange: Sendable {
        /// The peer's offer waits for the sockets of the session to answer with.
        case answering(SIPLite.SessionDescription)
        /// The peer asked us to offer; its answer comes with the acknowledgement.
        case offeringInAnswer(OwnOffer)
        /// Our offer waits for the sockets of the session to offer.
        case gathering
        /// Our offer is with the peer.
        case offering(OwnOffer)
    }

    /// An offer of ours and what it is for.
    struct OwnOffer: Sendable {
        let description: SIPLite.SessionDescription
        let holds: Bool
        let renews: Bool
        let change: MediaChange
    }

    // MARK: - The user

    /// Lets the peer wait.
    package mutating func hold(at now: Instant) -> [Effect] {
        guard case .talking = phase, !wish.isHolding else { return [] }
        wish.isHolding = true
        return directMedia() + settle(at: now)
    }

    /// Goes on with a call that was held. The media get a new session, as stock Jami starts them anew only with one.
    package mutating func resume(at now: Instant) -> [Effect] {
        guard case .talking = phase, wish.isHolding else { return [] }
        wish = Wish(isHolding: false, renews: true)
        return directMedia() + settle(at: now)
    }

    /// Moves the media to a new session on the addresses there are now, as after a change of the network.
    package mutating func restartMedia(at now: Instant) -> [Effect] {
        guard case .talking = phase else { return [] }
        wish.renews = true
        return settle(at: now)
    }

    // MARK: - Our offers

    /// Offers what is wanted and not agreed on, once nothing else is under way.
    mutating func settle(at now: Instant) -> [Effect] {
        guard case .talking = phase, exchange == nil, next == nil else { return [] }
        if wish.renews {
            exchange = .gathering
            return beginNext(.controlling)
        }
        guard !current.hasFailed else { return hangUpLegs() + end(mediaLoss) }
        return wish.isHolding == isHolding ? [] : offer(over: nil)
    }

    /// Whether another session is being found, or will be.
    var isRenewing: Bool { next != nil || wish.renews }

    private mutating func offer(over session: MediaSession?) -> [Effect] {
        guard let leg = legs.first else { return [] }
        let offer = makeOffer(over: session)
        exchange = .offering(offer)
        return [.sip(.reinvite(leg.sip, offer: offer.description.encoded()))]
    }

    private mutating func makeOffer(over session: MediaSession?) -> OwnOffer {
        version += 1
        let statement = (session ?? current).statement(
            wish.isHolding ? .sendOnly : .sendReceive, version: version, renewing: session != nil)
        return OwnOffer(
            description: setting.negotiation.offer(statement), holds: wish.isHolding, renews: session != nil,
            change: wantedChange)
    }

    private var wantedChange: MediaChange {
        guard wish.isHolding == isHolding else { return wish.isHolding ? .hold : .resume }
        return .restart
    }

    /// The sockets of the next session are open, for our offer or for our answer.
    mutating func nextGathered(at now: Instant) -> [Effect] {
        guard let next else { return [] }
        switch exchange {
        case .gathering where next.isReachable: return offer(over: next)
        case .gathering:
            let change = wantedChange
            exchange = nil
            return dropNext() + giveUp(change, status: nil, at: now)
        case .answering(let offer): return answer(offer, over: next, at: now)
        case .offering, .offeringInAnswer, nil: return []
        }
    }

    /// The peer answered our offer.
    package mutating func reanswered(_ sip: SIPLite.CallID, description: [UInt8], at now: Instant) -> [Effect] {
        guard case .offering(let offer) = exchange, legs.first?.sip == sip else { return [] }
        exchange = nil
        return conclude(offer, description, at: now)
    }

    /// The peer refused our offer, or never answered: the call is as it was.
    package mutating func reofferFailed(_ sip: SIPLite.CallID, status: Int?, at now: Instant) -> [Effect] {
        guard case .offering(let offer) = exchange, legs.first?.sip == sip else { return [] }
        exchange = nil
        return (offer.renews ? dropNext() : []) + giveUp(offer.change, status: status, at: now)
    }

    private mutating func conclude(_ offer: OwnOffer, _ answer: [UInt8]?, at now: Instant) -> [Effect] {
        let agreement = setting.negotiation.agreement(offer: offer.description, answer: answer ?? [])
        guard let agreement, isUsable(agreement) else {
            return (offer.renews ? dropNext() : []) + giveUp(offer.change, status: nil, at: now)
        }
        var effects = take(agreement, holding: offer.holds)
        if offer.renews {
            wish.renews = false
            effects += agreement.remote == nil ? nextFailed(at: now) : meetNext(agreement, at: now)
        }
        return effects + settle(at: now)
    }

    /// Wants again what is agreed on.
    private mutating func giveUp(_ change: MediaChange, status: Int?, at now: Instant) -> [Effect] {
        wish = Wish(isHolding: isHolding, renews: false)
        return [.event(.changeFailed(change, status: status))] + directMedia() + settle(at: now)
    }

    // MARK: - The peer's offers

    /// The peer offers a change of the session, or asks us to offer one.
    package mutating func reoffered(_ sip: SIPLite.CallID, description: [UInt8]?, at now: Instant) -> [Effect] {
        guard case .talking = phase, legs.first?.sip == sip else { return [] }
        // Our offer in an answer of ours comes first (RFC 3261 §14.2).
        if case .offeringInAnswer = exchange { return [.sip(.decline(sip, status: 491))] }
        let withdrawn = withdrawOwnOffer(sip)
        guard let description else { return withdrawn + offerInAnswer(sip) }
        guard let offer = try? SIPLite.SessionDescription(decoding: description) else {
            return withdrawn + [.sip(.decline(sip, status: 488))] + settle(at: now)
        }
        guard let given = credentials(in: offer), given != known else {
            return withdrawn + answer(offer, over: nil, at: now)
        }
        exchange = .answering(offer)
        return withdrawn + beginNext(.controlled)
    }

    /// The peer does not want its offer answered any more.
    package mutating func reofferWithdrawn(_ sip: SIPLite.CallID, at now: Instant) -> [Effect] {
        guard case .answering = exchange, legs.first?.sip == sip else { return [] }
        exchange = nil
        return dropNext() + settle(at: now)
    }

    /// An offer of ours that is not with the peer makes way for the peer's; what it is for is offered afterwards.
    private mutating func withdrawOwnOffer(_ sip: SIPLite.CallID) -> [Effect] {
        defer { exchange = nil }
        switch exchange {
        case .gathering: return dropNext()
        case .offering(let offer): return [.sip(.withdrawOffer(sip))] + (offer.renews ? dropNext() : [])
        case .answering, .offeringInAnswer, nil: return []
        }
    }

    private func credentials(in offer: SIPLite.SessionDescription) -> Credentials? {
        guard let index = offer.media.firstIndex(where: { $0.kind == .audio }) else { return nil }
        return offer.credentials(forMedia: index).flatMap(Credentials.init)
    }

    /// The peer's credentials in use; an offer that repeats them changes no path (RFC 8839 §4.4.1.1.1).
    private var known: Credentials? { (next?.agreement ?? current.agreement)?.remote?.credentials }

    /// Answers over the next session, or over the one in use, whose credentials are repeated where the offer does so.
    private mutating func answer(
        _ offer: SIPLite.SessionDescription, over session: MediaSession?, at now: Instant
    ) -> [Effect] {
        guard let leg = legs.first else { return [] }
        exchange = nil
        let inUse = credentials(in: offer) == nil ? current : next ?? current
        let statement = (session ?? inUse).statement(
            wish.isHolding ? .sendOnly : .sendReceive, version: version + 1,
            renewing: session != nil || credentials(in: offer) != nil)
        guard session?.isReachable ?? true,
            let (description, agreement) = setting.negotiation.answer(to: offer, statement),
            isUsable(agreement)
        else {
            let dropped = session == nil ? [] : dropNext()
            return dropped + [.sip(.decline(leg.sip, status: 488))] + settle(at: now)
        }
        version += 1
        let answered =
            [Effect.sip(.answer(leg.sip, description: description.encoded()))]
            + take(agreement, holding: wish.isHolding)
        return answered + (session == nil ? [] : meetNext(agreement, at: now)) + settle(at: now)
    }

    /// Takes a call that came without an offer: the answer brings ours, and the acknowledgement the peer's answer to it
    /// (RFC 3261 §13.3.1.4).
    mutating func offerInFirstAnswer(_ sip: SIPLite.CallID) -> [Effect] {
        phase = .talking
        let statement = current.statement(.sendReceive, version: version, renewing: true)
        let offer = OwnOffer(
            description: setting.negotiation.offer(statement), holds: false, renews: false, change: .restart)
        exchange = .offeringInAnswer(offer)
        return [.sip(.answer(sip, description: offer.description.encoded())), .event(.answered)]
    }

    private mutating func offerInAnswer(_ sip: SIPLite.CallID) -> [Effect] {
        let offer = makeOffer(over: nil)
        exchange = .offeringInAnswer(offer)
        return [.sip(.answer(sip, description: offer.description.encoded()))]
    }

    /// The acknowledgement brought the answer to the offer the peer had asked for.
    mutating func concludeOfferInAnswer(_ description: [UInt8]?, at now: Instant) -> [Effect] {
        guard case .offeringInAnswer(let offer) = exchange, let leg = legs.first else { return [] }
        exchange = nil
        guard current.agreement == nil else { return conclude(offer, description, at: now) }
        let agreement = setting.negotiation.agreement(offer: offer.description, answer: description ?? [])
        guard let agreement, agreement.remote != nil else { return [.sip(.hangUp(leg.sip))] + end(.incompatible) }
        return take(agreement) + meet(agreement, as: leg.traits, at: now) + settle(at: now)
    }

    // MARK: - Agreements

    /// Payload types do not change within a call.
    private func isUsable(_ agreement: MediaAgreement) -> Bool {
        current.agreement.map { $0.payloadType == agreement.payloadType } ?? true
    }

    /// Takes what was agreed on about who hears whom.
    mutating func take(_ agreement: MediaAgreement, holding holds: Bool = false) -> [Effect] {
        direction = agreement.direction
        var effects: [Effect] = []
        if holds != isHolding {
            isHolding = holds
            effects.append(.event(.held(holds)))
        }
        if agreement.isHeldByPeer != isHeldByPeer {
            isHeldByPeer = agreement.isHeldByPeer
            effects.append(.event(.peerHeld(isHeldByPeer)))
        }
        return effects + directMedia()
    }
}
