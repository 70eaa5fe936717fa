internal import SIPLite
package import SansIO
package import SecureChannel
internal import SwiftDHT
package import SwiftICE

/// One control link and what the node knows about its other end.
struct LinkRecord: Sendable {
    var machine: ControlLink
    let device: DeviceID
    let account: AccountID
    /// The peer's certificates, once known.
    var chain: CertificateChain?
    /// The identifier that request and reply share.
    let requestID: UInt64
    /// What we asked for the link for; `nil` when the peer asked.
    let errand: Errand?
    /// The operation that listens for the reply.
    var listening: OperationID?
    /// The pair in use, once the channel is being secured.
    var pair: ICEAgent.SelectedPair?
    var transport: SessionTransport?
    /// What the device is known to be able to.
    var traits = PeerTraits()
    /// The calls the peer makes on it, which keep it open.
    var incomingCalls: [CallID] = []
    /// Whether SIP runs on it.
    var isOpen = false
    /// Whether it only waits for the good-bye of TLS or DTLS.
    var isClosing = false

    init(
        machine: ControlLink, device: DeviceID, account: AccountID, chain: CertificateChain?, requestID: UInt64,
        errand: Errand?
    ) {
        self.machine = machine
        self.device = device
        self.account = account
        self.chain = chain
        self.requestID = requestID
        self.errand = errand
    }
}

extension NodeCore {
    // MARK: - Beginning and end

    mutating func addLink(_ record: LinkRecord) -> LinkID {
        let link = LinkID(rawValue: nextNumber())
        links[link] = record
        if configuration.presumedTraits.isSwiftlet { links[link]?.traits.isSwiftlet = true }
        linkOrder.append(link)
        return link
    }

    /// Asks a device for a link.
    mutating func connect(to device: DeviceID, of peer: AccountID, for errand: Errand, at now: Instant) -> [Effect] {
        guard links.count < configuration.linkLimit else { return [.ignored(.overLimit("links"))] }
        let machine = ControlLink(
            outgoingOver: configuration.transports, configuration: configuration.ice, timing: configuration.linkTiming,
            random: &random)
        let link = addLink(
            LinkRecord(
                machine: machine, device: device, account: peer, chain: nil,
                requestID: UInt64.random(in: 1...(1 << 53), using: &random), errand: errand))
        errands[errand]?.openLinks.append(link)
        let listening = begin(.replies(link))
        links[link]?.listening = listening
        let query = ValueQuery(where: [.type(.certificate)])
        let certificate = begin(.linkCertificate(link))
        var effects = introduce(
            dht.get(InfoHash(device), matching: query, as: certificate, at: now), at: now)
        effects += introduce(dht.listen(requestKey(of: device), as: listening, at: now), at: now)
        return effects + introduce(links[link]?.machine.start(at: now) ?? [], of: link, at: now)
    }

    /// The certificate of the device at the far end of a link of ours.
    mutating func certificateFound(
        _ value: Value, for link: LinkID, operation: OperationID, at now: Instant
    ) -> [Effect] {
        guard let record = links[link], record.chain == nil else { return [] }
        guard let chain = trustedChain(value, of: record.device, at: now), chain.accountID == record.account else {
            return [.ignored(.untrustedSender(record.device))]
        }
        links[link]?.chain = chain
        return end(operation, at: now)
            + introduce(links[link]?.machine.allowDescription(at: now) ?? [], of: link, at: now)
    }

