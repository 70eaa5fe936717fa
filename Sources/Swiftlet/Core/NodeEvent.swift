public import MediaRTP
public import SansIO
public import SecureChannel

/// What happens to a node that its user may want to see.
public enum NodeEvent: Hashable, Sendable {
    /// The DHT answers in a family, or no longer does.
    case network(family: IPAddress.Family, isConnected: Bool)
    /// The device's announcement was stored on the DHT: others can find it.
    case announced
    /// A device asks to connect.
    case requestReceived(from: AccountID, device: DeviceID)
    /// Somebody calls. Answer or decline it by this id.
    case incomingCall(CallID, from: AccountID, displayName: String)
    /// Something happened to a call.
    case call(CallID, CallEvent)
    /// A text message outside of calls.
    case message(Message, from: AccountID)
    /// An account wants to be a contact; the profile is its own claim. Adding it as a contact agrees.
    case contactRequested(from: AccountID, profile: String)
    /// A contact request, or our agreement to one, lies in the inbox of a device.
    case contactAsked(AccountID, device: DeviceID)
    /// A contact agreed to be one.
    case contactConfirmed(AccountID)
    /// The first device of a contact appeared, or the last one is gone.
    case presence(AccountID, isOnline: Bool)
    /// How a message of ours fared.
    case messageOutcome(MessageNumber, MessageOutcome)
}

/// One outgoing message of a node outside of calls.
public struct MessageNumber: RawRepresentable, Hashable, Comparable, Sendable {
    /// The message's number, counted from 1.
    public let rawValue: UInt64

    /// Names a message by number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders messages by number.
    public static func < (left: MessageNumber, right: MessageNumber) -> Bool { left.rawValue < right.rawValue }
}

/// How an outgoing message fared.
public enum MessageOutcome: Hashable, Sendable {
    /// A device of the peer took it.
    case delivered
    /// No device took it; why the last one did not.
    case failed(CallEnd)
}

/// A message between people.
public struct Message: Hashable, Sendable {
    /// The MIME type, `text/plain` for what people type.
    public var contentType: String
    /// The content.
    public var content: [UInt8]

    /// Joins type and content.
    public init(contentType: String, content: [UInt8]) {
        self.contentType = contentType
        self.content = content
    }

    /// A text message.
    public init(text: String) { self.init(contentType: "text/plain", content: Array(text.utf8)) }

    /// The text, where it is one.
    public var text: String? {
        contentType.hasPrefix("text/plain") ? String(validating: content, as: UTF8.self) : nil
    }
}

/// How the media of a call fared.
public typealias MediaStatistics = AudioSession.Statistics

/// What happens within a call.
public enum CallEvent: Hashable, Sendable {
    /// A device of the peer was found on the DHT.
    case deviceFound(DeviceID)
    /// The call request went out to a device.
    case requested(DeviceID)
    /// A device replied to the request.
    case replied(DeviceID)
    /// A control session found its path.
    case pathFound(device: DeviceID, transport: String, local: Endpoint, remote: Endpoint)
    /// The control channel is secured and the peer proved who it is.
    case secured(device: DeviceID, protocolVersion: String, cipherSuite: String)
    /// The call was offered to the device.
    case invited
    /// The peer's device alerts its user.
    case ringing
    /// The call was answered, by us or by the peer.
    case answered
    /// The media session found its paths; again whenever the media moved to others.
    case mediaConnected(rtp: MediaPath, rtcp: MediaPath, codec: String)
    /// The first audio of the peer arrived and was authentic.
    case firstAudio
    /// A message within the call.
    case message(Message)
    /// The peer's profile.
    case profile(String)
    /// The peer muted or unmuted its microphone.
    case peerMuted(Bool)
    /// We let the peer wait, and it knows; or both sides go on.
    case held(Bool)
    /// The peer lets us wait, or goes on.
    case peerHeld(Bool)
    /// What was asked for did not come about, and the call goes on as it was; with the peer's SIP status, if it refused.
    case changeFailed(MediaChange, status: Int?)
    /// The peer says why it declines; the end follows.
    case declineReason(String)
    /// How the media fared, at its end.
    case statistics(MediaStatistics)
    /// The call is over.
    case ended(CallEnd)
}

/// Why a call is over.
public enum CallEnd: Hashable, Sendable, Error {
    /// We hung up.
    case hungUp
    /// The peer hung up.
    case remoteHungUp
    /// We gave up before the peer answered.
    case cancelled
    /// The peer gave up before we answered.
    case remoteCancelled
    /// We declined it.
    case declined
    /// The peer declined it.
    case remoteDeclined
    /// Nobody answered in time.
    case unanswered
    /// No device of the account is announced on the DHT.
    case notFound
    /// The DHT could not be asked: nobody of it answers us.
    case offline
    /// The peer's device does not answer requests.
    case noReply
    /// Devices were found, but no path leads to them.
    case unreachable
    /// The peer is not who it must be.
    case untrusted
    /// Both sides were in contact, but no media path was found.
    case mediaUnreachable
    /// Both sides have no codec or protection in common.
    case incompatible
    /// The channel, or the media path, was lost.
    case connectionLost
    /// The peer refused for another reason, with this SIP status.
    case refused(status: Int)
}
