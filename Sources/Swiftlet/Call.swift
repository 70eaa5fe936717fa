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

    /// Mutes our microphone, or ends that; the peer is told.
    public func mute(_ isMuted: Bool) async { await node.mute(isMuted, in: id) }

    /// Lets the peer wait: nobody hears the other until ``resume()``. ``CallEvent/held(_:)`` tells when it knows.
    public func hold() async { await node.hold(id) }

    /// Goes on with a call that was held.
    public func resume() async { await node.resume(id) }

    /// Moves the sound to a new path, on the addresses the machine has now; the old one carries it meanwhile.
    public func restartMedia() async { await node.restartMedia(id) }
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

    /// The call that an event of the node tells of, if it tells of one: for those who read ``Node/events`` and want both
    /// in one order.
    public init?(_ event: NodeEvent, on node: Node) {
        guard case .incomingCall(let id, let peer, let displayName) = event else { return nil }
        (self.id, self.peer, self.displayName, self.node) = (id, peer, displayName, node)
    }

    /// Takes the call.
    public func accept(audio: Audio = Audio()) async throws(NodeError) -> Call {
        try await node.accept(id, from: peer, audio: audio)
    }

    /// Declines the call. The reason reaches peers that understand it: at most 256 octets of one line.
    public func decline(reason: String = "") async { await node.decline(id, because: reason) }
}
