/// What two agents share for the length of a call (RFC 3261 §12).
struct Dialog: Sendable {
    /// What finds a dialog; the peer's tag is compared afterwards, as it may not be known yet.
    struct Key: Hashable, Sendable {
        let callID: String
        let localTag: String
    }

    /// The `Call-ID` and our tag.
    let key: Key
    /// Our side as `From` or `To` says it.
    let local: NameAddress
    /// The peer's side; its tag comes with its first response.
    var remote: NameAddress
    /// Where requests go: the peer's `Contact`.
    var target: String
    /// The hops requests must take, in our order.
    var routes: [NameAddress]
    /// The number of our last request.
    var localSequence: UInt32
    /// The number of the peer's last request.
    var remoteSequence: UInt32?

    /// The dialog our invitation is about to make.
    init(calling remote: NameAddress, at target: String, as local: NameAddress, callID: String, sequence: UInt32) {
        key = Key(callID: callID, localTag: local.tag ?? "")
        self.local = local
        self.remote = remote
        self.target = target
        routes = []
        localSequence = sequence
    }

    /// The dialog an invitation makes at the called side (§12.1.1).
    init(answering request: Message, _ essentials: Essentials, tag: String, sequence: UInt32) {
        key = Key(callID: essentials.callID, localTag: tag)
        var local = essentials.to
        local.tag = tag
        self.local = local
        remote = essentials.from
        target = Self.contact(of: request) ?? essentials.from.uri.description
        routes = (try? request.addresses(.recordRoute)) ?? []
        localSequence = sequence
        remoteSequence = essentials.cSeq.number
    }

    /// Takes what a success tells of the peer (§12.1.2).
    mutating func establish(by response: Message, _ essentials: Essentials) {
        remote = essentials.to
        routes = ((try? response.addresses(.recordRoute)) ?? []).reversed()
        refreshTarget(from: response)
    }

    /// Takes the peer's new `Contact`, if it gives one (§12.2).
    mutating func refreshTarget(from message: Message) {
        target = Self.contact(of: message) ?? target
    }

    /// Where a request goes and which `Route` fields it carries (§12.2.1.1); strict routers get what they expect.
    var path: (target: String, routes: [String]) {
        guard let first = routes.first else { return (target, []) }
        guard !first.uri.parameters.contains("lr") else { return (target, routes.map(\.description)) }
        return (first.uri.description, routes.dropFirst().map(\.description) + ["<\(target)>"])
    }

    private static func contact(of message: Message) -> String? {
        guard let contact = (try? message.contacts())?.first, contact.uri.isSIP else { return nil }
        var uri = contact.uri
        uri.headers = nil
        return uri.description
    }
}
