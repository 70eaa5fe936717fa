package import SansIO

/// The client's side of any request but an invitation (RFC 3261 §17.1.2).
package struct RequestClient: ClientTransaction {
    private enum Phase {
        case trying(interval: Duration)
        case proceeding
        case completed
        case finished
    }

    private enum Timer {
        /// Timer E: repeat the request.
        case repetition
        /// Timers F and K: give up, or stop absorbing.
        case end
    }

    private let bytes: [UInt8]
    private let isReliable: Bool
    private let timing: TransactionTiming
    private var phase: Phase
    private var timers = TimerTable<Timer>()

    /// Prepares a request.
    package init(_ request: Message, isReliable: Bool, timing: TransactionTiming) {
        bytes = request.encoded()
        self.isReliable = isReliable
        self.timing = timing
        phase = .trying(interval: timing.t1)
    }

    /// When the next timer fires.
    package var deadline: Instant? { timers.deadline }

    /// Sends the request.
    package mutating func start(at now: Instant) -> [ClientTransactionEffect] {
        timers.set(.end, at: now.advanced(by: timing.patience))
        if !isReliable { timers.set(.repetition, at: now.advanced(by: timing.t1)) }
        return [.send(bytes)]
    }

    /// Takes a response that matches.
    package mutating func receive(_ response: Message, at now: Instant) -> [ClientTransactionEffect] {
        switch phase {
        case .completed, .finished: return []
        case .trying, .proceeding:
            guard (response.status ?? 0) >= 200 else {
                phase = .proceeding
                return [.response(response)]
            }
            timers = TimerTable()
            guard !isReliable else {
                phase = .finished
                return [.response(response), .finished]
            }
            phase = .completed
            timers.set(.end, at: now.advanced(by: timing.t4))
            return [.response(response)]
        }
    }

    /// Fires every timer due at or before `now`.
    package mutating func advance(to now: Instant) -> [ClientTransactionEffect] {
        var effects: [ClientTransactionEffect] = []
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .repetition: effects += retransmit(at: now)
            case .end:
                let wasAnswered = if case .completed = phase { true } else { false }
                phase = .finished
                timers = TimerTable()
                effects.append(wasAnswered ? .finished : .timedOut)
            }
        }
        return effects
    }

    private mutating func retransmit(at now: Instant) -> [ClientTransactionEffect] {
        switch phase {
        case .trying(let interval):
            let next = min(interval * 2, timing.t2)
            phase = .trying(interval: next)
            timers.set(.repetition, at: now.advanced(by: next))
        case .proceeding: timers.set(.repetition, at: now.advanced(by: timing.t2))
        case .completed, .finished: return []
        }
        return [.send(bytes)]
    }
}
