internal import SansIO

extension UserAgent {
    // MARK: Outside dialogs

    /// Handles a request that belongs to no call.
    mutating func takeOutside(
        _ request: Message, _ essentials: Essentials, _ key: ServerKey, at now: Instant
    ) -> [Effect] {
        let method = essentials.cSeq.method
        let claimed = essentials.from.uri.user ?? ""
        guard claimed.lowercased() == flows[key.flow]?.description.remoteAccountID.lowercased() else {
            return [.ignored(.impostor(claimed: claimed))]
        }
        switch method {
        case .invite: return takeInvitation(request, essentials, key, at: now)
        case .message, .options:
            accept(key, for: nil)
            let effects = agree(request, essentials, key, tag: random.hexDigits(16), at: now)
            guard method == .message else { return effects }
            return effects + [.message(body(of: request), in: nil, on: key.flow)]
        default: return refuse(request, with: .status(481), on: key.flow)
        }
    }

    private mutating func takeInvitation(
        _ request: Message, _ essentials: Essentials, _ key: ServerKey, at now: Instant
    ) -> [Effect] {
        guard calls.count < configuration.maximumCalls else {
            return refuse(request, with: .init(status: 503, field: .retryAfter, value: "5"), on: key.flow)
        }
        // The same invitation over another path is a loop in the network (RFC 3261 §8.2.2.2).
        let isMerged = calls.values.contains { call in
            call.id.isIncoming && call.dialog.key.callID == essentials.callID
                && call.dialog.remote.tag == essentials.from.tag
                && call.invitationEssentials?.cSeq == essentials.cSeq
        }
        guard !isMerged else { return refuse(request, with: .status(482), on: key.flow) }
        nextIncoming += 1
        let id = CallID(rawValue: CallID.incomingBit | nextIncoming)
        let dialog = Dialog(
            answering: request, essentials, tag: random.hexDigits(16),
            sequence: UInt32.random(in: 1...65_535, using: &random))
        calls[id] = Call(
            id: id, flow: key.flow, dialog: dialog, phase: .invited(key), invitation: request,
            invitationEssentials: essentials)
        dialogs[dialog.key] = id
        timers.set(.patience(id), at: now.advanced(by: configuration.ringingTimeout))
        accept(key, for: id)
        let trying = response(100, to: request, essentials, on: key.flow, tag: nil)
        let incoming = IncomingCall(
            flow: key.flow, from: essentials.from.uri.user ?? "", displayName: essentials.from.displayName,
            to: essentials.to.uri.user ?? "", offer: request.body.isEmpty ? nil : request.body,
            subject: request.fields.text(.subject) ?? "", peer: facts(of: request))
        return respond(trying, to: key, at: now) + [.incoming(id, incoming)]
    }

    // MARK: Inside dialogs

    /// Handles a request within a call.
    mutating func takeInside(
        _ request: Message, _ essentials: Essentials, _ key: ServerKey, at now: Instant
    ) -> [Effect] {
        if let id = movedCall(of: essentials, on: key.flow) {
            calls[id]?.flow = key.flow
            return [.moved(id, to: key.flow)] + takeInside(request, essentials, key, at: now)
        }
        guard let call = call(of: essentials, on: key.flow) else {
            return refuse(request, with: .status(481), on: key.flow)
                + [.ignored(.strayRequest(essentials.cSeq.method))]
        }
        // An older request than the last one came out of order (RFC 3261 §12.2.2).
        guard essentials.cSeq.number >= call.dialog.remoteSequence ?? 0 else {
            return refuse(request, with: .status(500), on: key.flow)
        }
        calls[call.id]?.dialog.remoteSequence = essentials.cSeq.number
        switch essentials.cSeq.method {
        case .bye: return takeGoodbye(request, essentials, key, in: call, at: now)
        case .invite, .update: return takeOffer(request, essentials, key, in: call, at: now)
        case .info, .message, .options: return takeContent(request, essentials, key, in: call, at: now)
        default: return refuse(request, with: .status(501), on: key.flow)
        }
    }

    private mutating func takeContent(
        _ request: Message, _ essentials: Essentials, _ key: ServerKey, in call: Call, at now: Instant
    ) -> [Effect] {
        accept(key, for: call.id)
        let effects = agree(request, essentials, key, tag: nil, at: now)
        guard !request.body.isEmpty, !call.isOver else { return effects }
        return switch essentials.cSeq.method {
        case .info: effects + [.information(body(of: request), in: call.id)]
        case .message: effects + [.message(body(of: request), in: call.id, on: call.flow)]
        default: effects
        }
    }

    private mutating func takeGoodbye(
        _ request: Message, _ essentials: Essentials, _ key: ServerKey, in call: Call, at now: Instant
    ) -> [Effect] {
        accept(key, for: call.id)
        var effects = agree(request, essentials, key, tag: nil, at: now)
        if let pending = call.pendingOffer {
            effects += refuse(pending, with: 487, tag: call.dialog.key.localTag, at: now)
        }
        return effects + end(call.id, because: call.isEstablished ? .remoteHungUp : .remoteCancelled)
    }

