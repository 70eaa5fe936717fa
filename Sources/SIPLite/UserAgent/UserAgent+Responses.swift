internal import SansIO

extension UserAgent {
    /// Handles a response to a request of ours.
    mutating func take(
        _ response: Message, of key: ClientKey, for purpose: Purpose, at now: Instant
    ) -> [Effect] {
        let status = response.status ?? 0
        switch purpose {
        case .invite(let id): return takeInviteResponse(response, of: key, in: id, at: now)
        case .reinvite(let id): return takeReinviteResponse(response, of: key, in: id, at: now)
        case .cancel, .bye: return []
        case .message(let message, let id):
            guard status >= 200 else { return [] }
            return [.messageOutcome(message, status: status)] + loseDialog(id, status) + release(purpose, at: now)
        case .information(let id):
            guard status >= 200 else { return [] }
            let failure = status < 300 ? [] : [Effect.ignored(.failedRequest(.info, status: status))]
            return failure + loseDialog(id, status) + release(purpose, at: now)
        }
    }

    /// Handles a request of ours that nobody answered.
    mutating func lose(_ purpose: Purpose, at now: Instant) -> [Effect] {
        switch purpose {
        case .invite(let id): end(id, because: .unresponsive)
        case .reinvite(let id): failOffer(in: id, status: nil)
        case .cancel, .bye: []
        case .message, .information: [purpose.failure] + release(purpose, at: now)
        }
    }

    /// Notes that a request inside a call no longer waits, and sends the one that waited for it.
    mutating func release(_ purpose: Purpose, at now: Instant) -> [Effect] {
        switch purpose {
        case .message(_, let id?), .information(let id):
            guard let call = calls[id], call.pendingRequests > 0 else { return [] }
            calls[id]?.pendingRequests -= 1
            guard call.pendingRequests == 1, let next = call.queue.first else { return [] }
            calls[id]?.queue.removeFirst()
            return sendNow(next, in: id, at: now)
        case .invite, .reinvite, .cancel, .bye, .message: return []
        }
    }

    /// A peer that does not know the dialog any more has ended it (RFC 3261 §12.2.1.2).
    private mutating func loseDialog(_ id: CallID?, _ status: Int) -> [Effect] {
        guard status == 481, let id, calls[id] != nil else { return [] }
        return end(id, because: .remoteHungUp)
    }

    // MARK: Invitations

    private mutating func takeInviteResponse(
        _ response: Message, of key: ClientKey, in id: CallID, at now: Instant
    ) -> [Effect] {
        let status = response.status ?? 0
        if let repeated = acknowledgeAgain(response, of: key, in: id, at: now) { return repeated }
        guard let call = calls[id], case .inviting(_, let isHeard) = call.phase else { return [] }
        switch status {
        case ..<200:
            calls[id]?.phase = .inviting(key, isHeard: true)
            guard !call.isOver else { return isHeard ? [] : sendCancel(for: call.invitation, in: id, at: now) }
            guard status != 100 else { return [.trying(id)] }
            return [.ringing(id)] + (response.body.isEmpty ? [] : [.earlyAnswer(id, description: response.body)])
        case ..<300: return takeSuccess(response, of: key, in: id, at: now)
        default:
            let reason = call.isOver ? nil : response.reason(limits: configuration.limits)
            return (reason.map { [.explained(id, $0)] } ?? []) + end(id, because: .rejected(status: status))
        }
    }

    private mutating func takeSuccess(
        _ response: Message, of key: ClientKey, in id: CallID, at now: Instant
    ) -> [Effect] {
        guard let essentials = try? response.essentials(limits: configuration.limits), let isOver = calls[id]?.isOver
        else { return [] }
        calls[id]?.dialog.establish(by: response, essentials)
        calls[id]?.phase = .established
        timers.cancel(.patience(id))
        timers.cancel(.cancelled(id))
        let effects = acknowledge(key, essentials, in: id)
        if isOver { return effects + leave(id, because: .cancelled, at: now) }
        guard !response.body.isEmpty else { return effects + leave(id, because: .protocolError, at: now) }
        return effects + [.answered(id, description: response.body, peer: facts(of: response))]
    }

