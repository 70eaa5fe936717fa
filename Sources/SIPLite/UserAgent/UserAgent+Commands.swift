public import SansIO

extension UserAgent {
    /// Calls the peer of a flow. `user` is the user part of `To`: the peer's account (or its device, on flows of the
    /// first era).
    public mutating func invite(
        _ call: CallID, on flow: FlowID, to user: String, offer: [UInt8], at now: Instant
    ) -> [Effect] {
        guard calls[call] == nil, !call.isIncoming else { return [.ignored(.unusableCall(call))] }
        guard let description = flows[flow]?.description else {
            return [.ignored(.unknownFlow(flow)), .ended(call, .flowLost)]
        }
        guard calls.count < configuration.maximumCalls else {
            return [.ignored(.overLimit(.calls, limit: configuration.maximumCalls)), .ended(call, .overLimit)]
        }
        let dialog = newDialog(on: description, to: user)
        var request = self.request(.invite, in: dialog, on: description, sequence: dialog.localSequence)
        request.fields.append(.contact, description.contact)
        request.fields.append(.subject, configuration.subject)
        describeOurselves(in: &request)
        attach(Body(contentType: "application/sdp", bytes: offer), to: &request)
        let size = request.encoded().count
        guard size <= configuration.maximumMessageSize else { return [.ended(call, .oversized(octets: size))] }
        guard let key = clientKey(of: request, on: flow) else { return [.ended(call, .protocolError)] }
        calls[call] = Call(
            id: call, flow: flow, dialog: dialog, phase: .inviting(key, isHeard: false), invitation: request)
        dialogs[dialog.key] = call
        timers.set(.patience(call), at: now.advanced(by: configuration.noAnswerTimeout))
        return start(request, as: key, for: .invite(call), at: now)
    }

    /// Tells the caller that we are being alerted (180). From here the ringing time-out runs.
    ///
    /// `description`, where given, is what the answer will say, so that the media path can be found meanwhile (RFC 3261
    /// §13.2.1); only for peers that understand it so. Legal again, as with a description that came later.
    public mutating func ring(_ call: CallID, describing description: [UInt8] = [], at now: Instant) -> [Effect] {
        guard let known = calls[call], !known.isOver, case .invited(let key) = known.phase,
            let essentials = known.invitationEssentials
        else { return [.ignored(.unknownCall(call))] }
        var response = self.response(
            180, to: known.invitation, essentials, on: known.flow, tag: known.dialog.key.localTag)
        response.fields.append(.userAgent, configuration.userAgent)
        response.fields.append(.allow, allowText)
        if let flow = flows[known.flow] { response.fields.append(.contact, flow.description.contact) }
        attach(Body(contentType: "application/sdp", bytes: description), to: &response)
        guard description.isEmpty || response.encoded().count <= configuration.maximumMessageSize else {
            return ring(call, at: now)
        }
        timers.set(.patience(call), at: now.advanced(by: configuration.ringingTimeout))
        return respond(response, to: key, at: now)
    }

    /// Takes an incoming call, or a new offer within a call, with our session description.
    public mutating func answer(_ call: CallID, with description: [UInt8], at now: Instant) -> [Effect] {
        guard let known = calls[call], !known.isOver, let flow = flows[known.flow]?.description,
            let pending = known.pendingOffer
        else { return [.ignored(.unknownCall(call))] }
        var response = self.response(
            200, to: pending.request, pending.essentials, on: known.flow, tag: known.dialog.key.localTag)
        describeOurselves(in: &response)
        response.fields.append(.contact, flow.contact)
        response.fields.append(.recordRoute, from: pending.request.fields)
        attach(Body(contentType: "application/sdp", bytes: description), to: &response)
        let bytes = response.encoded()
        guard bytes.count <= configuration.maximumMessageSize else { return [.oversized(call, octets: bytes.count)] }
        calls[call]?.phase = .established
        calls[call]?.reoffer = nil
        timers.cancel(.patience(call))
        if pending.request.method == .invite {
            calls[call]?.answer = Call.UnacknowledgedAnswer(
                bytes: bytes, sequence: pending.essentials.cSeq.number,
                expectsDescription: pending.request.body.isEmpty, interval: configuration.timing.t1,
                giveUpAt: now.advanced(by: configuration.timing.patience))
            timers.set(.answer(call), at: now.advanced(by: configuration.timing.t1))
        }
        return respond(response, to: pending.transaction, at: now)
    }

