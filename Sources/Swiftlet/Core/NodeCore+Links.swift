internal import SIPLite
package import SansIO
package import SecureChannel
internal import SwiftDHT
internal import SwiftICE

/// The life of control links.
extension NodeCore {
    // MARK: - Beginning and end

    mutating func addLink(_ record: LinkRecord) -> LinkID {
        let link = LinkID(rawValue: nextNumber())
        links[link] = record
        linkOrder.append(link)
        return link
    }

    /// Asks a device for a link; its key may still have to be found.
    mutating func request(
        _ device: DeviceID, key: PublicKey?, of peer: AccountID, for errand: Errand, at now: Instant
    ) -> [Effect] {
        let guess = probableDialect(of: device, announcesKey: key != nil)
        let machine = ControlLink(
            asking: guess, over: configuration.transports, configuration: configuration.ice,
            timing: configuration.linkTiming, random: &random)
        let link = addLink(
            LinkRecord(
                machine: machine, device: device, account: peer, key: key,
                requestID: UInt64.random(in: 1...(1 << 53), using: &random), replyMailbox: nil))
        expect(link, for: errand)
        let effects =
            key == nil
            ? findCertificate(of: device, long: nil, for: .link(link), at: now)
            : introduce(links[link]?.machine.allowDescription(at: now) ?? [], of: link, at: now)
        return effects + introduce(links[link]?.machine.start(at: now) ?? [], of: link, at: now)
    }

    /// The flow a device probably speaks: what worked before, or what its announcement tells.
    private func probableDialect(of device: DeviceID, announcesKey: Bool) -> Dialect {
        // Who announces no key probably is of 2019.
        let guess = knownDevices.dialect(of: device) ?? (announcesKey ? .multiplexed : .direct)
        return configuration.dialects.contains(guess) ? guess : configuration.dialects.first ?? guess
    }

    /// Takes a link down, and with it SIP's flows; tells those who waited for it.
    mutating func failed(_ link: LinkID, because why: CallEnd, at now: Instant) -> [Effect] {
        guard let record = links[link], record.stage != .closing else { return [] }
        var effects = close(link, at: now)
        for errand in record.errands {
            errands[errand]?.lastFailure = why
            effects += linkGone(link, from: errand, at: now)
        }
        for errand in record.doubtfulErrands {
            effects += reconnect(record, for: errand, at: now) + linkGone(link, from: errand, at: now)
        }
        return effects
    }

