internal import SansIO

extension UserAgent {
    /// Forgets a call. The embedder is told unless it was before.
    mutating func end(_ id: CallID, because reason: EndReason) -> [Effect] {
        guard let call = calls.removeValue(forKey: id) else { return [] }
        dialogs[call.dialog.key] = nil
        for timer in [Timer.answer(id), .patience(id), .cancelled(id), .retry(id)] { timers.cancel(timer) }
        return call.queue.map(\.purpose.failure) + (call.isOver ? [] : [.ended(id, reason)])
    }

    /// Ends an established call. An answer the peer did not acknowledge yet must be acknowledged first (§15).
    mutating func leave(_ id: CallID, because reason: EndReason, at now: Instant) -> [Effect] {
        guard let call = calls[id] else { return [] }
        var effects: [Effect] = []
        if let pending = call.reoffer {
            effects += refuse(pending, with: 487, tag: call.dialog.key.localTag, at: now)
            calls[id]?.reoffer = nil
        }
        guard call.answer == nil else {
            calls[id]?.isOver = true
            return effects + [.ended(id, reason)]
        }
        return effects + sayGoodbye(in: id, at: now) + end(id, because: reason)
    }

    /// Sends `BYE`.
    mutating func sayGoodbye(in id: CallID, at now: Instant) -> [Effect] {
        guard let call = calls[id], let flow = flows[call.flow]?.description else { return [] }
        let goodbye = request(.bye, in: call.dialog, on: flow, sequence: nextSequence(in: id))
        guard let key = clientKey(of: goodbye, on: call.flow) else { return [] }
        return start(goodbye, as: key, for: .bye, at: now)
    }

    /// Withdraws an invitation. `CANCEL` waits for a first sign of the peer (RFC 3261 §9.1).
    mutating func withdraw(_ id: CallID, because reason: EndReason, at now: Instant) -> [Effect] {
        guard let call = calls[id], case .inviting(_, let isHeard) = call.phase else { return [] }
        calls[id]?.isOver = true
        timers.cancel(.patience(id))
        let told = call.isOver ? [] : [Effect.ended(id, reason)]
        return (isHeard ? sendCancel(for: call.invitation, in: id, at: now) : []) + told
    }

    /// Sends `CANCEL`, and sets the time by which the peer must have finished the invitation.
    mutating func sendCancel(for invitation: Message, in id: CallID, at now: Instant) -> [Effect] {
        let cancellation = cancellation(of: invitation)
        guard let flow = calls[id]?.flow, let key = clientKey(of: cancellation, on: flow) else { return [] }
        timers.set(.cancelled(id), at: now.advanced(by: configuration.timing.patience))
        return start(cancellation, as: key, for: .cancel, at: now)
    }

    /// Withdraws a new offer.
    mutating func sendCancel(of key: ClientKey, in id: CallID, at now: Instant) -> [Effect] {
        guard let offer = calls[id]?.ownOffer?.request else { return [] }
        return sendCancel(for: offer, in: id, at: now)
    }

    // MARK: Timers

    /// Repeats our answer, or gives the call up when it was never acknowledged (RFC 3261 §13.3.1.4).
    mutating func repeatAnswer(of id: CallID, at now: Instant) -> [Effect] {
        guard let call = calls[id], let answer = call.answer else { return [] }
        guard now < answer.giveUpAt else { return sayGoodbye(in: id, at: now) + end(id, because: .unresponsive) }
        let interval = min(answer.interval * 2, configuration.timing.t2)
        calls[id]?.answer?.interval = interval
        timers.set(.answer(id), at: min(now.advanced(by: interval), answer.giveUpAt))
        return [transmit(answer.bytes, on: call.flow)]
    }

    /// Ends what took too long: ringing on either side, or an offer nobody answers.
    mutating func losePatience(with id: CallID, at now: Instant) -> [Effect] {
        guard let call = calls[id] else { return [] }
        switch call.phase {
        case .inviting: return withdraw(id, because: .noAnswer, at: now)
        case .invited:
            guard let pending = call.pendingOffer else { return [] }
            return refuse(pending, with: 486, tag: call.dialog.key.localTag, at: now) + end(id, because: .noAnswer)
        case .established:
            if let pending = call.reoffer {
                calls[id]?.reoffer = nil
                return refuse(pending, with: 488, tag: call.dialog.key.localTag, at: now) + [.reofferWithdrawn(id)]
            }
            guard let offer = call.ownOffer, let key = offer.transaction else { return [] }
            calls[id]?.ownOffer?.isCancelled = true
            return offer.isHeard ? sendCancel(of: key, in: id, at: now) : []
        }
    }

    /// Drops an invitation whose cancellation had no consequence.
    mutating func giveUpCancelling(_ id: CallID) -> [Effect] {
        guard let call = calls[id] else { return [] }
        guard case .inviting(let key, _) = call.phase else {
            if let key = call.ownOffer?.transaction { forget(key) }
            return failOffer(in: id, status: nil)
        }
        forget(key)
        return end(id, because: .cancelled)
    }

    /// Makes an offer again that collided with one of the peer's.
    mutating func retryOffer(in id: CallID, at now: Instant) -> [Effect] {
        guard let call = calls[id], let offer = call.ownOffer, offer.transaction == nil else { return [] }
        guard call.reoffer == nil else { return failOffer(in: id, status: 491) }
        calls[id]?.ownOffer = nil
        return reinvite(id, with: offer.description, at: now)
    }
}

extension WireError.Field {
    static let flows: Self = "flows"
    static let calls: Self = "calls"
    static let requests: Self = "pending requests"
    static let message: Self = "message"
}
