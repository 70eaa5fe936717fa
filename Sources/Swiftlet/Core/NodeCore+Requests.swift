package import SansIO
internal import SecureChannel
package import SwiftDHT
internal import SwiftICE

/// What comes into our mailboxes, and the replies to what we asked.
extension NodeCore {
    // MARK: - Mail

    /// A value in a mailbox of ours: a request, or a reply. What we put there ourselves lies there as well.
    mutating func mailArrived(_ value: Value, in mailbox: Mailbox) -> [Effect] {
        open(value, for: .mail(mailbox))
    }

    /// A value at the key of the device we asked: maybe its reply. Our own request lies there as well.
    mutating func callReplyArrived(_ value: Value, for link: LinkID) -> [Effect] {
        links[link] == nil ? [] : open(value, for: .callReply(link))
    }

    /// Decrypts a value that was not looked at before, now or once fewer are being decrypted.
    private mutating func open(_ value: Value, for purpose: Purpose) -> [Effect] {
        guard case .encrypted = value.content, inbox.see(value.id) else { return [] }
        let isAnyLost = inbox.unopened.push((value, purpose), limit: configuration.unopenedLimit)
        return openNext() + (isAnyLost ? [.ignored(.overLimit("unopened"))] : [])
    }

    /// Decrypts what waits for it, the newest first: behind a new reply may lie all the mail of the last ten minutes.
    mutating func openNext() -> [Effect] {
        var effects: [Effect] = []
        while inbox.opening < configuration.openingLimit, let (value, purpose) = inbox.unopened.pop() {
            inbox.opening += 1
            effects.append(begin(.open(value), for: purpose))
        }
        return effects
    }

    /// Something in a mailbox was decrypted, and its signature holds.
    package mutating func mailOpened(_ body: ValueBody, in mailbox: Mailbox, at now: Instant) -> [Effect] {
        guard let owner = body.owner, let sender = try? PublicKey(der: owner), sender != account.deviceKey else {
            return [.ignored(.unusableRequest)]
        }
        switch (mailbox, body.type) {
        case (.callRequests, .iceCandidates):
            guard let request = try? CallRequest(decoding: body.data),
                let request = LinkRequest(request, from: sender)
            else { break }
            return requested(request, at: now)
        case (.shortID, .userData), (.longID, .userData):
            guard body.userType == ConnectionRequest.userType,
                let request = try? ConnectionRequest(decoding: body.data)
            else { break }
            return request.isAnswer
                ? replied(request, by: sender.shortID, at: now)
                : requested(LinkRequest(request, from: sender, in: mailbox), at: now)
        case (.inbox, .instantMessage):
            guard let message = try? InstantMessage(decoding: body.data) else { break }
            return judge(.message(message, key: sender), from: sender, at: now)
        case (.inbox, .trustRequest):
            guard let letter = try? TrustRequest(decoding: body.data) else { break }
            return judge(.letter(letter), from: sender, at: now)
        default: break
        }
        return [.ignored(.unusableRequest)]
    }

    // MARK: - Incoming

    /// Somebody asks for a link.
    private mutating func requested(_ request: LinkRequest, at now: Instant) -> [Effect] {
        guard configuration.transports.contains(where: { request.sessions[$0] != nil }) else {
            return [.ignored(.unusableRequest)]
        }
        guard inbox.treat(request.id) else { return [.ignored(.repeatedRequest)] }
        return [.remember(requestID: request.id)] + judge(.link(request), from: request.sender, at: now)
    }

    /// Delivers mail of a device whose account is known, or finds that out first.
    private mutating func judge(_ mail: Mail, from sender: PublicKey, at now: Instant) -> [Effect] {
        if let owner = knownDevices.account(of: sender.shortID) { return deliver(mail, from: owner, at: now) }
        var effects: [Effect] = []
        if !inbox.holds(sender.shortID), inbox.waitingCount >= configuration.pendingRequestLimit {
            // Strangers whose certificates were looked for in vain make room for others.
            guard let stranger = leastPromisingSender() else { return [.ignored(.overLimit("pendingRequests"))] }
            effects += giveUp(on: stranger)
        }
        guard inbox.hold(mail, from: sender.shortID) else { return effects }
        return effects + findCertificate(of: sender.shortID, long: sender.longID, at: now)
    }

    /// Mail of a device of this account.
    mutating func deliver(_ mail: Mail, from owner: AccountID, at now: Instant) -> [Effect] {
        switch mail {
        case .link(let request):
            welcomes(owner, device: request.sender.shortID)
                ? answer(request, from: owner, at: now) : [.ignored(.unwelcome(owner))]
        case .letter(let letter): letterArrived(letter, from: owner, at: now)
        case .message(let message, let key):
            welcomes(owner, device: key.shortID)
                ? messageArrived(message, from: owner, device: key, at: now) : [.ignored(.unwelcome(owner))]
        }
    }