    mutating func certificateMissing(for link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link], record.chain == nil else { return [] }
        return failed(link, because: .untrusted, at: now)
    }

    /// Takes a link down, and with it SIP's flow and what waits for it.
    mutating func failed(_ link: LinkID, because why: CallEnd, at now: Instant) -> [Effect] {
        guard let errand = links[link]?.errand else { return close(link, at: now) }
        errands[errand]?.lastFailure = why
        return close(link, at: now) + linkGone(link, from: errand, at: now)
    }

    /// Ends a link: SIP's flow at once, its sockets once TLS or DTLS has said good-bye.
    mutating func close(_ link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link], !record.isClosing else { return [] }
        links[link]?.isClosing = true
        timers.cancel(.closeLink(link))
        var effects: [Effect] = []
        if let listening = record.listening { effects += end(listening, at: now) }
        if record.isOpen { effects += introduce(userAgent.close(FlowID(link), at: now), at: now) }
        return effects + (record.transport == nil ? forget(link, at: now) : [.secureClose(link)])
    }

    private mutating func forget(_ link: LinkID, at now: Instant) -> [Effect] {
        guard var record = links.removeValue(forKey: link) else { return [] }
        linkOrder.removeAll { $0 == link }
        return introduce(record.machine.close(), of: link, at: now)
    }

    /// Closes a link once the last messages on it had time to arrive.
    mutating func retire(_ link: LinkID, at now: Instant) {
        timers.set(.closeLink(link), at: now.advanced(by: configuration.lingerTime))
    }

    /// A call of the peer's began on a link, which now must not be closed for want of use.
    mutating func occupy(_ link: LinkID, with call: CallID) {
        timers.cancel(.closeLink(link))
        links[link]?.incomingCalls.append(call)
    }

    /// A call is over. Its peer closes the link, unless the peer is gone or careless.
    mutating func vacate(_ link: LinkID, of call: CallID, at now: Instant) {
        links[link]?.incomingCalls.removeAll { $0 == call }
        guard links[link]?.incomingCalls.isEmpty == true else { return }
        timers.set(.closeLink(link), at: now.advanced(by: configuration.idleLinkTime))
    }

    // MARK: - What links want

    mutating func introduce(_ effects: [ControlLink.Effect], of link: LinkID, at now: Instant) -> [Effect] {
        var translated: [Effect] = []
        for effect in effects {
            switch effect {
            case .gather(let transport): translated.append(.gather(.control(link, transport), components: [1]))
            case .describe(let descriptions): translated += describe(link, descriptions)
            case .network(let transport, let action): translated.append(.network(.control(link, transport), action))
            case .release(let transport): translated.append(.release(.control(link, transport)))
            case .connected(let transport, let pair): translated += pathFound(link, transport, pair)
            case .secure(let role, let transport, let pair): translated += secure(link, role, transport, pair)
            case .secureInput(let bytes): translated.append(.secureInput(link, bytes))
            case .failed(let why): translated += failed(link, because: CallEnd(why), at: now)
            case .ignored(let reason): translated.append(.ignored(.link(link, reason)))
            }
        }
        return translated
    }

    private mutating func describe(_ link: LinkID, _ descriptions: [UInt8]) -> [Effect] {
        guard let record = links[link], let recipient = record.chain?.device.publicKey else {
            return [.ignored(.gone)]
        }
        let body = ValueBody(
            type: .iceCandidates,
            data: CallRequest(id: record.requestID, descriptions: descriptions).encoded)
        // Both sides write at the key of the device that is asked.
        let key = requestKey(of: record.errand == nil ? account.deviceID : record.device)
        let work = Work.seal(body, id: .random(using: &random), recipient: recipient)
        return [begin(work, for: .description(link, key: key))]
    }

    private func pathFound(
        _ link: LinkID, _ transport: SessionTransport, _ pair: ICEAgent.SelectedPair
    ) -> [Effect] {
        guard let record = links[link] else { return [] }
        return tell(
            record.errand,
            .pathFound(
                device: record.device, transport: transport == .tcp ? "TCP" : "UDP", local: pair.local.endpoint,
                remote: pair.remote.endpoint))
    }

    private mutating func secure(
        _ link: LinkID, _ role: ControlLink.SecureRole, _ transport: SessionTransport, _ pair: ICEAgent.SelectedPair
    ) -> [Effect] {
        guard let chain = links[link]?.chain else { return [.ignored(.gone)] }
        links[link]?.pair = pair
        links[link]?.transport = transport
        return [.secure(link, role, transport, expecting: chain)]
    }

    // MARK: - Sockets

    /// The driver opened sockets for a session; none where that was not possible.
    package mutating func gathered(_ bases: [GatheredBase], for session: SessionID, at now: Instant) -> [Effect] {
        switch session {
        case .control(let link, let transport):
            let endpoints = bases.map(\.endpoint)
            return introduce(
                links[link]?.machine.gathered(endpoints, for: transport, at: now) ?? [], of: link, at: now)
        case .media(let call, let number):
            return introduce(calls[call]?.gathered(bases, session: number, at: now) ?? [], of: call, at: now)
        }
    }

    /// Takes a datagram of a session; of media sessions only what is STUN.
    package mutating func receive(
        _ datagram: [UInt8], for session: SessionID, on base: Endpoint, from peer: Endpoint, at now: Instant
    ) -> [Effect] {
        switch session {
        case .control(let link, _):
            let effects = links[link]?.machine.receive(datagram, on: base, from: peer, at: now)
            return introduce(effects ?? [], of: link, at: now)
        case .media(let call, let number):
            let effects = calls[call]?.receive(datagram, session: number, on: base, from: peer, at: now)
            return introduce(effects ?? [], of: call, at: now)
        }
    }

    /// Takes a connection accepted for a session; `nil` when it is not wanted.
    package mutating func accept(
        for session: SessionID, on base: Endpoint, from peer: Endpoint, at now: Instant
    ) -> ICEAgent.ConnectionID? {
        guard case .control(let link, .tcp) = session else { return nil }
        return links[link]?.machine.accept(on: base, from: peer, at: now)
    }

    package mutating func connected(
        _ connection: ICEAgent.ConnectionID, for session: SessionID, local: Endpoint, at now: Instant
    ) -> [Effect] {
        guard case .control(let link, .tcp) = session else { return [] }
        return introduce(
            links[link]?.machine.connected(connection, local: local, at: now) ?? [], of: link, at: now)
    }

    package mutating func disconnected(
        _ connection: ICEAgent.ConnectionID, for session: SessionID, at now: Instant
    ) -> [Effect] {
        guard case .control(let link, .tcp) = session else { return [] }
        return introduce(links[link]?.machine.disconnected(connection, at: now) ?? [], of: link, at: now)
    }

    package mutating func receive(
        _ bytes: [UInt8], for session: SessionID, on connection: ICEAgent.ConnectionID, at now: Instant
    ) -> [Effect] {
        guard case .control(let link, .tcp) = session else { return [] }
        return introduce(links[link]?.machine.receive(bytes, on: connection, at: now) ?? [], of: link, at: now)
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
            case .received(let bytes):
                translated += introduce(userAgent.receive(bytes.span, on: FlowID(link), at: now), at: now)
            case .gap: userAgent.interrupt(FlowID(link))
            case .closed where links[link]?.isClosing == true: translated += forget(link, at: now)
            case .closed: translated += failed(link, because: .connectionLost, at: now)
            case .failed(let error): translated += failed(link, because: CallEnd(error), at: now)
            case .ignored: break
            }
        }
        return translated
    }

    private mutating func secured(_ link: LinkID, _ facts: SecureChannel.PeerFacts, at now: Instant) -> [Effect] {
        guard let record = links[link], let pair = record.pair, let transport = record.transport else {
            return [.ignored(.gone)]
        }
        var effects = introduce(links[link]?.machine.secured(at: now) ?? [], of: link, at: now)
        links[link]?.isOpen = true
        let flow = Flow(
            isReliable: transport == .tcp, isByteStream: true, local: pair.local.endpoint, remote: pair.remote.endpoint,
            transport: .dtls, accountID: account.accountID.hex, deviceID: account.deviceID.hex,
            displayName: account.displayName, remoteAccountID: record.account.hex)
        effects += introduce(userAgent.open(FlowID(link), flow), at: now)
        guard let errand = record.errand else {
            timers.set(.closeLink(link), at: now.advanced(by: configuration.idleLinkTime))
            return effects
        }
        effects += tell(
            errand,
            .secured(
                device: record.device, protocolVersion: facts.protocolVersion, cipherSuite: facts.cipherSuite))
        return effects + reached(link, for: errand, at: now)
    }
}

extension FlowID {
    /// SIP's flow on a link.
    init(_ link: LinkID) { self.init(rawValue: link.rawValue) }
}

extension LinkID {
    /// The link below a flow of SIP's.
    init(_ flow: FlowID) { self.init(rawValue: flow.rawValue) }
}

extension CallEnd {
    init(_ failure: ControlLink.Failure) {
        self =
            switch failure {
            case .noReply: .noReply
            case .noPath, .timedOut: .unreachable
            case .lost: .connectionLost
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