    /// Refuses an incoming call, or a new offer within a call (where 488 is usual); `text` tells people why (RFC 3326).
    public mutating func decline(
        _ call: CallID, status: Int = 486, because text: String = "", at now: Instant
    ) -> [Effect] {
        guard (300...699).contains(status), let known = calls[call], !known.isOver, let pending = known.pendingOffer
        else { return [.ignored(.unknownCall(call))] }
        let reason = text.isEmpty ? nil : SIPLite.Reason(cause: status, text: text)
        let effects = refuse(pending, with: status, because: reason, tag: known.dialog.key.localTag, at: now)
        guard !known.isEstablished else {
            calls[call]?.reoffer = nil
            timers.cancel(.patience(call))
            return effects
        }
        return effects + end(call, because: .declined(status: status))
    }

    /// Ends a call in whatever state it is: `BYE`, `CANCEL` before the answer, or a refusal of an incoming call.
    public mutating func hangUp(_ call: CallID, at now: Instant) -> [Effect] {
        guard let known = calls[call], !known.isOver else { return [.ignored(.unknownCall(call))] }
        switch known.phase {
        case .invited: return decline(call, at: now)
        case .inviting: return withdraw(call, because: .cancelled, at: now)
        case .established: return leave(call, because: .hungUp, at: now)
        }
    }

    /// Offers a new session within an established call.
    ///
    /// It waits while our last answer is not acknowledged. An offer that collides with one of the peer's is made again by
    /// itself after a while (RFC 3261 §14.1), unless it is withdrawn meanwhile.
    public mutating func reinvite(_ call: CallID, with offer: [UInt8], at now: Instant) -> [Effect] {
        guard let known = calls[call], !known.isOver, known.isEstablished, known.ownOffer == nil,
            known.reoffer == nil, let flow = flows[known.flow]?.description
        else { return [.ignored(.unknownCall(call))] }
        let sequence = nextSequence(in: call)
        var request = self.request(.invite, in: known.dialog, on: flow, sequence: sequence)
        request.fields.append(.contact, flow.contact)
        describeOurselves(in: &request)
        attach(Body(contentType: "application/sdp", bytes: offer), to: &request)
        let size = request.encoded().count
        guard size <= configuration.maximumMessageSize else { return [.oversized(call, octets: size)] }
        guard let key = clientKey(of: request, on: known.flow) else { return [] }
        guard known.answer == nil else {
            calls[call]?.ownOffer = Call.OwnOffer(transaction: nil, request: request, description: offer)
            return []
        }
        calls[call]?.ownOffer = Call.OwnOffer(transaction: key, request: request, description: offer)
        timers.set(.patience(call), at: now.advanced(by: configuration.noAnswerTimeout))
        return start(request, as: key, for: .reinvite(call), at: now)
    }

    /// Takes a new offer of ours back that was not sent yet, or that waits to be made again after a collision.
    public mutating func withdrawOffer(_ call: CallID) -> [Effect] {
        guard let known = calls[call], let offer = known.ownOffer, offer.transaction == nil else {
            return [.ignored(.unknownCall(call))]
        }
        calls[call]?.ownOffer = nil
        timers.cancel(.retry(call))
        return []
    }

    /// Sends a text message, or anything else that travels as one, within a call.
    public mutating func sendMessage(
        _ body: Body, in call: CallID, as message: MessageID, at now: Instant
    ) -> [Effect] {
        send(.init(method: .message, body: body, purpose: .message(message, in: call)), in: call, at: now)
    }