    private mutating func answer(_ request: LinkRequest, from peer: AccountID, at now: Instant) -> [Effect] {
        let device = request.sender.shortID
        guard risingLinks(askedBy: device) < configuration.linksPerDeviceLimit else {
            return [.ignored(.overLimit("linksPerDevice"))]
        }
        let (hasRoom, effects) = makeRoom(at: now)
        guard hasRoom else { return effects }
        let machine = ControlLink(
            answering: request.sessions, of: request.traits, in: request.mailbox.dialect,
            over: configuration.transports, configuration: configuration.ice, timing: configuration.linkTiming,
            random: &random)
        var record = LinkRecord(
            machine: machine, device: device, account: peer, key: request.sender, requestID: request.id,
            replyMailbox: request.mailbox)
        record.traits = request.traits
        let link = addLink(record)
        return effects + [.event(.requestReceived(from: peer, device: device))]
            + introduce(links[link]?.machine.start(at: now) ?? [], of: link, at: now)
    }

    private func risingLinks(askedBy device: DeviceID) -> Int {
        linkOrder.count { link in
            links[link].map { $0.device == device && !$0.isOutgoing && $0.stage == .rising } ?? false
        }
    }

    // MARK: - Outgoing

    /// Tells the peer of our sessions: as a reply, or as a request in the flow it probably speaks.
    mutating func describe(_ link: LinkID, _ sessions: SessionOffer, at now: Instant) -> [Effect] {
        links[link]?.description = sessions
        guard let record = links[link], let key = record.key else { return [.ignored(.gone)] }
        let dialect = record.machine.dialect
        if let mailbox = record.replyMailbox {
            // In the first flow both sides write at the key of the device that is asked.
            let owner = dialect == .direct ? account.deviceKey : key
            return [seal(sessions, of: record, for: link, to: key, in: dialect, at: [mailbox.key(of: owner)])]
        }
        guard carries(sessions, in: dialect) else { return askOtherwise(link, at: now) }
        if configuration.dialects.count > 1 {
            timers.set(.askOtherwise(link), at: now.advanced(by: configuration.otherwiseDelay))
        }
        return ask(link, in: dialect, at: now)
    }

    /// Asks a device that did not reply in the flow that was not tried.
    mutating func askOtherwise(_ link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link], let sessions = record.description else { return [] }
        return configuration.dialects.filter { $0 != record.machine.dialect && carries(sessions, in: $0) }
            .flatMap { ask(link, in: $0, at: now) }
    }

    /// Whether a flow can tell the peer of any of these sessions: stock connection requests know no UDP.
    private func carries(_ sessions: SessionOffer, in dialect: Dialect) -> Bool {
        switch dialect {
        case .direct: true
        case .multiplexed: sessions.tcp != nil || configuration.offersExtension
        }
    }

    private mutating func ask(_ link: LinkID, in dialect: Dialect, at now: Instant) -> [Effect] {
        guard let record = links[link], let key = record.key, let sessions = record.description else { return [] }
        let mailboxes = Mailbox.requests(in: dialect, under: configuration.idForms)
        let request = seal(
            sessions, of: record, for: link, to: key, in: dialect, at: mailboxes.map { $0.key(of: key) })
        guard dialect == .direct else { return [request] }
        let listening = begin(.callReplies(link))
        links[link]?.listening = listening
        return [request]
            + introduce(dht.listen(Mailbox.callRequests.key(of: key), as: listening, at: now), at: now)
    }

    /// Has a request or reply signed and encrypted.
    private mutating func seal(
        _ sessions: SessionOffer, of record: LinkRecord, for link: LinkID, to recipient: PublicKey,
        in dialect: Dialect, at keys: [InfoHash]
    ) -> Effect {
        let body: ValueBody
        switch dialect {
        case .direct:
            body = ValueBody(
                type: .iceCandidates, data: CallRequest(id: record.requestID, descriptions: sessions.bytes).encoded)
        case .multiplexed:
            let request = ConnectionRequest(
                id: record.requestID, sessions, isAnswer: !record.isOutgoing, connectionType: record.connectionType,
                offersExtension: configuration.offersExtension)
            guard let request else { return .ignored(.gone) }
            body = ValueBody(type: .userData, data: request.encoded, userType: ConnectionRequest.userType)
        }
        let work = Work.seal(body, id: .random(using: &random), recipient: recipient)
        return begin(work, for: .description(link, keys: keys))
    }

    /// A request or reply was signed and encrypted: put it where its reader listens.
    mutating func described(_ value: Value, at keys: [InfoHash], for link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link] else { return [.ignored(.gone)] }
        _ = inbox.see(value.id)
        guard !record.isOutgoing || !timers.isSet(.introduction) else {
            links[link]?.held.append((value, keys))
            return []
        }
        return send(value, to: keys, for: link, at: now)
    }

    /// Sends the requests that waited for our certificates.
    mutating func sendHeldRequests(at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        for link in linkOrder where links[link]?.stage == .rising {
            let held = links[link]?.held ?? []
            links[link]?.held = []
            for (value, keys) in held { effects += send(value, to: keys, for: link, at: now) }
        }
        return effects
    }

    private mutating func send(
        _ value: Value, to keys: [InfoHash], for link: LinkID, at now: Instant
    ) -> [Effect] {
        guard let record = links[link] else { return [] }
        var effects: [Effect] = []
        for key in keys {
            let operation = begin(.sending)
            links[link]?.sending.append(operation)
            effects += introduce(dht.put(value, at: key, as: operation, at: now), at: now)
        }
        return effects + tell(record.errands, .requested(record.device))
    }

    // MARK: - Replies

    /// A value at the key of a device we asked in the way of the first flow was decrypted.
    mutating func callReplyOpened(_ body: ValueBody, for link: LinkID, at now: Instant) -> [Effect] {
        guard let record = links[link], body.type == .iceCandidates, let owner = body.owner,
            InfoHash(hashing: owner) == InfoHash(record.device),
            let reply = try? CallRequest(decoding: body.data), reply.id == record.requestID,
            let sessions = try? SessionOffer(decoding: reply.descriptions)
        else { return [.ignored(.unusableRequest)] }
        return replied(to: link, sessions, in: .direct, at: now)
    }

    /// A connection reply came into a mailbox of ours.
    private mutating func replied(
        _ reply: ConnectionRequest, by sender: DeviceID, at now: Instant
    ) -> [Effect] {
        let asked = linkOrder.first { link in
            links[link].map { $0.isOutgoing && $0.requestID == reply.id && $0.device == sender } ?? false
        }
        guard let link = asked else { return [.ignored(.unusableRequest)] }
        links[link]?.traits = PeerTraits(reply)
        return replied(to: link, reply.sessions, in: .multiplexed, at: now)
    }

    private mutating func replied(
        to link: LinkID, _ sessions: SessionOffer, in dialect: Dialect, at now: Instant
    ) -> [Effect] {
        guard let record = links[link] else { return [] }
        var effects: [Effect] = []
        timers.cancel(.askOtherwise(link))
        if let listening = record.listening { effects += end(listening, at: now) }
        links[link]?.listening = nil
        effects += tell(record.errands, .replied(record.device))
        return effects
            + introduce(
                links[link]?.machine.replied(sessions, by: record.traits, in: dialect, at: now) ?? [], of: link,
                at: now)
    }
}

