/// A call under way.
public struct Call: Sendable {
    /// The call's name within its node.
    public let id: CallID
    /// Whom the call is with.
    public let peer: AccountID
    /// What happens in the call, from its beginning; ends after ``CallEvent/ended(_:)``. For one reader.
    public let events: AsyncStream<CallEvent>
    let node: Node

    /// Ends the call, in whatever state it is.
    public func hangUp() async { await node.hangUp(id) }

    /// Sends a text within the call.
    public func send(_ text: String) async { await node.send(text, in: id) }

    /// Tells the peer whether our microphone is muted.
    public func announceMute(_ isMuted: Bool) async { await node.announceMute(isMuted, in: id) }
}

/// A call from somebody, not answered yet.
public struct IncomingCall: Sendable {
    /// The call's name within its node.
    public let id: CallID
    /// Who calls; proven by the peer's certificates.
    public let peer: AccountID
    /// The name the caller gives itself; proven by nobody.
    public let displayName: String
    let node: Node

    /// Takes the call.
    public func accept(audio: Audio = Audio()) async throws(NodeError) -> Call {
        try await node.accept(id, from: peer, audio: audio)
    }

    /// Declines the call.
    public func decline() async { await node.decline(id) }
}
