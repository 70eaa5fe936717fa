public import SansIO

/// A SIP user agent for calls over authenticated flows: RFC 3261 transactions and dialogs with the habits of Jami peers.
///
/// The embedder opens flows, gives the agent what arrives on them, and carries out the effects in order. Names of
/// outgoing calls and messages are the embedder's; incoming calls get theirs from the agent.
public struct UserAgent: Machine {
    var configuration: Configuration
    var random: RandomSource

    /// Creates an agent without flows.
    public init(configuration: Configuration = Configuration(), random: RandomSource) {
        self.configuration = configuration
        self.random = random
    }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? { nil }

    /// Opens a flow. A flow of that name must not be open.
    public mutating func open(_ flow: FlowID, _ description: Flow) -> [Effect] { [] }

    /// Tells that a flow's channel is gone. Its calls end with ``EndReason/flowLost``, its messages have no outcome.
    public mutating func close(_ flow: FlowID, at now: Instant) -> [Effect] { [] }

    /// Takes bytes that arrived on a flow: any piece of a byte stream, or one datagram.
    public mutating func receive(_ bytes: Span<UInt8>, on flow: FlowID, at now: Instant) -> [Effect] { [] }

    /// Calls the peer of a flow. `user` is the user part of `To`: the peer's account (or its device, on flows of the
    /// first era).
    public mutating func invite(
        _ call: CallID, on flow: FlowID, to user: String, offer: [UInt8], at now: Instant
    ) -> [Effect] { [] }

    /// Tells the caller that we are being alerted (180). From here the ringing time-out runs.
    public mutating func ring(_ call: CallID, at now: Instant) -> [Effect] { [] }

    /// Takes an incoming call, or a new offer within a call, with our session description.
    public mutating func answer(_ call: CallID, with description: [UInt8], at now: Instant) -> [Effect] { [] }

    /// Refuses an incoming call, or a new offer within a call (where 488 is usual).
    public mutating func decline(_ call: CallID, status: Int = 486, at now: Instant) -> [Effect] { [] }

    /// Ends a call in whatever state it is: `BYE`, `CANCEL` before the answer, or a refusal of an incoming call.
    public mutating func hangUp(_ call: CallID, at now: Instant) -> [Effect] { [] }

    /// Offers a new session within an established call.
    public mutating func reinvite(_ call: CallID, with offer: [UInt8], at now: Instant) -> [Effect] { [] }

    /// Sends a text message, or anything else that travels as one, within a call.
    public mutating func sendMessage(
        _ body: Body, in call: CallID, as message: MessageID, at now: Instant
    ) -> [Effect] { [] }

    /// Sends a text message outside all calls. `user` is the peer's account.
    public mutating func sendMessage(
        _ body: Body, on flow: FlowID, to user: String, as message: MessageID, at now: Instant
    ) -> [Effect] { [] }

    /// Sends information within a call, as media control.
    public mutating func sendInformation(_ body: Body, in call: CallID, at now: Instant) -> [Effect] { [] }

    /// Fires every timer due at or before `now`.
    public mutating func advance(to now: Instant) -> [Effect] { [] }
}