    /// Sends a text message outside all calls. `user` is the peer's account.
    public mutating func sendMessage(
        _ body: Body, on flow: FlowID, to user: String, as message: MessageID, at now: Instant
    ) -> [Effect] {
        guard let description = flows[flow]?.description else {
            return [.ignored(.unknownFlow(flow)), .messageOutcome(message, status: nil)]
        }
        let dialog = newDialog(on: description, to: user)
        var request = self.request(.message, in: dialog, on: description, sequence: dialog.localSequence)
        var target = description.target
        target.user = URI.escaped(user: user)
        request.startLine = .request(.message, target: target.description)
        if let clock = configuration.wallClock {
            request.fields.append(.date, CivilTime(unixSeconds: clock.unixSeconds(at: now)).description)
        }
        request.fields.append(.messageID, random.hexDigits(16))
        request.fields.append(.userAgent, configuration.userAgent)
        attach(body, to: &request)
        return submit(request, on: flow, for: .message(message, in: nil), at: now)
    }

    /// Sends information within a call, as media control.
    public mutating func sendInformation(_ body: Body, in call: CallID, at now: Instant) -> [Effect] {
        send(.init(method: .info, body: body, purpose: .information(call)), in: call, at: now)
    }

    /// Sends a request within an established call; where requests may overtake one another, after those before it.
    private mutating func send(_ request: Call.QueuedRequest, in call: CallID, at now: Instant) -> [Effect] {
        guard let known = calls[call], !known.isOver, known.isEstablished, let flow = flows[known.flow]?.description
        else { return [.ignored(.unknownCall(call)), request.purpose.failure] }
        let limit = configuration.maximumPendingRequests
        guard known.pendingRequests + known.queue.count < limit else {
            return [.ignored(.overLimit(.requests, limit: limit)), request.purpose.failure]
        }
        guard flow.isReliable || known.pendingRequests == 0 else {
            calls[call]?.queue.append(request)
            return []
        }
        return sendNow(request, in: call, at: now)
    }

    /// Sends a request within a call without regard to others.
    mutating func sendNow(_ queued: Call.QueuedRequest, in call: CallID, at now: Instant) -> [Effect] {
        guard let known = calls[call], let flow = flows[known.flow]?.description else {
            return [queued.purpose.failure]
        }
        let sequence = nextSequence(in: call)
        var request = self.request(queued.method, in: known.dialog, on: flow, sequence: sequence)
        attach(queued.body, to: &request)
        calls[call]?.pendingRequests += 1
        return submit(request, on: known.flow, for: queued.purpose, at: now)
    }

    /// Starts a request unless it is too large for the peer.
    private mutating func submit(
        _ request: Message, on flow: FlowID, for purpose: Purpose, at now: Instant
    ) -> [Effect] {
        guard request.encoded().count <= configuration.maximumMessageSize, let key = clientKey(of: request, on: flow)
        else {
            return [.ignored(.overLimit(.message, limit: configuration.maximumMessageSize)), purpose.failure]
                + release(purpose, at: now)
        }
        return start(request, as: key, for: purpose, at: now)
    }
}

extension UserAgent.Purpose {
    /// What the embedder hears when the request has no outcome.
    var failure: UserAgent.Effect {
        switch self {
        case .message(let message, _): .messageOutcome(message, status: nil)
        case .information: .ignored(.failedRequest(.info, status: nil))
        case .invite, .reinvite: .ignored(.failedRequest(.invite, status: nil))
        case .cancel: .ignored(.failedRequest(.cancel, status: nil))
        case .bye: .ignored(.failedRequest(.bye, status: nil))
        }
    }
}

extension Call {
    /// The offer of the peer that waits for our response: the invitation itself, or a later one.
    var pendingOffer: Reoffer? {
        guard case .invited(let key) = phase, let essentials = invitationEssentials else { return reoffer }
        return Reoffer(transaction: key, request: invitation, essentials: essentials)
    }
}
