package import SIPLite
package import SansIO
package import SecureChannel
package import SwiftDHT
package import SwiftICE

/// A whole node as one machine: its DHT, its control links, its SIP agent and its calls.
///
/// The protocols know nothing of each other; this machine introduces them. Its driver owns sockets, TLS sessions,
/// private keys and the media plane, and carries out the effects in order.
package struct NodeCore: Machine {
    /// Who the node is, without its private keys.
    package struct Account: Sendable {
        let accountID: AccountID
        let deviceID: DeviceID
        let deviceKey: PublicKey
        let chain: CertificateChain
        var displayName: String

        package init(_ identity: Identity, displayName: String) {
            accountID = identity.accountID
            deviceID = identity.deviceID
            deviceKey = identity.deviceKey.publicKey
            chain = identity.chain
            self.displayName = displayName
        }
    }

    /// A running operation of the DHT, and what for.
    enum Operation: Hashable, Sendable {
        /// Our certificate or announcement is being stored.
        case publishing(isAnnouncement: Bool)
        /// What is meant for us is listened for.
        case mailbox(Mailbox)
        /// The devices of an account are looked for.
        case devices(Errand)
        /// The certificates of a device are looked for.
        case certificate(DeviceID)
        /// The devices of a contact are watched.
        case presence(AccountID)
        /// Replies to the call request of a link, which lie at the key of the device that was asked.
        case callReplies(LinkID)
        /// A request or reply of ours is being stored.
        case sending
        /// A letter of ours is being put into the inbox of a contact's device.
        case letter(AccountID, DeviceID)
    }

    /// What a piece of work is for.
    enum Purpose: Sendable {
        case announcement
        /// A request or reply for a link, to be put into these mailboxes of a device.
        case description(LinkID, keys: [InfoHash])
        /// A contact request or its confirmation, to be put at a device's inbox.
        case letter(key: InfoHash, to: AccountID, device: DeviceID)
        /// The word that a text arrived, to be put at our own inbox.
        case confirmation(key: InfoHash)
        /// A value in a mailbox of ours.
        case mail(Mailbox)
        /// A value at the key of a device that we asked for a link.
        case callReply(LinkID)
        /// A value the DHT got and does not trust yet.
        case examination(ExaminationID)
    }

    enum Timer: Hashable, Sendable {
        /// A link without further use is closed.
        case closeLink(LinkID)
        /// A device that did not reply is asked in the way of the other flow as well.
        case askOtherwise(LinkID)
        /// A link that was taken as it was shows no sign of the peer.
        case doubt(LinkID)
        /// A channel the peer just accepted is not used yet.
        case settling(LinkID)
        /// Another link for a call whose link is gone is asked for again.
        case carry(CallID)
        /// The certificates of a device are looked for again.
        case certificate(DeviceID)
        /// Requests go out, though our certificates may not be stored yet.
        case introduction
    }

    let configuration: Configuration
    let account: Account
    let clock: WallClock
    var random: RandomSource

    var dht: DHT
    var userAgent: UserAgent
    var links: [LinkID: LinkRecord] = [:]
    /// The links in the order they were made, for everything whose order shows.
    var linkOrder: [LinkID] = []
    var calls: [CallID: CallMachine] = [:]
    var callOrder: [CallID] = []
    /// The links below SIP's flows.
    var flowLinks: [FlowID: LinkID] = [:]
    /// Which call a SIP call belongs to.
    var sipCalls: [SIPLite.CallID: CallID] = [:]
    var errands: [Errand: ErrandRecord] = [:]
    /// The calls whose link went with an address of ours.
    var stranded: [CallID: StrandedCall] = [:]
    var messagesInFlight: [SIPLite.MessageID: (message: MessageNumber, link: LinkID)] = [:]
    var certificateSearches: [DeviceID: CertificateSearch] = [:]
    var knownDevices: KnownDevices
    package internal(set) var contacts: ContactList
    var presences: [AccountID: Presence] = [:]
    /// Accounts that want to be contacts and were not answered.
    var contactRequests: [AccountID: TrustRequest] = [:]
    /// Accounts that were called in this run.
    var calledAccounts: BoundedSet<AccountID>

    var operations: [OperationID: Operation] = [:]
    var work: [WorkID: Purpose] = [:]
    var timers = TimerTable<Timer>()
    var inbox: RequestInbox
    /// The families in which the DHT answers.
    var connectedFamilies: [IPAddress.Family] = []

    var unstoredCertificates = 0
    private var lastNumber: UInt64 = 0
    private var lastCall: UInt64 = 0

    /// - Parameter treatedRequests: identifiers of requests answered in earlier runs, oldest first.
    package init(
        account: Account, configuration: Configuration, contacts: ContactList = ContactList(),
        treatedRequests: [UInt64] = [], clock: WallClock, random: RandomSource
    ) {
        self.account = account
        self.configuration = configuration
        self.clock = clock
        self.random = random
        dht = DHT(
            configuration: configuration.dht, id: NodeID(hashing: "node:\(account.deviceID)"), clock: clock,
            random: self.random.split())
        userAgent = UserAgent(configuration: configuration.sip, random: self.random.split())
        inbox = RequestInbox(treated: treatedRequests, limit: configuration.treatedRequestLimit)
        self.contacts = contacts
        calledAccounts = BoundedSet(limit: configuration.knownDeviceLimit)
        knownDevices = KnownDevices(limit: configuration.knownDeviceLimit)
    }

    /// Whether there is no call and no link, so that nothing is open but the DHT.
    package var isIdle: Bool { calls.isEmpty && links.isEmpty }

    /// Whether a node that ends should wait a moment, as last messages have to get through.
    package var isBusy: Bool {
        !calls.isEmpty || userAgent.awaitsResponses || links.keys.contains(where: isUnfinished)
    }

    // MARK: - Beginning

    /// Joins the DHT through these nodes. Legal again whenever they change.
    package mutating func bootstrap(_ endpoints: [Endpoint], at now: Instant) -> [Effect] {
        introduce(dht.bootstrap(endpoints, at: now), at: now)
    }

    /// Takes up a node of the DHT on one of the machine's links.
    package mutating func meet(_ neighbour: KnownNode, at now: Instant) -> [Effect] {
        introduce(dht.insert([neighbour], at: now), at: now)
    }

    /// The machine's addresses or ways out changed; sessions are told of theirs by themselves, and before.
    package mutating func networkChanged(at now: Instant) -> [Effect] {
        introduce(dht.connectivityChanged(at: now), at: now) + seekLinks(at: now)
    }

    // MARK: - Time

    package var deadline: Instant? {
        var earliest = earlier(earlier(dht.deadline, userAgent.deadline), timers.deadline)
        for link in linkOrder {
            earliest = earlier(earlier(earliest, links[link]?.machine.deadline), links[link]?.multiplexer?.deadline)
        }
        for call in callOrder { earliest = earlier(earliest, calls[call]?.deadline) }
        return earliest
    }

    package mutating func advance(to now: Instant) -> [Effect] {
        var effects = introduce(dht.advance(to: now), at: now)
        for link in linkOrder where isDue(links[link]?.machine.deadline, at: now) {
            effects += introduce(links[link]?.machine.advance(to: now) ?? [], of: link, at: now)
        }
        for link in linkOrder where isDue(links[link]?.multiplexer?.deadline, at: now) {
            effects += introduce(links[link]?.multiplexer?.advance(to: now) ?? [], of: link, at: now)
        }
        if isDue(userAgent.deadline, at: now) { effects += introduce(userAgent.advance(to: now), at: now) }
        for call in callOrder where isDue(calls[call]?.deadline, at: now) {
            effects += introduce(calls[call]?.advance(to: now) ?? [], of: call, at: now)
        }
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .closeLink(let link): effects += close(link, at: now)
            case .askOtherwise(let link): effects += askOtherwise(link, at: now)
            case .doubt(let link): effects += failed(link, because: .connectionLost, at: now)
            case .settling(let link): effects += serve(link, at: now)
            case .carry(let call): effects += seekLink(for: call, at: now)
            case .certificate(let device): effects += searchCertificate(of: device, at: now)
            case .introduction: effects += sendHeldRequests(at: now)
            }
        }
        return effects
    }

    private func isDue(_ deadline: Instant?, at now: Instant) -> Bool { deadline.map { $0 <= now } ?? false }

    // MARK: - Numbers

    mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    mutating func nextCall() -> CallID {
        lastCall += 1
        return CallID(rawValue: lastCall)
    }

    mutating func begin(_ operation: Operation) -> OperationID {
        let id = OperationID(nextNumber())
        operations[id] = operation
        return id
    }

    mutating func begin(_ piece: Work, for purpose: Purpose) -> Effect {
        let id = WorkID(rawValue: nextNumber())
        work[id] = purpose
        return .work(id, piece)
    }
}

