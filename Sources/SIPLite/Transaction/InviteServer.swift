package import SansIO

/// The server's side of an invitation (RFC 3261 §17.2.1 with RFC 6026 §8.7).
///
/// Repeating a success until it is acknowledged is the agent's matter, as it must be done on all transports.
package struct InviteServer: ServerTransaction {
    private enum Phase {
        case proceeding(last: [UInt8]?)
        case completed([UInt8], interval: Duration)
        case confirmed
        case accepted
        case finished
    }

    private enum Timer {
        /// Timer G: repeat the refusal.
        case repetition
        /// Timers H, I and L: give up, or stop absorbing.
        case end
    }

    private let isReliable: Bool
    private let timing: TransactionTiming
    private var phase = Phase.proceeding(last: nil)
    private var timers = TimerTable<Timer>()

    /// Starts with the arrival of an invitation.
    package init(isReliable: Bool, timing: TransactionTiming) {
        self.isReliable = isReliable
        self.timing = timing
    }

    /// When the next timer fires.
    package var deadline: Instant? { timers.deadline }

    /// Whether a final response was given.
    package var isAnswered: Bool {
        if case .proceeding = phase { false } else { true }
    }

    /// Sends a response.
    package mutating func respond(_ response: Message, at now: Instant) -> [ServerTransactionEffect] {
        guard case .proceeding = phase, let status = response.status else { return [] }
        let bytes = response.encoded()
        switch status {
        case ..<200: phase = .proceeding(last: bytes)
        case ..<300:
            phase = .accepted
            timers.set(.end, at: now.advanced(by: timing.patience))
        default:
            phase = .completed(bytes, interval: timing.t1)
            timers.set(.end, at: now.advanced(by: timing.patience))
            if !isReliable { timers.set(.repetition, at: now.advanced(by: timing.t1)) }
        }
        return [.send(bytes)]
    }

    /// Takes a repetition of the invitation, or the acknowledgement of a refusal.
    package mutating func receive(_ method: Method, at now: Instant) -> [ServerTransactionEffect] {
        switch phase {
        case .proceeding(let last?) where method == .invite: return [.send(last)]
        case .completed(let bytes, _) where method == .invite: return [.send(bytes)]
        case .completed where method == .ack:
            timers = TimerTable()
            guard !isReliable else {
                phase = .finished
                return [.finished]
            }
            phase = .confirmed
            timers.set(.end, at: now.advanced(by: timing.t4))
            return []
        case .proceeding, .completed, .confirmed, .accepted, .finished: return []
        }
    }

    /// Fires every timer due at or before `now`.
    package mutating func advance(to now: Instant) -> [ServerTransactionEffect] {
        var effects: [ServerTransactionEffect] = []
        while let timer = timers.popDue(at: now) {
            switch (timer, phase) {
            case (.repetition, .completed(let bytes, let interval)):
                let next = min(interval * 2, timing.t2)
                phase = .completed(bytes, interval: next)
                timers.set(.repetition, at: now.advanced(by: next))
                effects.append(.send(bytes))
            case (.end, .completed):
                phase = .finished
                timers = TimerTable()
                effects.append(.unacknowledged)
            case (.end, _):
                phase = .finished
                timers = TimerTable()
                effects.append(.finished)
            case (.repetition, _): break
            }
        }
        return effects
    }
}
