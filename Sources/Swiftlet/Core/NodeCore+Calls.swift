internal import SIPLite
package import SansIO
internal import SecureChannel
internal import SwiftDHT
internal import SwiftICE

/// What the user wants, and what calls want.
extension NodeCore {
    // MARK: - The user

    /// Calls an account; every device of it that is announced rings.
    package mutating func call(_ peer: AccountID, at now: Instant) -> (CallID, [Effect]) {
        let call = nextCall()
        let machine = CallMachine(calling: peer, setting: mediaSetting(at: now), random: random.split())
        add(machine, as: call)
        let effects = introduce(calls[call]?.start(at: now) ?? [], of: call, at: now)
        return (call, effects + reach(peer, for: .call(call), at: now))
    }

    /// Answers an incoming call.
    package mutating func answer(_ call: CallID, at now: Instant) -> [Effect] {
        introduce(calls[call]?.answer(at: now) ?? [], of: call, at: now)
    }

    /// Declines an incoming call; `text` tells the peer why, if it understands that.
    package mutating func decline(_ call: CallID, because text: String = "", at now: Instant) -> [Effect] {
        introduce(calls[call]?.decline(because: text, at: now) ?? [], of: call, at: now)
    }

    /// Ends a call in whatever state it is.
    package mutating func hangUp(_ call: CallID, at now: Instant) -> [Effect] {
        introduce(calls[call]?.hangUp(at: now) ?? [], of: call, at: now)
    }

    /// Sends a message within a call.
    package mutating func send(_ message: Message, in call: CallID, at now: Instant) -> [Effect] {
        introduce(calls[call]?.send(message) ?? [], of: call, at: now)
    }

    /// Mutes the microphone in a call, or ends that, and tells the peer.
    package mutating func mute(_ isMuted: Bool, in call: CallID, at now: Instant) -> [Effect] {
        introduce(calls[call]?.mute(isMuted) ?? [], of: call, at: now)
    }

    /// Lets the peer of a call wait.
    package mutating func hold(_ call: CallID, at now: Instant) -> [Effect] {
        introduce(calls[call]?.hold(at: now) ?? [], of: call, at: now)
    }

    /// Goes on with a call that was held.
    package mutating func resume(_ call: CallID, at now: Instant) -> [Effect] {
        introduce(calls[call]?.resume(at: now) ?? [], of: call, at: now)
    }

    /// Moves a call's media to a new path, on the addresses there are now.
    package mutating func restartMedia(_ call: CallID, at now: Instant) -> [Effect] {
        introduce(calls[call]?.restartMedia(at: now) ?? [], of: call, at: now)
    }

    /// Sends a message outside of calls to every device of an account.
    package mutating func send(_ message: Message, to peer: AccountID, at now: Instant) -> (MessageNumber, [Effect]) {
        let number = MessageNumber(rawValue: nextNumber())
        return (number, reach(peer, for: .message(number), saying: message, at: now))
    }

    private mutating func mediaSetting(at now: Instant) -> CallMachine.Setting {
        CallMachine.Setting(
            ice: configuration.ice,
            negotiation: MediaNegotiation(
                sizeLimit: configuration.sip.roomForDescription, clock: clock, random: &random, at: now),
            profile: configuration.profile)
    }

    private mutating func add(_ machine: CallMachine, as call: CallID) {
        calls[call] = machine
        callOrder.append(call)
    }

    // MARK: - What calls want

