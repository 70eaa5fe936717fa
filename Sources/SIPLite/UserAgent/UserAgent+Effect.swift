public import SansIO

extension UserAgent {
    /// What the agent asks of its embedder, or tells it.
    public enum Effect: Hashable, Sendable {
        /// Send these bytes, one whole SIP message or keepalive.
        case send([UInt8], on: FlowID)
        /// The flow cannot be read any further (RFC 3261 §18.3); close the channel, then call ``UserAgent/close(_:at:)``.
        case abandon(FlowID)
        /// A peer calls. Answer with ``UserAgent/ring(_:at:)``, then ``UserAgent/answer(_:with:at:)`` or
        /// ``UserAgent/decline(_:status:at:)``.
        case incoming(CallID, IncomingCall)
        /// Our call reached the peer's agent (100).
        case trying(CallID)
        /// The peer is being alerted (180 and other provisional answers).
        case ringing(CallID)
        /// While it is alerted, the peer tells the description it will answer with. Only peers that say so mean the
        /// media path to be found already; nothing may be heard before ``answered(_:description:peer:)``.
        case earlyAnswer(CallID, description: [UInt8])
        /// The peer took our call; the acknowledgement was sent.
        case answered(CallID, description: [UInt8], peer: PeerFacts)
        /// The peer acknowledged our answer. The description is there when it made its answer only now.
        case confirmed(CallID, description: [UInt8]?)
        /// The peer offers a new session within the call, or asks us to offer one (`nil`). Respond with
        /// ``UserAgent/answer(_:with:at:)`` or ``UserAgent/decline(_:status:at:)``, which leaves the session as it is.
        case reoffered(CallID, description: [UInt8]?)
        /// The peer withdrew its new offer, or we let it wait too long; the session is as it was.
        case reofferWithdrawn(CallID)
        /// The peer answered our new offer.
        case reanswered(CallID, description: [UInt8])
        /// The peer refused our new offer, or never answered (`nil`); the session is as it was.
        case reofferFailed(CallID, status: Int?)
        /// The peer's words on why it refuses our call (RFC 3326); the end follows.
        case explained(CallID, SIPLite.Reason)
        /// The peer goes on with a call over another flow than before.
        case moved(CallID, to: FlowID)
        /// The call is over; its handle means nothing from here on.
        case ended(CallID, EndReason)
        /// A text message, inside a call or outside all calls.
        case message(Body, in: CallID?, on: FlowID)
        /// Information within a call, as media control.
        case information(Body, in: CallID)
        /// How a text message fared: the final status, or `nil` when none came.
        ///
        /// Stock Jami delivers messages inside calls and still answers 500.
        case messageOutcome(MessageID, status: Int?)
        /// What we were told to send is larger than the flow's peer accepts; nothing was sent and nothing changed.
        case oversized(CallID, octets: Int)
        /// Input that had no other consequence, and why.
        case ignored(Reason)
    }

    /// What an incoming call says of itself.
    public struct IncomingCall: Hashable, Sendable {
        /// The flow it came by.
        public var flow: FlowID
        /// The account that calls: the user of `From`.
        public var from: String
        /// The caller's name, empty when it gave none. Not verified by anybody.
        public var displayName: String
        /// The user part of `To`: our account, our device, or a conference name.
        public var to: String
        /// The session description offered; `nil` asks us to offer one in the answer.
        public var offer: [UInt8]?
        /// The `Subject`, empty without one.
        public var subject: String
        /// What the caller's agent says it is.
        public var peer: PeerFacts
    }

    /// What the peer's agent says of itself.
    public struct PeerFacts: Hashable, Sendable {
        /// The `User-Agent` (or `Server`) text, empty without one.
        public var userAgent: String
        /// The methods it allows; empty when it does not say.
        public var allow: [Method]

        /// States what is known of a peer.
        public init(userAgent: String = "", allow: [Method] = []) {
            self.userAgent = userAgent
            self.allow = allow
        }
    }

    /// Why a call ended.
    public enum EndReason: Hashable, Sendable {
        /// We hung up.
        case hungUp
        /// We declined it, or cancelled it before it was answered.
        case cancelled
        /// We declined an incoming call with this status.
        case declined(status: Int)
        /// The peer hung up an established call.
        case remoteHungUp
        /// The caller gave up before we answered.
        case remoteCancelled
        /// The peer refused our call.
        case rejected(status: Int)
        /// Nobody answered in time.
        case noAnswer
        /// Our call got no response, or our answer no acknowledgement.
        case unresponsive
        /// The channel was lost.
        case flowLost
        /// Too many calls are open.
        case overLimit
        /// The invitation is larger than the peer accepts.
        case oversized(octets: Int)
        /// The peer broke the protocol in a way the call does not survive.
        case protocolError
    }

    /// Why input was ignored.
    public enum Reason: Hashable, Sendable {
        /// No such flow is open.
        case unknownFlow(FlowID)
        /// A flow of that name is open already.
        case unusableFlow(FlowID)
        /// No such call exists, or it is not in a state for this command.
        case unknownCall(CallID)
        /// The handle is in use, or is one the agent keeps for itself.
        case unusableCall(CallID)
        /// Bytes that are no SIP message.
        case malformed(WireError)
        /// A message that was answered with an error.
        case refused(status: Int)
        /// `From` does not name the account the channel authenticated.
        case impostor(claimed: String)
        /// A response to nothing we asked.
        case strayResponse(status: Int)
        /// A request within a call that does not exist.
        case strayRequest(Method)
        /// A retransmission that was absorbed.
        case repeated(Method)
        /// A limit of ``Configuration`` is reached.
        case overLimit(WireError.Field, limit: Int)
        /// A request of ours inside a call was not answered well; the call goes on.
        case failedRequest(Method, status: Int?)
    }
}
