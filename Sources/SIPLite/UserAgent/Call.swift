internal import SansIO

/// One call as the agent sees it.
struct Call: Sendable {
    /// How far the call is.
    enum Phase: Sendable {
        /// We invited and no final response came.
        case inviting(ClientKey, isHeard: Bool)
        /// We were invited and gave no final response.
        case invited(ServerKey)
        /// Both sides agreed.
        case established
    }

    /// A success of ours that is repeated until it is acknowledged (RFC 3261 §13.3.1.4).
    struct UnacknowledgedAnswer: Sendable {
        let bytes: [UInt8]
        let sequence: UInt32
        /// Whether the acknowledgement brings the peer's description, as we made the offer.
        let expectsDescription: Bool
        var interval: Duration
        let giveUpAt: Instant
    }

    /// A new offer of the peer that waits for our response.
    struct Reoffer: Sendable {
        let transaction: ServerKey
        let request: Message
        let essentials: Essentials
    }

    /// A new offer of ours that waits for the peer's response.
    struct OwnOffer: Sendable {
        /// The request under way; `nil` while a collision is waited out.
        let transaction: ClientKey?
        let request: Message
        let description: [UInt8]
        var isHeard = false
        var isCancelled = false
    }

    /// A request that waits for the one before it, as peers refuse those that overtake another (RFC 3261 §12.2.2).
    struct QueuedRequest: Sendable {
        let method: Method
        let body: Body
        let purpose: UserAgent.Purpose
    }

    let id: CallID
    var flow: FlowID
    var dialog: Dialog
    var phase: Phase
    /// The invitation that made the call.
    let invitation: Message
    /// Its fields, of an incoming call.
    var invitationEssentials: Essentials?
    /// Whether the embedder was told that the call ended; what remains is to end it on the wire.
    var isOver = false
    var answer: UnacknowledgedAnswer?
    var reoffer: Reoffer?
    var ownOffer: OwnOffer?
    var pendingRequests = 0
    var queue: [QueuedRequest] = []

    var isEstablished: Bool {
        if case .established = phase { true } else { false }
    }
}

/// What a response of the peer is matched by (RFC 3261 §17.1.3).
struct ClientKey: Hashable, Sendable {
    let flow: FlowID
    let branch: String
    let method: Method
}

/// What a request of the peer is matched by (RFC 3261 §17.2.3).
struct ServerKey: Hashable, Sendable {
    let flow: FlowID
    let branch: String
    let sentBy: String
    let method: Method

    init(flow: FlowID, _ message: Message, _ essentials: Essentials, as method: Method? = nil) {
        let asked = method ?? essentials.cSeq.method
        self.flow = flow
        self.method = asked == .ack ? .invite : asked
        let via = essentials.via
        sentBy = "\(via.host.lowercased()):\(via.port.map(String.init) ?? "")"
        if via.hasMagicBranch, let branch = via.branch {
            self.branch = branch
        } else {
            // Agents older than RFC 3261 do not name transactions; together these fields do. The tag of `To` is left
            // out so that an acknowledgement, which has one, finds its invitation.
            let parts = [
                message.target ?? "", essentials.from.tag ?? "", essentials.callID, "\(essentials.cSeq.number)",
                via.description,
            ]
            branch = parts.joined(separator: "\n")
        }
    }
}
