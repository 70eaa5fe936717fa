internal import SIPLite
internal import SecureChannel
internal import SwiftDHT
internal import SwiftICE

/// One control link and what the node knows about its other end.
struct LinkRecord: Sendable {
    /// How SIP runs on a link.
    struct SIPFlow: Hashable, Sendable {
        let id: FlowID
        /// The channel it runs in; `nil` where it has the link for itself.
        let channel: Multiplexer.ChannelID?
    }

    enum Stage: Hashable, Sendable {
        /// Requested, described, checked, secured: nothing runs on it yet.
        case rising
        /// The peer proved who it is.
        case open
        /// Only the good-bye of TLS or DTLS is waited for.
        case closing
    }

    var machine: ControlLink
    let device: DeviceID
    let account: AccountID
    /// The key of the device, once known.
    var key: PublicKey?
    /// The identifier that request and reply share.
    let requestID: UInt64
    /// Where the reply to an incoming link goes; `nil` for a link we ask for.
    let replyMailbox: Mailbox?
    var traits = PeerTraits()
    var stage = Stage.rising
    /// What waits for the link, or for a flow on it.
    var errands: [Errand] = []
    /// The errands that took the link as it was, without knowing whether the peer still has it.
    var doubtfulErrands: [Errand] = []
    /// What we told the peer of our sessions.
    var description: SessionOffer?
    /// What waits for our certificates to be stored.
    var held: [(value: Value, keys: [InfoHash])] = []
    /// The operations that carry it to the peer.
    var sending: [OperationID] = []
    /// The operation that listens for the reply of a peer of the first flow.
    var listening: OperationID?
    /// The pair in use, once the channel is being secured.
    var pair: ICEAgent.SelectedPair?
    var transport: SessionTransport?
    var multiplexer: Multiplexer?
    var flows: [SIPFlow] = []
    /// The channel for SIP the peer was asked for.
    var pendingChannel: Multiplexer.ChannelID?
    /// The calls on it, which keep it open.
    var calls: [CallID] = []

    var isOutgoing: Bool { replyMailbox == nil }
    var isOpen: Bool { stage == .open }

    /// What a stock peer is told a link is for: the kind of call, or the type of a message; nothing in a reply.
    var connectionType: String {
        guard isOutgoing else { return "" }
        let isForCall = errands.contains { if case .call = $0 { true } else { false } }
        return isForCall ? "audioCall" : "text/plain"
    }

    init(
        machine: ControlLink, device: DeviceID, account: AccountID, key: PublicKey?, requestID: UInt64,
        replyMailbox: Mailbox?
    ) {
        self.machine = machine
        self.device = device
        self.account = account
        self.key = key
        self.requestID = requestID
        self.replyMailbox = replyMailbox
    }
}

/// The flow of a call request, or the kind of key of a connection request, by which a device is reached on the DHT.
package enum Mailbox: Hashable, Sendable, CaseIterable {
    /// Call requests of the first flow, and the replies to them.
    case callRequests
    /// Connection requests and replies, under the short id.
    case shortID
    /// Connection requests and replies, under the long id.
    case longID
    /// What is not about connections: contact requests.
    case inbox

    /// The flow whose requests lie here.
    var dialect: Dialect {
        switch self {
        case .callRequests: .direct
        case .shortID, .longID, .inbox: .multiplexed
        }
    }

    /// Where the requests of a flow are put.
    static func requests(in dialect: Dialect, under forms: [DeviceIDForm]) -> [Mailbox] {
        switch dialect {
        case .direct: [.callRequests]
        case .multiplexed: forms.map { $0 == .short ? .shortID : .longID }
        }
    }

    /// Where this mailbox of a device lies.
    func key(of device: PublicKey) -> InfoHash {
        switch self {
        case .callRequests: CallRequest.key(of: device.shortID)
        case .shortID: ConnectionRequest.key(short: device.shortID)
        case .longID: ConnectionRequest.key(long: device.longID)
        case .inbox: TrustRequest.inbox(of: device.shortID)
        }
    }
}
