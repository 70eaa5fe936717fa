package import SansIO

/// What a client transaction asks of the agent.
package enum ClientTransactionEffect: Hashable, Sendable {
    /// Send these bytes.
    case send([UInt8])
    /// A response the user must see.
    case response(Message)
    /// No final response came in time; the transaction is over.
    case timedOut
    /// The transaction is over.
    case finished
}

/// One request of ours and what becomes of it.
package protocol ClientTransaction: Machine where Effect == ClientTransactionEffect {
    /// Sends the request.
    mutating func start(at now: Instant) -> [ClientTransactionEffect]
    /// Takes a response that matches.
    mutating func receive(_ response: Message, at now: Instant) -> [ClientTransactionEffect]
}