    /// Ends a link: SIP's flows at once, its sockets once TLS or DTLS has said good-bye.
    mutating func close(_ link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link], record.stage != .closing else { return [] }
        links[link]?.stage = .closing
        let waits: [Timer] = [.closeLink(link), .askOtherwise(link), .doubt(link), .settling(link)]
        for timer in waits { timers.cancel(timer) }
        var effects: [Effect] = []
        if let listening = record.listening { effects += end(listening, at: now) }
        if record.stage == .rising {
            // Nobody waits for an answer to what was not sent yet.
            for operation in record.sending where operations[operation] != nil { effects += end(operation, at: now) }
        }
        for flow in record.flows { effects += closeFlow(flow, of: link, at: now) }
        return effects + (record.transport == nil ? forget(link, at: now) : [.secureClose(link)])
    }

    private mutating func forget(_ link: LinkID, at now: Instant) -> [Effect] {
        guard var record = links.removeValue(forKey: link) else { return [] }
        linkOrder.removeAll { $0 == link }
        return introduce(record.machine.close(), of: link, at: now)
    }

    // MARK: - Use

    /// A call begins on a link, which now must not be closed for want of use.
    mutating func occupy(_ link: LinkID, with call: CallID) {
        timers.cancel(.closeLink(link))
        links[link]?.calls.append(call)
    }

    /// Lets a link go that nothing uses any more, after a while that its flow decides.
    mutating func settle(_ link: LinkID, at now: Instant) {
        guard let record = links[link], record.isOpen, !isUsed(link) else { return }
        let patience: Duration
        if record.machine.dialect.keepsLinks {
            patience = configuration.warmLinkTime
        } else {
            // Who asked for a link of the first flow closes it once its last messages had time to arrive.
            patience = record.isOutgoing ? configuration.lingerTime : configuration.idleLinkTime
        }
        timers.set(.closeLink(link), at: now.advanced(by: patience))
    }

    /// Whether a call, a message or somebody who waits needs a link.
    private func isUsed(_ link: LinkID) -> Bool {
        guard let record = links[link] else { return false }
        return !record.calls.isEmpty || !record.errands.isEmpty
            || messagesInFlight.values.contains { $0.link == link }
    }

    /// Whether something on a link is lost if it ends now. TCP delivers what was sent by itself, so a link that is only
    /// kept for later use ends at any time; UDP may have to be asked again. A handshake is finished first: for a peer
    /// that is further in it the link is there, and a stock daemon learns from TLS alone that it ended, not from TCP.
    func isUnfinished(_ link: LinkID) -> Bool {
        guard let record = links[link] else { return false }
        return switch record.stage {
        case .rising: isUsed(link) || record.transport != nil
        case .open: isUsed(link) || record.transport != .tcp || !record.machine.dialect.keepsLinks
        case .closing: true
        }
    }

    /// Makes room for one more link, at the expense of the one that was unused for longest.
    mutating func makeRoom(at now: Instant) -> (hasRoom: Bool, effects: [Effect]) {
        guard links.count >= configuration.linkLimit else { return (true, []) }
        guard let idle = linkOrder.first(where: { timers.isSet(.closeLink($0)) }) else {
            return (false, [.ignored(.overLimit("links"))])
        }
        return (true, close(idle, at: now))
    }

    // MARK: - What links want

    mutating func introduce(_ effects: [ControlLink.Effect], of link: LinkID, at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .gather(let transport): translated.append(.gather(.control(link, transport), components: [1]))
            case .describe(let sessions): translated += describe(link, sessions, at: now)
            case .network(let transport, let action): translated.append(.network(.control(link, transport), action))
            case .release(let transport): translated.append(.release(.control(link, transport)))
            case .connected(let transport, let pair): translated += pathFound(link, transport, pair)
            case .secure(let role, let transport, let pair): translated += secure(link, role, transport, pair)
            case .secureInput(let bytes): translated.append(.secureInput(link, bytes))
            case .failed(.stranded): translated += strand(link, at: now)
            case .failed(let why): translated += failed(link, because: CallEnd(why), at: now)
            case .ignored(let reason): translated.append(.ignored(.link(link, reason)))
            }
        }
        return translated
    }

    private func pathFound(
        _ link: LinkID, _ transport: SessionTransport, _ pair: ICEAgent.SelectedPair
    ) -> [Effect] {
        guard let record = links[link] else { return [] }
        return tell(
            record.errands,
            .pathFound(
                device: record.device, transport: transport == .tcp ? "TCP" : "UDP", local: pair.local.endpoint,
                remote: pair.remote.endpoint))
    }

    private mutating func secure(
        _ link: LinkID, _ role: ControlLink.SecureRole, _ transport: SessionTransport, _ pair: ICEAgent.SelectedPair
    ) -> [Effect] {
        guard let record = links[link], let key = record.key else { return [.ignored(.gone)] }
        links[link]?.pair = pair
        links[link]?.transport = transport
        if record.machine.dialect.multiplexes(transport) {
            links[link]?.multiplexer = Multiplexer(side: role == .client ? .client : .server)
        }
        return [.secure(link, role, transport, expecting: .device(key, of: record.account))]
    }

    // MARK: - TLS and DTLS

    /// What a link's TLS or DTLS did.
    package mutating func secureOutput(_ effects: [SecureEffect], for link: LinkID, at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes):
                translated += introduce(links[link]?.machine.transmit(bytes, at: now) ?? [], of: link, at: now)
            case .established(let facts): translated += secured(link, facts, at: now)
            case .received(let bytes): translated += received(bytes, on: link, at: now)
            case .gap: for flow in links[link]?.flows ?? [] { userAgent.interrupt(flow.id) }
            case .closed where links[link]?.stage == .closing: translated += forget(link, at: now)
            case .closed: translated += failed(link, because: .connectionLost, at: now)
            case .failed(let error):
                if let device = links[link]?.device { translated.append(.ignored(.unsecured(device, error))) }
                translated += failed(link, because: CallEnd(error), at: now)
            case .ignored: break
            }
        }
        return translated
    }

    private mutating func secured(_ link: LinkID, _ facts: SecureChannel.PeerFacts, at now: Instant) -> [Effect] {
        guard let record = links[link], record.stage == .rising else { return [.ignored(.gone)] }
        var effects = introduce(links[link]?.machine.secured(at: now) ?? [], of: link, at: now)
        links[link]?.stage = .open
        knownDevices.learn(record.device, of: record.account, speaking: record.machine.dialect)
        gatherErrands(for: link)
        effects += tell(
            links[link]?.errands ?? [],
            .secured(
                device: record.device, protocolVersion: facts.protocolVersion, cipherSuite: facts.cipherSuite))
        if record.multiplexer == nil {
            effects += openFlow(on: link, channel: nil, at: now)
        } else {
            effects += introduce(links[link]?.multiplexer?.start(at: now) ?? [], of: link, at: now)
        }
        effects += retireRivals(of: link, at: now) + serve(link, at: now)
        settle(link, at: now)
        return effects
    }

    /// Closes the longest unused of a device's links when it has too many, as of a peer that restarts again and again.
    private mutating func retireRivals(of link: LinkID, at now: Instant) -> [Effect] {
        let device = links[link]?.device
        let rivals = linkOrder.filter { links[$0]?.device == device && links[$0]?.isOpen == true }
        guard rivals.count > configuration.linksPerDeviceLimit,
            let idle = rivals.first(where: { $0 != link && timers.isSet(.closeLink($0)) })
        else { return [] }
        return close(idle, at: now)
    }
}

extension CallEnd {
    init(_ failure: ControlLink.Failure) {
        self =
            switch failure {
            case .noReply: .noReply
            case .noPath, .timedOut: .unreachable
            case .lost, .stranded: .connectionLost
            }
    }

    init(_ error: SecureChannelError) {
        self =
            switch error {
            case .untrusted, .unexpectedPeer, .unreadableCertificate: .untrusted
            default: .connectionLost
            }
    }
}
