package import SansIO

/// The server's side of any request but an invitation (RFC 3261 §17.2.2).
package struct RequestServer: ServerTransaction {
    private enum Phase {
        case trying
        case proceeding([UInt8])
        case completed([UInt8])
        case finished
    }

    private let isReliable: Bool
    private let timing: TransactionTiming
    private var phase = Phase.trying

    /// When the next timer fires.
    package private(set) var deadline: Instant?

    /// Starts with the arrival of a request.
    package init(isReliable: Bool, timing: TransactionTiming) {
        self.isReliable = isReliable
        self.timing = timing
    }

    /// Whether a final response was given.
    package var isAnswered: Bool {
        switch phase {
        case .trying, .proceeding: false
        case .completed, .finished: true
        }
    }

    /// Sends a response.
    package mutating func respond(_ response: Message, at now: Instant) -> [ServerTransactionEffect] {
        guard !isAnswered, let status = response.status else { return [] }
        let bytes = response.encoded()
        guard status >= 200 else {
            phase = .proceeding(bytes)
            return [.send(bytes)]
        }
        guard !isReliable else {
            phase = .finished
            return [.send(bytes), .finished]
        }
        phase = .completed(bytes)
        deadline = now.advanced(by: timing.patience)
        return [.send(bytes)]
    }

    /// Takes a repetition of the request.
    package mutating func receive(_ method: Method, at now: Instant) -> [ServerTransactionEffect] {
        switch phase {
        case .proceeding(let bytes), .completed(let bytes): [.send(bytes)]
        case .trying, .finished: []
        }
    }

    /// Fires the timer if it is due.
    package mutating func advance(to now: Instant) -> [ServerTransactionEffect] {
        guard let deadline, deadline <= now else { return [] }
        self.deadline = nil
        phase = .finished
        return [.finished]
    }
}