/// What a device sends to another through the DHT.
enum Mail: Hashable, Sendable {
    case link(LinkRequest)
    case letter(TrustRequest)
    /// A text; the key is that of the device it came from.
    case message(InstantMessage, key: PublicKey)
}

/// A request for a link, in whatever way it came.
struct LinkRequest: Hashable, Sendable {
    let id: UInt64
    let sender: PublicKey
    let sessions: SessionOffer
    /// Where it came in, which says where the reply goes.
    let mailbox: Mailbox
    let traits: PeerTraits

    init?(_ request: CallRequest, from sender: PublicKey) {
        guard let sessions = try? SessionOffer(decoding: request.descriptions) else { return nil }
        self.sessions = sessions
        self.sender = sender
        id = request.id
        mailbox = .callRequests
        traits = PeerTraits()
    }

    init(_ request: ConnectionRequest, from sender: PublicKey, in mailbox: Mailbox) {
        self.sender = sender
        self.mailbox = mailbox
        id = request.id
        sessions = request.sessions
        traits = PeerTraits(request)
    }
}

extension ConnectionRequest {
    /// The version of what two Swiftlets can do beyond stock peers.
    static let extensionVersion: UInt = 2
    /// The first version whose sessions move to better paths.
    static let renominatingVersion: UInt = 2

    /// Describes our sessions: TCP for everybody, UDP for those who know what it is for.
    ///
    /// Without TCP the request has the credentials of the UDP session and no candidate.
    init?(
        id: UInt64, _ sessions: SessionOffer, isAnswer: Bool, connectionType: String, offersExtension: Bool
    ) {
        guard var session = sessions.tcp ?? sessions.udp else { return nil }
        if sessions.tcp == nil { session.candidates = [] }
        self.init(
            id: id, session: session, isAnswer: isAnswer, connectionType: connectionType,
            extension: offersExtension ? Extension(version: Self.extensionVersion, udp: sessions.udp) : nil)
    }

    /// The sessions that are offered.
    var sessions: SessionOffer {
        SessionOffer(udp: self.extension?.udp, tcp: session.candidates.isEmpty ? nil : session)
    }
}

extension PeerTraits {
    init(_ request: ConnectionRequest) {
        let version = request.extension?.version ?? 0
        self.init(
            isSwiftlet: request.extension != nil, renominates: version >= ConnectionRequest.renominatingVersion)
    }
}
