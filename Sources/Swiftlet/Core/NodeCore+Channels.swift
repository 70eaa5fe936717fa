internal import SIPLite
internal import SansIO
internal import SecureChannel
internal import SwiftICE

/// What runs on secured links: SIP, on the link itself or in channels of it.
extension NodeCore {
    /// The name of the channel that carries SIP.
    private static let sipChannel = "sip"

    /// Plain bytes of a link's peer.
    mutating func received(_ bytes: [UInt8], on link: LinkID, at now: Instant) -> [Effect] {
        var effects = dispelDoubt(about: link, at: now)
        guard links[link]?.multiplexer == nil else {
            return effects + introduce(links[link]?.multiplexer?.receive(bytes, at: now) ?? [], of: link, at: now)
        }
        for flow in links[link]?.flows ?? [] {
            effects += introduce(userAgent.receive(bytes.span, on: flow.id, at: now), at: now)
        }
        return effects
    }

    // MARK: - Flows

    /// SIP begins on a link, or in a channel of it.
    mutating func openFlow(on link: LinkID, channel: Multiplexer.ChannelID?, at now: Instant) -> [Effect] {
        guard let record = links[link], let pair = record.pair, let transport = record.transport else { return [] }
        let flow = LinkRecord.SIPFlow(id: FlowID(rawValue: nextNumber()), channel: channel)
        links[link]?.flows.append(flow)
        flowLinks[flow.id] = link
        return introduce(
            userAgent.open(
                flow.id,
                Flow(
                    isReliable: transport == .tcp, isByteStream: true, local: pair.local.endpoint,
                    remote: pair.remote.endpoint, transport: channel == nil ? .dtls : .tls,
                    accountID: account.accountID.hex, deviceID: account.deviceID.hex,
                    displayName: account.displayName, remoteAccountID: record.account.hex)),
            at: now)
    }

    /// SIP ends in a flow, and all calls on it.
    mutating func closeFlow(_ flow: LinkRecord.SIPFlow, of link: LinkID, at now: Instant) -> [Effect] {
        links[link]?.flows.removeAll { $0 == flow }
        defer { flowLinks[flow.id] = nil }
        return introduce(userAgent.close(flow.id, at: now), at: now)
    }

    /// Sends a SIP message.
    mutating func send(_ message: [UInt8], on flow: FlowID, at now: Instant) -> [Effect] {
        guard let link = flowLinks[flow], let record = links[link] else { return [.ignored(.gone)] }
        guard let channel = record.flows.first(where: { $0.id == flow })?.channel else {
            return [.secureSend(link, message)]
        }
        return introduce(links[link]?.multiplexer?.send(message, on: channel) ?? [], of: link, at: now)
    }

    /// SIP cannot be read any further in a flow.
    mutating func abandon(_ flow: FlowID, at now: Instant) -> [Effect] {
        guard let link = flowLinks[flow], let record = links[link] else { return [] }
        guard let known = record.flows.first(where: { $0.id == flow }), let channel = known.channel else {
            return failed(link, because: .connectionLost, at: now)
        }
        return closeFlow(known, of: link, at: now)
            + introduce(links[link]?.multiplexer?.close(channel) ?? [], of: link, at: now)
    }