    mutating func introduce(_ effects: [CallMachine.Effect], of call: CallID, at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .gather(let number, let components):
                translated.append(.gather(.media(call, number), components: components))
            case .network(let action, let number): translated.append(.network(.media(call, number), action))
            case .release(let number): translated.append(.release(.media(call, number)))
            case .sip(let command): translated += perform(command, at: now)
            case .startMedia(let plan): translated.append(.startMedia(call, plan))
            case .expectMedia(let key): translated.append(.expectMedia(call, key))
            case .directMedia(let flow): translated.append(.directMedia(call, flow))
            case .stopMedia: translated.append(.stopMedia(call))
            case .event(let event): translated.append(.event(.call(call, event)))
            case .finished: finish(call, at: now)
            case .ignored(let reason): translated.append(.ignored(.call(call, reason)))
            }
        }
        return translated
    }

    /// Forgets a call and lets its links go, which stay a while for the next call.
    private mutating func finish(_ call: CallID, at now: Instant) {
        calls[call] = nil
        callOrder.removeAll { $0 == call }
        let errand = Errand.call(call)
        errands[errand] = nil
        forgetStranded(call, at: now)
        sipCalls = sipCalls.filter { $0.value != call }
        for link in linkOrder {
            guard let record = links[link], record.calls.contains(call) || record.errands.contains(errand) else {
                continue
            }
            links[link]?.calls.removeAll { $0 == call }
            links[link]?.errands.removeAll { $0 == errand }
            settle(link, at: now)
        }
    }

    private mutating func perform(_ command: CallMachine.SIPCommand, at now: Instant) -> [Effect] {
        let effects =
            switch command {
            case .invite(let sip, let flow, let device, let offer):
                userAgent.invite(sip, on: flow, to: device, offer: offer, at: now)
            case .ring(let sip, let description): userAgent.ring(sip, describing: description, at: now)
            case .answer(let sip, let description): userAgent.answer(sip, with: description, at: now)
            case .decline(let sip, let status, let text):
                userAgent.decline(sip, status: status, because: text, at: now)
            case .hangUp(let sip): userAgent.hangUp(sip, at: now)
            case .reinvite(let sip, let offer): userAgent.reinvite(sip, with: offer, at: now)
            case .withdrawOffer(let sip): userAgent.withdrawOffer(sip)
            case .message(let body, let sip):
                userAgent.sendMessage(body, in: sip, as: SIPLite.MessageID(rawValue: nextNumber()), at: now)
            case .information(let body, let sip): userAgent.sendInformation(body, in: sip, at: now)
            }
        return introduce(effects, at: now)
    }

    // MARK: - What SIP wants

    mutating func introduce(_ effects: [UserAgent.Effect], at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes, let flow): translated += send(bytes, on: flow, at: now)
            case .abandon(let flow): translated += abandon(flow, at: now)
            case .incoming(let sip, let incoming): translated += ring(sip, incoming, at: now)
            case .ringing(let sip): translated += forward(sip, at: now) { $0.ringing(sip) }
            case .answered(let sip, let description, _):
                translated += forward(sip, at: now) { $0.answered(sip, description: description, at: now) }
            case .earlyAnswer(let sip, let description):
                translated += forward(sip, at: now) { $0.answeredEarly(sip, description: description, at: now) }
            case .confirmed(let sip, let description):
                translated += forward(sip, at: now) { $0.confirmed(sip, description: description, at: now) }
            case .reoffered(let sip, let description):
                translated += forward(sip, at: now) { $0.reoffered(sip, description: description, at: now) }
            case .reofferWithdrawn(let sip): translated += forward(sip, at: now) { $0.reofferWithdrawn(sip, at: now) }
            case .reanswered(let sip, let description):
                translated += forward(sip, at: now) { $0.reanswered(sip, description: description, at: now) }
            case .reofferFailed(let sip, let status):
                translated += forward(sip, at: now) { $0.reofferFailed(sip, status: status, at: now) }
            case .explained(let sip, let reason): translated += forward(sip, at: now) { $0.explained(sip, reason.text) }
            case .ended(let sip, let reason): translated += ended(sip, reason, at: now)
            case .message(let body, let sip?, _): translated += forward(sip, at: now) { $0.received(body) }
            case .message(let body, nil, let flow):
                guard let peer = flowLinks[flow].flatMap({ links[$0]?.account }) else { continue }
                translated.append(.event(.message(Message(body), from: peer)))
            case .information(let body, let sip): translated += forward(sip, at: now) { $0.informed(body) }
            case .messageOutcome(let id, let status): translated += messageEnded(id, status, at: now)
            case .oversized(let sip, _): translated += introduce(userAgent.hangUp(sip, at: now), at: now)
            case .moved(let sip, let flow): translated += moved(sip, to: flow, at: now)
            case .trying: break
            case .ignored(let reason): translated.append(.ignored(.sip("\(reason)")))
            }
        }
        return translated
    }

    private mutating func forward(
        _ sip: SIPLite.CallID, at now: Instant, _ body: (inout CallMachine) -> [CallMachine.Effect]
    ) -> [Effect] {
        guard let call = sipCalls[sip] else { return [] }
        return introduce(calls[call]?.apply(body) ?? [], of: call, at: now)
    }

    private mutating func ring(
        _ sip: SIPLite.CallID, _ incoming: UserAgent.IncomingCall, at now: Instant
    ) -> [Effect] {
        guard let link = flowLinks[incoming.flow], let record = links[link], hasRoom(forCallOf: record.account) else {
            return introduce(userAgent.decline(sip, status: 486, at: now), at: now)
        }
        let offer: SIPLite.SessionDescription?
        do { offer = try incoming.offer.map { try SIPLite.SessionDescription(decoding: $0) } } catch {
            return introduce(userAgent.decline(sip, status: 488, at: now), at: now)
        }
        let call = nextCall()
        occupy(link, with: call)
        sipCalls[sip] = call
        add(
            CallMachine(
                from: record.account, leg: sip, flow: incoming.flow, traits: record.traits, offer: offer,
                setting: mediaSetting(at: now), random: random.split()),
            as: call)
        let begun = introduce(calls[call]?.start(at: now) ?? [], of: call, at: now)
        return begun + [.event(.incomingCall(call, from: record.account, displayName: incoming.displayName))]
    }

    private func hasRoom(forCallOf peer: AccountID) -> Bool {
        calls.count < configuration.callLimit
            && calls.values.count { $0.peer == peer } < configuration.callsPerAccountLimit
    }

    private mutating func ended(
        _ sip: SIPLite.CallID, _ reason: UserAgent.EndReason, at now: Instant
    ) -> [Effect] {
        let effects = forward(sip, at: now) { $0.ended(sip, because: reason) }
        sipCalls[sip] = nil
        return effects
    }
}
