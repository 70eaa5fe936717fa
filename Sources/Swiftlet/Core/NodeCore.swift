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
        let chain: CertificateChain
        var displayName: String

        package init(_ identity: Identity, displayName: String) {
            accountID = identity.accountID
            deviceID = identity.deviceID
            chain = identity.chain
            self.displayName = displayName
        }
    }

    /// A running operation of the DHT, and what for.
    enum Operation: Hashable, Sendable {
        /// Our certificate or announcement is being stored.
        case publishing(isAnnouncement: Bool)
        /// Requests to us are listened for.
        case requests
        /// The devices of an account are looked for.
        case devices(Errand)
        /// The certificate of the device at the end of a link that we ask for.
        case linkCertificate(LinkID)
        /// Replies to the request of a link.
        case replies(LinkID)
        /// The certificate of a device that asks for a link.
        case requestCertificate(DeviceID)
        /// A request or reply of ours is being stored.
        case sending
    }

    /// What a piece of work is for.
    enum Purpose: Sendable {
        case announcement
        /// A request or reply, to be put at this key for a link.
        case description(LinkID, key: InfoHash)
        case incomingRequest
        case reply(LinkID)
    }

    enum Timer: Hashable, Sendable {
        /// A link without further use is closed.
        case closeLink(LinkID)
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
    /// Which call a SIP call belongs to.
    var sipCalls: [SIPLite.CallID: CallID] = [:]
    var errands: [Errand: ErrandRecord] = [:]
    var messagesInFlight: [SIPLite.MessageID: (message: MessageNumber, link: LinkID)] = [:]

    var operations: [OperationID: Operation] = [:]
    var work: [WorkID: Purpose] = [:]
    var timers = TimerTable<Timer>()
    var inbox: RequestInbox
    /// The families in which the DHT answers.
    var connectedFamilies: [IPAddress.Family] = []

    private var unstoredCertificates = 0
    private var lastNumber: UInt64 = 0
    private var lastCall: UInt64 = 0

    /// - Parameter treatedRequests: identifiers of requests answered in earlier runs, oldest first.
    package init(
        account: Account, configuration: Configuration, treatedRequests: [UInt64] = [], clock: WallClock,
        random: RandomSource
    ) {
        self.account = account
        self.configuration = configuration
        self.clock = clock
        self.random = random
        dht = DHT(
            configuration: configuration.dht, id: NodeID(hashing: "node:\(account.deviceID)"), verifier: KeyVerifier(),
            clock: clock, random: self.random.split())
        userAgent = UserAgent(configuration: configuration.sip, random: self.random.split())
        inbox = RequestInbox(treated: treatedRequests, limit: configuration.treatedRequestLimit)
    }

    /// Whether there is no call and no link, so that nothing is open but the DHT.
    package var isIdle: Bool { calls.isEmpty && links.isEmpty }

    // MARK: - Beginning

    /// Joins the DHT through these nodes. Legal again whenever they change.
    package mutating func bootstrap(_ endpoints: [Endpoint], at now: Instant) -> [Effect] {
        introduce(dht.bootstrap(endpoints, at: now), at: now)
    }

    /// Makes the device known to others and listens for their requests.
    ///
    /// The certificate goes first: who finds the announcement looks for the certificate at once.
    package mutating func publish(at now: Instant) -> [Effect] {
        let certificate = Value(
            id: Value.ID(1), data: PackedCertificate.encode(account.chain), type: .certificate)
        let device = account.chain.device
        var effects: [Effect] = []
        // OpenDHT before 3.5 looks under the short id only, from 4.x on under the hash of the long one.
        let keys = [InfoHash(device.shortID), InfoHash(hashing: device.longID.bytes)]
        unstoredCertificates = keys.count
        for key in keys {
            let operation = begin(.publishing(isAnnouncement: false))
            effects += introduce(
                dht.put(certificate, at: key, permanently: true, as: operation, at: now), at: now)
        }
        let operation = begin(.requests)
        return effects
            + introduce(dht.listen(requestKey(of: account.deviceID), as: operation, at: now), at: now)
    }

    /// A certificate is stored, or will be when the DHT can be reached; with the last one the announcement follows.
    mutating func certificateStored() -> [Effect] {
        unstoredCertificates -= 1
        guard unstoredCertificates == 0 else { return [] }
        let device = account.chain.device
        let announcement = DeviceAnnouncement(device: account.deviceID.bytes, publicKey: device.publicKeyDER)
        let body = ValueBody(type: .userData, data: announcement.encoded)
        return [begin(.sign(body, id: .random(using: &random)), for: .announcement)]
    }

    // MARK: - Time

    package var deadline: Instant? {
        var earliest = earlier(earlier(dht.deadline, userAgent.deadline), timers.deadline)
        for link in linkOrder { earliest = earlier(earliest, links[link]?.machine.deadline) }
        for call in callOrder { earliest = earlier(earliest, calls[call]?.deadline) }
        return earliest
    }

    package mutating func advance(to now: Instant) -> [Effect] {
        var effects = introduce(dht.advance(to: now), at: now)
        for link in linkOrder where isDue(links[link]?.machine.deadline, at: now) {
            effects += introduce(links[link]?.machine.advance(to: now) ?? [], of: link, at: now)
        }
        if isDue(userAgent.deadline, at: now) { effects += introduce(userAgent.advance(to: now), at: now) }
        for call in callOrder where isDue(calls[call]?.deadline, at: now) {
            effects += introduce(calls[call]?.advance(to: now) ?? [], of: call, at: now)
        }
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .closeLink(let link): effects += close(link, at: now)
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

    /// Where requests for a device, and the replies to them, are put.
    func requestKey(of device: DeviceID) -> InfoHash { InfoHash(hashing: "callto:\(device)") }
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
        /// How chains of peers are judged.
        package var trust: Trust = {
            var trust = Trust()
            // The first Jami checks that the subject names the key, and so do we.
            trust.requiresUserID = true
            return trust
        }()
        /// What devices are taken for that do not say what they are.
        package var presumedTraits = PeerTraits()
        /// The vCard shown to peers; empty for none.
        package var profile = ""
        /// How many requests of earlier times are remembered, so that none is answered twice.
        package var treatedRequestLimit = 4096
        /// How many values at our request key may be decrypted at a time: each takes milliseconds.
        package var openingLimit = 16
        /// How many senders' certificates may be looked for at a time.
        package var pendingRequestLimit = 32
        /// How many links may exist.
        package var linkLimit = 128
        /// How many links may be asked for by one device at a time.
        package var linksPerDeviceLimit = 4
        /// How many calls may exist.
        package var callLimit = 32
        /// How many devices of one account are contacted.
        package var deviceLimit = 16
        /// How long a link may stay without a call.
        package var idleLinkTime: Duration = .seconds(60)
        /// How long a link stays after its call, so that the last messages get through.
        package var lingerTime: Duration = .seconds(1)

        /// The usual limits; stock peers' timing.
        package init() {}
    }
}

/// How a chain is stored on the DHT: its PEM text as a MessagePack `bin`.
enum PackedCertificate {
    static func encode(_ chain: CertificateChain) -> [UInt8] {
        var writer = MessagePackWriter(capacity: chain.pem.utf8.count + 5)
        writer.write(Array(chain.pem.utf8))
        return writer.bytes
    }
}
