internal import SecureChannel

/// Something that needs a peer's devices.
enum Errand: Hashable, Sendable {
    case call(CallID)
    case message(MessageNumber)
    /// A call that goes on over another link.
    case carry(CallID)
}

/// How far an errand has come in reaching the peer's devices.
struct ErrandRecord: Sendable {
    let peer: AccountID
    /// What is to be said, where the errand is a message.
    var message: Message?
    /// Devices that were found, each of which got a link.
    var devices: [DeviceID] = []
    /// Whether the DHT may still find devices.
    var isLooking = true
    /// Links that may still become ready, or turn out to be dead.
    var openLinks: [LinkID] = []
    /// Messages whose outcome is open.
    var unansweredMessages = 0
    /// Why the last link failed.
    var lastFailure: CallEnd?

    init(peer: AccountID, message: Message? = nil) {
        self.peer = peer
        self.message = message
    }

    /// Whether nothing can come of it any more.
    var isExhausted: Bool { !isLooking && openLinks.isEmpty && unansweredMessages == 0 }
}
