internal import SansIO
internal import SecureChannel
internal import SwiftDHT
internal import SwiftICE

/// Call requests: what comes to our key, and the replies to what we asked.
extension NodeCore {
    // MARK: - Incoming

    /// A value at our own key: maybe a request for us. Replies of ours lie there as well.
    mutating func requestArrived(_ value: Value) -> [Effect] {
        open(value, for: .incomingRequest)
    }

    /// Decrypts a value that was not looked at before, unless too many are being decrypted.
    private mutating func open(_ value: Value, for purpose: Purpose) -> [Effect] {
        guard case .encrypted = value.content, inbox.see(value.id) else { return [] }
        guard inbox.opening < configuration.openingLimit else { return [.ignored(.overLimit("opening"))] }
        inbox.opening += 1
        return [begin(.open(value), for: purpose)]
    }

    mutating func requestOpened(_ body: ValueBody, at now: Instant) -> [Effect] {
        guard body.type == .iceCandidates, let owner = body.owner, let sender = try? PublicKey(der: owner).shortID,
            sender != account.deviceID, let request = try? CallRequest(decoding: body.data)
        else { return [.ignored(.unusableRequest)] }
        guard inbox.treat(request.id) else { return [.ignored(.repeatedRequest)] }
        guard inbox.waitingCount < configuration.pendingRequestLimit else {
            return [.ignored(.overLimit("pendingRequests"))]
        }
        let remember = Effect.remember(requestID: request.id)
        guard inbox.hold(request, from: sender) else { return [remember] }
        let operation = begin(.requestCertificate(sender))
        let query = ValueQuery(where: [.type(.certificate)])
        return [remember]
            + introduce(dht.get(InfoHash(sender), matching: query, as: operation, at: now), at: now)
    }

    /// The certificate of a device that asked for a link.
    mutating func certificateFound(
        _ value: Value, of sender: DeviceID, operation: OperationID, at now: Instant
    ) -> [Effect] {
        guard let chain = trustedChain(value, of: sender, at: now), let peer = chain.accountID else {
            return [.ignored(.untrustedSender(sender))]
        }
        var effects = end(operation, at: now)
        for request in inbox.release(sender) {
            effects += answer(request, from: peer, device: sender, chain: chain, at: now)
        }
        return effects
    }

    private mutating func answer(
        _ request: CallRequest, from peer: AccountID, device: DeviceID, chain: CertificateChain, at now: Instant
    ) -> [Effect] {
        guard links.count < configuration.linkLimit, incomingLinks(of: device) < configuration.linksPerDeviceLimit
        else { return [.ignored(.overLimit("links"))] }
        guard let remote = try? SessionOffer(decoding: request.descriptions) else {
            return [.ignored(.unusableRequest)]
        }
        let machine = ControlLink(
            answering: remote.byTransport, over: configuration.transports, configuration: configuration.ice,
            timing: configuration.linkTiming, random: &random)
        let link = addLink(
            LinkRecord(
                machine: machine, device: device, account: peer, chain: chain, requestID: request.id, errand: nil))
        return [.event(.requestReceived(from: peer, device: device))]
            + introduce(links[link]?.machine.start(at: now) ?? [], of: link, at: now)
    }

    private func incomingLinks(of device: DeviceID) -> Int {
        linkOrder.count { links[$0]?.device == device && links[$0]?.errand == nil }
    }

    // MARK: - Outgoing

    /// A request or reply was signed and encrypted: put it where its reader listens.
    mutating func described(_ value: Value, at key: InfoHash, for link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link] else { return [.ignored(.gone)] }
        _ = inbox.see(value.id)
        let operation = begin(.sending)
        let effects = introduce(dht.put(value, at: key, as: operation, at: now), at: now)
        return effects + tell(record.errand, .requested(record.device))
    }

    /// A value at the key of the device we asked: maybe its reply. Our own request lies there as well.
    mutating func replyArrived(_ value: Value, for link: LinkID) -> [Effect] {
        links[link] == nil ? [] : open(value, for: .reply(link))
    }

    mutating func replyOpened(_ body: ValueBody, for link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link], body.type == .iceCandidates, let owner = body.owner,
            InfoHash(hashing: owner) == InfoHash(record.device),
            let reply = try? CallRequest(decoding: body.data), reply.id == record.requestID,
            let remote = try? SessionOffer(decoding: reply.descriptions)
        else { return [.ignored(.unusableRequest)] }
        var effects: [Effect] = []
        if let listening = record.listening { effects += end(listening, at: now) }
        links[link]?.listening = nil
        effects += tell(record.errand, .replied(record.device))
        return effects
            + introduce(links[link]?.machine.replied(remote.byTransport, at: now) ?? [], of: link, at: now)
    }
}

extension SessionOffer {
    /// The descriptions by what they are for.
    var byTransport: [SessionTransport: SwiftICE.SessionDescription] {
        var descriptions: [SessionTransport: SwiftICE.SessionDescription] = [:]
        descriptions[.udp] = udp
        descriptions[.tcp] = tcp
        return descriptions
    }
}