extension NodeCore {
    /// What a node does and how much it takes on.
    package struct Configuration: Sendable {
        package var dht = SwiftDHT.Configuration()
        package var ice = SwiftICE.Configuration()
        package var sip = UserAgent.Configuration()
        package var linkTiming = ControlLink.Timing()
        /// What control links run over, in order of preference.
        package var transports: [SessionTransport] = [.tcp, .udp]
        /// The flows that are spoken, as requester and when asked; stock peers speak one each.
        package var dialects = Dialect.allCases
        /// The forms of device ids under which the device is known and looks for others: OpenDHT before 3.5 knows
        /// devices by their short id, from 4.x on by their long one.
        package var idForms = DeviceIDForm.allCases
        /// Whether peers are told that we are no stock peer, which opens what only two Swiftlets can do.
        package var offersExtension = true
        /// How long a device may leave a request unanswered before it is asked in the way of the other flow.
        package var otherwiseDelay = Duration.seconds(3)
        /// How chains of peers are judged.
        package var trust: Trust = {
            var trust = Trust()
            // The first Jami checks that the subject names the key, and so do we.
            trust.requiresUserID = true
            return trust
        }()
        /// The vCard shown to peers; empty for none.
        package var profile = ""
        /// How many requests of earlier times are remembered, so that none is answered twice.
        package var treatedRequestLimit = 4096
        /// How many values at our request key may be decrypted at a time: each takes milliseconds.
        package var openingLimit = 16
        /// How many values at our request key may wait to be decrypted; beyond that the oldest are never looked at.
        package var unopenedLimit = 256
        /// How many senders' certificates may be looked for at a time.
        package var pendingRequestLimit = 32
        /// How long a channel that a stock peer accepted stays unused: jamid 13.7.0 accepts before it is ready, and a
        /// message that comes by then can lock it up for good.
        package var channelSettlingTime: Duration = .milliseconds(50)
        /// How many links may exist.
        package var linkLimit = 128
        /// How many links may be asked for by one device at a time.
        package var linksPerDeviceLimit = 4
        /// How many calls may exist.
        package var callLimit = 32
        /// How many calls with one account may exist: nobody alone keeps others from calling.
        package var callsPerAccountLimit = 8
        /// How many channels for SIP a link may have: peers use one at a time, and may open the next before the last one
        /// is closed.
        package var flowsPerLinkLimit = 8
        /// How many devices of one account are contacted.
        package var deviceLimit = 16
        /// Whether accounts that are no contacts may call and write.
        package var acceptsStrangers = true
        /// How many contacts are watched.
        package var presenceLimit = 256
        /// How many accounts may ask to be contacts and wait for an answer.
        package var contactRequestLimit = 64
        /// How many devices are remembered with their accounts, and how many accounts that were called.
        package var knownDeviceLimit = 1024
        /// How long a link of the first flow that a peer asked for may stay without a call.
        package var idleLinkTime: Duration = .seconds(60)
        /// How long a link may wait for the next call in either direction, where its flow keeps links.
        package var warmLinkTime: Duration = .seconds(3600)
        /// How long a link stays after its call, so that the last messages get through.
        package var lingerTime: Duration = .seconds(1)

        /// The usual limits; stock peers' timing.
        package init() {}
    }
}

/// A form of device ids, and with it of keys on the DHT.
package enum DeviceIDForm: Hashable, Sendable, CaseIterable {
    /// SHA-1 of the public key.
    case short
    /// SHA-256 of the public key.
    case long
}
