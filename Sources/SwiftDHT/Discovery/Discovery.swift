public import SansIO

/// Finds nodes of the same network on the same links by multicast, so that no host needs to be known to begin with.
///
/// A node asks the group when it starts, after its interfaces changed, and with growing pauses while it is not
/// connected; it tells the group that it is there at the first two of these, and whoever asks. Everything said is
/// believed as little as a node that another one names: what is ``Effect/found(_:)`` is to be pinged.
public struct Discovery: Machine {
    /// What a node says, and how much of what others say it minds.
    public struct Configuration: Hashable, Sendable {
        /// The network's number; nodes of other networks are not found.
        public var network: UInt32 = 0
        /// Whether to tell others that the node is here; clients only ask.
        public var announces = true
        /// The pauses between questions while not connected; the last one repeats.
        public var pauses: [Duration] = [.seconds(10), .seconds(20), .seconds(40), .seconds(60)]
        /// Answers sent in a second: askers may lie about their address.
        public var answersPerSecond = 8
        /// How long one asker waits for another answer.
        public var answerInterval: Duration = .seconds(1)
        /// Nodes reported in a second.
        public var nodesPerSecond = 16

        /// The released implementations' pauses.
        public init() {}
    }

    /// What the machine asks of its driver.
    public enum Effect: Hashable, Sendable {
        /// Send a datagram to ``group(_:)`` of this family, over every interface that carries multicast.
        case multicast([UInt8], IPAddress.Family)
        /// Send a datagram to one node.
        case send([UInt8], to: Endpoint)
        /// A node of the network said that it is here.
        case found(KnownNode)
        /// A datagram was refused.
        case ignored(Reason)
    }

    /// Why a datagram was refused.
    public enum Reason: Hashable, Sendable {
        /// It is not of the protocol.
        case malformed(WireError)
        /// The announced node is of another network.
        case otherNetwork
        /// The announcement is our own, come back to us.
        case ownIdentifier
        /// No node can be at that address.
        case martian
        /// Too much was asked or announced in this second.
        case rateLimited
        /// A question over a family in which there is nothing to announce.
        case nothingToSay
    }

    /// The group and port of a family: organisation-local addresses (RFC 2365 §6.2, RFC 4291 §2.7).
    public static func group(_ family: IPAddress.Family) -> Endpoint {
        switch family {
        case .v4: Endpoint(.v4(0xEFC0_0001), port: 8888)
        case .v6: Endpoint(.v6(high: 0xFF08_0000_0000_0000, low: 0x101), port: 8888)
        }
    }

    private let configuration: Configuration
    private let id: NodeID
    private let ports: [IPAddress.Family: UInt16]
    private var timers = TimerTable<IPAddress.Family>()
    /// How often a family was asked since it was last connected.
    private var questions: [IPAddress.Family: Int] = [:]
    private var connected: Set<IPAddress.Family> = []
    private var answers = Allowance()
    private var reports = Allowance()
    private var askers: [Endpoint: Instant] = [:]

    /// How many askers are remembered for ``Configuration/answerInterval``.
    static let askerLimit = 64

    /// Prepares a node that is known as `id` and reached at these UDP ports; a family without one is left alone.
    public init(configuration: Configuration = Configuration(), id: NodeID, ports: [IPAddress.Family: UInt16]) {
        self.configuration = configuration
        self.id = id
        self.ports = ports
    }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? { timers.deadline }

    /// Says that the node is here and asks who else is. Legal again whenever the interfaces have changed.
    public mutating func start(at now: Instant) -> [Effect] {
        questions = [:]
        var effects: [Effect] = []
        for family in families {
            if let announcement = announcement(in: family) { effects.append(.multicast(announcement, family)) }
            effects += ask(family, at: now)
        }
        return effects
    }

    /// Takes up whether the DHT answers in a family: while it does nobody needs to be found.
    public mutating func connectionChanged(
        of family: IPAddress.Family, isConnected: Bool, at now: Instant
    ) -> [Effect] {
        guard ports[family] != nil, connected.contains(family) != isConnected else { return [] }
        questions[family] = 0
        guard isConnected else {
            connected.remove(family)
            // Neighbours notice the loss of a link at the same moment; the link may need the first pause to come back.
            schedule(family, at: now)
            return []
        }
        connected.insert(family)
        timers.cancel(family)
        return []
    }

    /// Takes one datagram, sent to the group or to us alone.
    public mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [Effect] {
        let source = source.unmapped
        guard !source.isMartian else { return [.ignored(.martian)] }
        let message: DiscoveryMessage
        do throws(WireError) { message = try DiscoveryMessage(datagram) } catch { return [.ignored(.malformed(error))] }
        switch message {
        case .query: return answer(source, at: now)
        case .announcement(let announcement): return [take(announcement, from: source, at: now)]
        }
    }

    /// Asks again in the families that are not connected.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let family = timers.popDue(at: now) { effects += ask(family, at: now) }
        return effects
    }

    private var families: [IPAddress.Family] { IPAddress.Family.allCases.filter { ports[$0] != nil } }

    private func announcement(in family: IPAddress.Family) -> [UInt8]? {
        guard configuration.announces, let port = ports[family] else { return nil }
        let announcement = DiscoveryMessage.Announcement(id: id, port: port, network: configuration.network)
        return DiscoveryMessage.announcement(announcement).encoded
    }

    private mutating func ask(_ family: IPAddress.Family, at now: Instant) -> [Effect] {
        if !connected.contains(family) { schedule(family, at: now) }
        return [.multicast(DiscoveryMessage.query.encoded, family)]
    }

    private mutating func schedule(_ family: IPAddress.Family, at now: Instant) {
        let count = questions[family, default: 0]
        questions[family] = count + 1
        guard let last = configuration.pauses.last else { return }
        let pause = count < configuration.pauses.count ? configuration.pauses[count] : last
        timers.set(family, at: now.advanced(by: pause))
    }

    private mutating func answer(_ asker: Endpoint, at now: Instant) -> [Effect] {
        guard let announcement = announcement(in: asker.address.family) else { return [.ignored(.nothingToSay)] }
        let interval = configuration.answerInterval
        if let last = askers[asker], last.duration(to: now) < interval { return [.ignored(.rateLimited)] }
        if askers.count >= Self.askerLimit { askers = askers.filter { $0.value.duration(to: now) < interval } }
        guard askers.count < Self.askerLimit, answers.take(configuration.answersPerSecond, at: now) else {
            return [.ignored(.rateLimited)]
        }
        askers[asker] = now
        return [.send(announcement, to: asker)]
    }

    private mutating func take(
        _ announcement: DiscoveryMessage.Announcement, from source: Endpoint, at now: Instant
    ) -> Effect {
        guard announcement.network == configuration.network else { return .ignored(.otherNetwork) }
        guard announcement.id != id else { return .ignored(.ownIdentifier) }
        let endpoint = source.with(port: announcement.port)
        guard !endpoint.isMartian, announcement.id != .zero else { return .ignored(.martian) }
        guard reports.take(configuration.nodesPerSecond, at: now) else { return .ignored(.rateLimited) }
        return .found(KnownNode(id: announcement.id, endpoint: endpoint))
    }
}

/// How much of something was used in the current second.
private struct Allowance: Sendable {
    private var began = Instant.zero
    private var used = 0

    /// Uses one of `limit` a second; `false` when they are used up.
    mutating func take(_ limit: Int, at now: Instant) -> Bool {
        if used == 0 || began.duration(to: now) >= .seconds(1) { (began, used) = (now, 0) }
        guard used < limit else { return false }
        used += 1
        return true
    }
}
