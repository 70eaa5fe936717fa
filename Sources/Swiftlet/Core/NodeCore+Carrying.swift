internal import SIPLite
internal import SansIO
internal import SecureChannel

/// A call whose link went with an address of ours, and what is known of the device at its other end.
struct StrandedCall: Sendable {
    let sip: SIPLite.CallID
    /// The flow it was on, which SIP takes to be there until another one is.
    let flow: FlowID
    let device: DeviceID
    let key: PublicKey?
    let account: AccountID
    /// When the search for another link ends.
    let end: Instant
}

/// Calls that outlive their link: its connection goes with an address of ours, while the media just move to another one.
/// Only Swiftlets look for a call on other links than it began on.
extension NodeCore {
    /// How long another link to the device is looked for.
    static let carryingTime = Duration.seconds(20)
    /// The wait before it is asked for again, where no change of the network says that it can be had now.
    static let carryingInterval = Duration.seconds(1)

    /// A link went with an address of ours: its calls look for another one to the same device.
    mutating func strand(_ link: LinkID, at now: Instant) -> [Effect] {
        strandCalls(of: link, at: now)
        return failed(link, because: .connectionLost, at: now) + seekLinks(at: now)
    }

    /// Takes the calls off a link that is about to end.
    private mutating func strandCalls(of link: LinkID, at now: Instant) {
        guard let record = links[link], record.isOpen, record.traits.isSwiftlet else { return }
        for call in record.calls {
            let sip = sipCalls.filter { $0.value == call }.map(\.key).sorted().first { userAgent.flow(of: $0) != nil }
            guard let sip, let flow = userAgent.flow(of: sip), flowLinks[flow] == link || isStranded(flow) else {
                continue
            }
            links[link]?.flows.removeAll { $0.id == flow }
            flowLinks[flow] = nil
            stranded[call] = StrandedCall(
                sip: sip, flow: flow, device: record.device, key: record.key, account: record.account,
                end: now.advanced(by: Self.carryingTime))
        }
        links[link]?.calls.removeAll { stranded[$0] != nil }
    }

    /// Asks at once for what had to wait for the network, and anew where nobody has answered: the request tells of
    /// addresses that may be gone.
    mutating func seekLinks(at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        for link in linkOrder where isUnansweredSearch(link) {
            for errand in links[link]?.errands ?? [] { errands[errand] = nil }
            effects += close(link, at: now)
        }
        for call in callOrder where stranded[call] != nil && errands[.carry(call)] == nil {
            effects += seekLink(for: call, at: now)
        }
        return effects
    }

    /// Whether a link is asked for by stranded calls only, and in vain as yet.
    private func isUnansweredSearch(_ link: LinkID) -> Bool {
        guard let record = links[link], record.machine.awaitsReply, !record.errands.isEmpty else { return false }
        return record.errands.allSatisfy { if case .carry = $0 { true } else { false } }
    }

    private func isStranded(_ flow: FlowID) -> Bool { stranded.values.contains { $0.flow == flow } }

    /// Asks for another link in a moment, or gives the call up.
    mutating func carryLater(_ call: CallID, at now: Instant) -> [Effect] {
        guard let record = stranded[call] else { return [] }
        guard now < record.end else {
            stranded[call] = nil
            return closeUnused(record.flow, at: now)
        }
        timers.set(.carry(call), at: now.advanced(by: Self.carryingInterval))
        return []
    }

    /// Asks for another link to the device a call is with. Without the DHT there is nobody to carry the request, nor to tell
    /// at which addresses we are seen.
    mutating func seekLink(for call: CallID, at now: Instant) -> [Effect] {
        guard let record = stranded[call] else { return [] }
        guard !connectedFamilies.isEmpty else { return carryLater(call, at: now) }
        timers.cancel(.carry(call))
        let errand = Errand.carry(call)
        errands[errand] = ErrandRecord(peer: record.account)
        errands[errand]?.isLooking = false
        let effects = connect(to: record.device, key: record.key, of: record.account, for: errand, at: now)
        return effects + concludeIfExhausted(errand, at: now)
    }

    /// SIP runs on another link: the call goes on there, and its media move to what can be reached now.
    mutating func carry(_ call: CallID, to link: LinkID, over flow: FlowID, at now: Instant) -> [Effect] {
        guard let record = stranded.removeValue(forKey: call), calls[call] != nil else { return [] }
        timers.cancel(.carry(call))
        occupy(link, with: call)
        let effects = introduce(userAgent.move(record.sip, to: flow), at: now) + closeUnused(record.flow, at: now)
        return effects + restartMedia(call, at: now)
    }

    /// The peer goes on with a call over another link.
    mutating func moved(_ sip: SIPLite.CallID, to flow: FlowID, at now: Instant) -> [Effect] {
        guard let call = sipCalls[sip], let link = flowLinks[flow] else { return [] }
        for former in linkOrder where former != link && links[former]?.calls.contains(call) == true {
            links[former]?.calls.removeAll { $0 == call }
            settle(former, at: now)
        }
        occupy(link, with: call)
        timers.cancel(.carry(call))
        return stranded.removeValue(forKey: call).map { closeUnused($0.flow, at: now) } ?? []
    }

    /// A call that is over needs no other link.
    mutating func forgetStranded(_ call: CallID, at now: Instant) {
        let errand = Errand.carry(call)
        errands[errand] = nil
        for link in linkOrder { links[link]?.errands.removeAll { $0 == errand } }
        timers.cancel(.carry(call))
        guard let record = stranded.removeValue(forKey: call), !isStranded(record.flow) else { return }
        // The call has ended already, and nothing else was on the flow.
        _ = userAgent.close(record.flow, at: now)
    }

    /// Ends a flow without a link once no call waits on it, and with it those that are still there.
    private mutating func closeUnused(_ flow: FlowID, at now: Instant) -> [Effect] {
        isStranded(flow) ? [] : introduce(userAgent.close(flow, at: now), at: now)
    }
}