    private mutating func takeReinviteResponse(
        _ response: Message, of key: ClientKey, in id: CallID, at now: Instant
    ) -> [Effect] {
        let status = response.status ?? 0
        if let repeated = acknowledgeAgain(response, of: key, in: id, at: now) { return repeated }
        guard let call = calls[id], let offer = call.ownOffer, offer.transaction == key else { return [] }
        guard status >= 200 else {
            calls[id]?.ownOffer?.isHeard = true
            guard offer.isCancelled, !offer.isHeard else { return [] }
            return sendCancel(of: key, in: id, at: now)
        }
        guard status < 300, let essentials = try? response.essentials(limits: configuration.limits) else {
            return refuseOffer(offer, status, in: call, at: now)
        }
        calls[id]?.dialog.refreshTarget(from: response)
        calls[id]?.ownOffer = nil
        timers.cancel(.patience(id))
        timers.cancel(.cancelled(id))
        return acknowledge(key, essentials, in: id) + [.reanswered(id, description: response.body)]
    }

    /// Handles the refusal of a new offer of ours; one that collided is made again later (RFC 3261 §14.1).
    private mutating func refuseOffer(
        _ offer: Call.OwnOffer, _ status: Int, in call: Call, at now: Instant
    ) -> [Effect] {
        guard status == 491, !offer.isCancelled else {
            return failOffer(in: call.id, status: status) + loseDialog(call.id, status)
        }
        calls[call.id]?.ownOffer = Call.OwnOffer(
            transaction: nil, request: offer.request, description: offer.description)
        timers.cancel(.patience(call.id))
        let steps =
            call.id.isIncoming ? Int.random(in: 0...200, using: &random) : Int.random(in: 210...400, using: &random)
        timers.set(.retry(call.id), at: now.advanced(by: .milliseconds(10 * steps)))
        return []
    }

    /// Gives up a new offer; the session stays as it was.
    mutating func failOffer(in id: CallID, status: Int?) -> [Effect] {
        guard let call = calls[id], call.ownOffer != nil else { return [] }
        calls[id]?.ownOffer = nil
        timers.cancel(.patience(id))
        timers.cancel(.cancelled(id))
        return call.isOver ? [] : [.reofferFailed(id, status: status)]
    }

    // MARK: Acknowledging

    /// Acknowledges a success, in the dialog and with a branch of its own (RFC 3261 §13.2.2.4).
    private mutating func acknowledge(_ key: ClientKey, _ essentials: Essentials, in id: CallID) -> [Effect] {
        guard let call = calls[id], let flow = flows[call.flow]?.description else { return [] }
        let message = request(.ack, in: call.dialog, on: flow, sequence: essentials.cSeq.number)
        let bytes = message.encoded()
        clients[key]?.acknowledged = (essentials.to.tag ?? "", bytes)
        return [transmit(bytes, on: call.flow)]
    }

    /// Handles a success after the first: a repetition is acknowledged again, another agent's is ended at once.
    private mutating func acknowledgeAgain(
        _ response: Message, of key: ClientKey, in id: CallID, at now: Instant
    ) -> [Effect]? {
        guard let acknowledged = clients[key]?.acknowledged else { return nil }
        guard let essentials = try? response.essentials(limits: configuration.limits) else { return [] }
        if acknowledged.tag == essentials.to.tag ?? "" { return [transmit(acknowledged.bytes, on: key.flow)] }
        guard let flow = flows[key.flow]?.description, var dialog = calls[id]?.dialog else { return [] }
        dialog.establish(by: response, essentials)
        let number = essentials.cSeq.number
        let acknowledgement = request(.ack, in: dialog, on: flow, sequence: number)
        let goodbye = request(.bye, in: dialog, on: flow, sequence: number &+ 1)
        guard let goodbyeKey = clientKey(of: goodbye, on: key.flow) else { return [] }
        return [transmit(acknowledgement.encoded(), on: key.flow)]
            + start(goodbye, as: goodbyeKey, for: .bye, at: now)
    }
}
