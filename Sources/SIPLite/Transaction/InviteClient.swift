package import SansIO

/// The client's side of an invitation (RFC 3261 §17.1.1 with RFC 6026 §8.4).
///
/// It acknowledges refusals itself. Acknowledging a success is the dialog's matter, as is cancelling.
package struct InviteClient: ClientTransaction {
    private enum Phase {
        case calling(interval: Duration)
        case proceeding
        case completed(acknowledgement: [UInt8])
        case accepted
        case finished
    }

    private enum Timer {
        /// Timer A: repeat the request.
        case repetition
        /// Timers B, D and M: give up, or stop absorbing.
        case end
    }

    private let request: Message
    private let isReliable: Bool
    private let timing: TransactionTiming
    private var phase: Phase
    private var timers = TimerTable<Timer>()

    /// Prepares an invitation.
    package init(_ request: Message, isReliable: Bool, timing: TransactionTiming) {
        self.request = request
        self.isReliable = isReliable
        self.timing = timing
        phase = .calling(interval: timing.t1)
    }

    /// When the next timer fires.
    package var deadline: Instant? { timers.deadline }

    /// Sends the request.
    package mutating func start(at now: Instant) -> [ClientTransactionEffect] {
        timers.set(.end, at: now.advanced(by: timing.patience))
        if !isReliable { timers.set(.repetition, at: now.advanced(by: timing.t1)) }
        return [.send(request.encoded())]
    }

    /// Takes a response that matches.
    package mutating func receive(_ response: Message, at now: Instant) -> [ClientTransactionEffect] {
        let status = response.status ?? 0
        switch phase {
        case .calling, .proceeding:
            timers = TimerTable()
            guard status >= 200 else {
                phase = .proceeding
                return [.response(response)]
            }
            return status < 300 ? accept(response, at: now) : complete(response, at: now)
        case .accepted where (200..<300).contains(status): return [.response(response)]
        case .completed(let acknowledgement) where status >= 300: return [.send(acknowledgement)]
        case .accepted, .completed, .finished: return []
        }
    }

    private mutating func accept(_ response: Message, at now: Instant) -> [ClientTransactionEffect] {
        phase = .accepted
        timers.set(.end, at: now.advanced(by: timing.patience))
        return [.response(response)]
    }

    private mutating func complete(_ response: Message, at now: Instant) -> [ClientTransactionEffect] {
        let acknowledgement = acknowledgement(of: response).encoded()
        guard !isReliable else {
            phase = .finished
            return [.send(acknowledgement), .response(response), .finished]
        }
        phase = .completed(acknowledgement: acknowledgement)
        timers.set(.end, at: now.advanced(by: timing.patience))
        return [.send(acknowledgement), .response(response)]
    }

    /// The acknowledgement of a refusal belongs to the transaction: same target, branch and number (§17.1.1.3).
    private func acknowledgement(of response: Message) -> Message {
        var message = Message(.ack, to: request.target ?? "")
        message.fields.append(.via, request.fields.first(.via) ?? [])
        message.fields.append(.maxForwards, "70")
        message.fields.append(.from, from: request.fields)
        message.fields.append(.to, response.fields.first(.to) ?? [])
        message.fields.append(.callID, from: request.fields)
        let number = (try? CSeq(bytes: (request.fields.first(.cSeq) ?? [])[...]))?.number ?? 0
        message.fields.append(.cSeq, CSeq(number, .ack).description)
        message.fields.append(.route, from: request.fields)
        return message
    }

    /// Fires every timer due at or before `now`.
    package mutating func advance(to now: Instant) -> [ClientTransactionEffect] {
        var effects: [ClientTransactionEffect] = []
        while let timer = timers.popDue(at: now) {
            switch (timer, phase) {
            case (.repetition, .calling(let interval)):
                phase = .calling(interval: interval * 2)
                timers.set(.repetition, at: now.advanced(by: interval * 2))
                effects.append(.send(request.encoded()))
            case (.end, .calling):
                finish()
                effects.append(.timedOut)
            case (.end, _):
                finish()
                effects.append(.finished)
            case (.repetition, _): break
            }
        }
        return effects
    }

    private mutating func finish() {
        phase = .finished
        timers = TimerTable()
    }
}