    /// Handles a new offer, or a request for one (RFC 3261 §14.2, RFC 3311 §5.2).
    private mutating func takeOffer(
        _ request: Message, _ essentials: Essentials, _ key: ServerKey, in call: Call, at now: Instant
    ) -> [Effect] {
        guard !call.isOver, call.isEstablished else { return refuse(request, with: .status(481), on: key.flow) }
        if call.reoffer != nil {
            let delay = Int.random(in: 0...10, using: &random)
            return refuse(request, with: .init(status: 500, field: .retryAfter, value: "\(delay)"), on: key.flow)
        }
        guard call.ownOffer?.transaction == nil else { return refuse(request, with: .status(491), on: key.flow) }
        calls[call.id]?.dialog.refreshTarget(from: request)
        accept(key, for: call.id)
        if essentials.cSeq.method == .update, request.body.isEmpty {
            return agree(request, essentials, key, tag: nil, at: now)
        }
        calls[call.id]?.reoffer = Call.Reoffer(transaction: key, request: request, essentials: essentials)
        timers.set(.patience(call.id), at: now.advanced(by: configuration.ringingTimeout))
        let trying = response(100, to: request, essentials, on: key.flow, tag: nil)
        let offer = request.body.isEmpty ? nil : request.body
        return respond(trying, to: key, at: now) + [.reoffered(call.id, description: offer)]
    }

    // MARK: Requests about requests

    /// Handles an acknowledgement: of a refusal inside its transaction, of a success inside the dialog.
    mutating func acknowledge(
        _ key: ServerKey, _ request: Message, _ essentials: Essentials, at now: Instant
    ) -> [Effect] {
        let isExpected = servers[key] != nil
        let effects = drive(key, at: now) { $0.receive(.ack, at: now) }
        guard let call = call(of: essentials, on: key.flow) else {
            return isExpected ? effects : [.ignored(.strayRequest(.ack))]
        }
        guard let answer = call.answer, answer.sequence == essentials.cSeq.number else {
            return effects + [.ignored(.repeated(.ack))]
        }
        calls[call.id]?.answer = nil
        timers.cancel(.answer(call.id))
        guard !call.isOver else { return effects + sayGoodbye(in: call.id, at: now) + end(call.id, because: .hungUp) }
        let confirmed = Effect.confirmed(call.id, description: answer.expectsDescription ? request.body : nil)
        // An offer of ours that waits for no collision to pass has waited for this.
        let isDue = call.ownOffer != nil && !timers.isSet(.retry(call.id))
        return effects + [confirmed] + (isDue ? retryOffer(in: call.id, at: now) : [])
    }

    /// Handles the withdrawal of an invitation (RFC 3261 §9.2).
    mutating func cancel(
        _ request: Message, _ essentials: Essentials, _ key: ServerKey, at now: Instant
    ) -> [Effect] {
        let invitation = ServerKey(flow: key.flow, request, essentials, as: .invite)
        guard let server = servers[invitation], let id = server.call, let call = calls[id] else {
            return refuse(request, with: .status(481), on: key.flow)
        }
        accept(key, for: id)
        var effects = agree(request, essentials, key, tag: call.dialog.key.localTag, at: now)
        guard !server.machine.isAnswered, let pending = call.pendingOffer, pending.transaction == invitation else {
            return effects
        }
        effects += refuse(pending, with: 487, tag: call.dialog.key.localTag, at: now)
        guard call.isEstablished else { return effects + end(id, because: .remoteCancelled) }
        calls[id]?.reoffer = nil
        timers.cancel(.patience(id))
        return call.isOver ? effects : effects + [.reofferWithdrawn(id)]
    }

    // MARK: Responses

    /// Answers 200 without a body.
    private mutating func agree(
        _ request: Message, _ essentials: Essentials, _ key: ServerKey, tag: String?, at now: Instant
    ) -> [Effect] {
        var response = self.response(200, to: request, essentials, on: key.flow, tag: tag)
        if essentials.cSeq.method == .options {
            describeOurselves(in: &response)
            response.fields.append(.accept, configuration.accept.joined(separator: ", "))
        }
        if essentials.cSeq.method == .update, let flow = flows[key.flow] {
            response.fields.append(.contact, flow.description.contact)
        }
        return respond(response, to: key, at: now)
    }

    /// Refuses an offer of the peer.
    mutating func refuse(
        _ offer: Call.Reoffer, with status: Int, because reason: SIPLite.Reason? = nil, tag: String, at now: Instant
    ) -> [Effect] {
        var response = self.response(
            status, to: offer.request, offer.essentials, on: offer.transaction.flow, tag: tag)
        response.fields.append(.userAgent, configuration.userAgent)
        response.fields.append(.allow, allowText)
        if let reason { response.fields.append(.reason, reason.description) }
        return respond(response, to: offer.transaction, at: now)
    }

    private func body(of request: Message) -> Body {
        Body(contentType: request.fields.text(.contentType) ?? "text/plain", bytes: request.body)
    }
}
