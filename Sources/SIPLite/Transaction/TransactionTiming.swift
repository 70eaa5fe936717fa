/// The base values of all transaction timers (RFC 3261 §17.1.1.1).
public struct TransactionTiming: Hashable, Sendable {
    /// The estimate of a round trip.
    public var t1: Duration = .milliseconds(500)
    /// The longest wait between repetitions of requests other than `INVITE`, and of answers to `INVITE`.
    public var t2: Duration = .seconds(4)
    /// How long a message may stay in the network.
    public var t4: Duration = .seconds(5)

    /// Creates the values of the standard.
    public init() {}

    /// How long a transaction waits for an answer: 64 round trips.
    public var patience: Duration { t1 * 64 }
}
