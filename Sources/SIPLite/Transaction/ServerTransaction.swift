package import SansIO

/// What a server transaction asks of the agent.
package enum ServerTransactionEffect: Hashable, Sendable {
    /// Send these bytes.
    case send([UInt8])
    /// A refusal was never acknowledged; the transaction is over.
    case unacknowledged
    /// The transaction is over.
    case finished
}

/// One request of the peer and our responses to it.
package protocol ServerTransaction: Machine where Effect == ServerTransactionEffect {
    /// Whether a final response was given.
    var isAnswered: Bool { get }
    /// Sends a response. Nothing follows a final one.
    mutating func respond(_ response: Message, at now: Instant) -> [ServerTransactionEffect]
    /// Takes a repetition of the request, or the acknowledgement of a refusal.
    mutating func receive(_ method: Method, at now: Instant) -> [ServerTransactionEffect]
}