    /// Lets what waits for a link go on, once SIP runs on it; asks for the channel where there is none yet.
    mutating func serve(_ link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link], record.isOpen, !record.errands.isEmpty, !timers.isSet(.settling(link))
        else { return [] }
        if let flow = record.flows.first {
            links[link]?.errands = []
            var effects: [Effect] = []
            for errand in record.errands { effects += reached(link, over: flow.id, for: errand, at: now) }
            settle(link, at: now)
            return effects
        }
        guard record.multiplexer != nil, record.pendingChannel == nil else { return [] }
        let (channel, effects) = links[link]?.multiplexer?.open(Self.sipChannel, at: now) ?? (nil, [])
        links[link]?.pendingChannel = channel
        let sent = introduce(effects, of: link, at: now)
        return channel == nil ? sent + failed(link, because: .unreachable, at: now) : sent
    }

    // MARK: - Channels

    /// Translates what the multiplexer of a link wants.
    mutating func introduce(_ effects: [Multiplexer.Effect], of link: LinkID, at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes): translated.append(.secureSend(link, bytes))
            case .requested(let channel, let name): translated += channelRequested(channel, name, on: link, at: now)
            case .opened(let channel): translated += channelOpened(channel, on: link, at: now)
            case .declined(let channel): translated += channelDeclined(channel, on: link, at: now)
            case .received(let bytes, let channel):
                guard let flow = links[link]?.flows.first(where: { $0.channel == channel }) else { continue }
                translated += introduce(userAgent.receive(bytes.span, on: flow.id, at: now), at: now)
            case .closed(let channel):
                guard let flow = links[link]?.flows.first(where: { $0.channel == channel }) else { continue }
                translated += closeFlow(flow, of: link, at: now)
            case .alive: break
            case .unresponsive, .failed: translated += failed(link, because: .connectionLost, at: now)
            case .ignored(let reason): translated.append(.ignored(.channel(link, reason)))
            }
        }
        return translated
    }

    /// The peer asks for a channel: SIP is for everybody whose link we accepted, as often as is of use; the rest is none
    /// of ours.
    private mutating func channelRequested(
        _ channel: Multiplexer.ChannelID, _ name: String, on link: LinkID, at now: Instant
    ) -> [Effect] {
        let flowCount = links[link]?.flows.count ?? 0
        guard name == Self.sipChannel, flowCount < configuration.flowsPerLinkLimit else {
            return introduce(links[link]?.multiplexer?.decline(channel) ?? [], of: link, at: now)
        }
        let opened = openFlow(on: link, channel: channel, at: now)
        return opened + introduce(links[link]?.multiplexer?.accept(channel) ?? [], of: link, at: now)
            + serve(link, at: now)
    }

    private mutating func channelOpened(
        _ channel: Multiplexer.ChannelID, on link: LinkID, at now: Instant
    ) -> [Effect] {
        guard let record = links[link], record.pendingChannel == channel else { return [] }
        links[link]?.pendingChannel = nil
        if !record.traits.isSwiftlet {
            timers.set(.settling(link), at: now.advanced(by: configuration.channelSettlingTime))
        }
        return openFlow(on: link, channel: channel, at: now) + serve(link, at: now)
    }

    /// A peer that runs SIP nowhere on the link cannot be called by it.
    private mutating func channelDeclined(
        _ channel: Multiplexer.ChannelID, on link: LinkID, at now: Instant
    ) -> [Effect] {
        guard links[link]?.pendingChannel == channel else { return [] }
        links[link]?.pendingChannel = nil
        guard links[link]?.flows.isEmpty == true else { return serve(link, at: now) }
        return failed(link, because: .unreachable, at: now)
    }

    // MARK: - Doubt

    /// Takes a link that was idle: the peer may be gone without having said so, which a beacon tells.
    mutating func reuse(_ link: LinkID, for errand: Errand, at now: Instant) -> [Effect] {
        expect(link, for: errand)
        links[link]?.doubtfulErrands.append(errand)
        if !timers.isSet(.doubt(link)) {
            timers.set(.doubt(link), at: now.advanced(by: configuration.linkTiming.doubt))
        }
        return introduce(links[link]?.multiplexer?.ping(at: now) ?? [], of: link, at: now) + serve(link, at: now)
    }

    /// The peer is there: whatever took the link may rely on it.
    private mutating func dispelDoubt(about link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link], !record.doubtfulErrands.isEmpty else { return [] }
        links[link]?.doubtfulErrands = []
        timers.cancel(.doubt(link))
        // Those that wait for a channel still expect the link.
        return record.doubtfulErrands.filter { !record.errands.contains($0) }
            .flatMap { linkGone(link, from: $0, at: now) }
    }

    /// Looks for another way to a device whose link turned out to be dead.
    mutating func reconnect(_ lost: LinkRecord, for errand: Errand, at now: Instant) -> [Effect] {
        guard errands[errand] != nil else { return [] }
        return connect(to: lost.device, key: lost.key, of: lost.account, for: errand, at: now)
    }
}
