/// Calls that go on over another flow than they began on, between peers that know how to.
extension UserAgent {
    /// The flow of a call that is established.
    public func flow(of call: CallID) -> FlowID? {
        calls[call].flatMap { $0.isEstablished && !$0.isOver ? $0.flow : nil }
    }

    /// Has a call go on over another flow to the same peer, which learns it from our next request there.
    public mutating func move(_ call: CallID, to flow: FlowID) -> [Effect] {
        guard flows[flow] != nil else { return [.ignored(.unknownFlow(flow))] }
        calls[call]?.flow = flow
        return []
    }

    /// The call a request belongs to that comes on another flow than the call is on, from the same account: the peer's former
    /// flow is gone, or it would not have left it.
    func movedCall(of essentials: Essentials, on flow: FlowID) -> CallID? {
        guard let tag = essentials.to.tag, let id = dialogs[.init(callID: essentials.callID, localTag: tag)],
            let call = calls[id], call.flow != flow, call.isEstablished, !call.isOver,
            call.dialog.remote.tag == essentials.from.tag, let account = flows[flow]?.description.remoteAccountID,
            account == flows[call.flow]?.description.remoteAccountID
        else { return nil }
        return id
    }
}
