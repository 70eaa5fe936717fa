public import SansIO

/// Finds every node of a network by asking each for others: a census, not a member.
///
/// Each node is first asked for its own neighbours, which tells its software and round-trip time too. Then the ranges of
/// identifiers are asked for, each at a few of the nodes nearest to it, in ranges so small that their nodes fit into one
/// answer. Nobody is asked twice for the same, no more than ``Configuration/requestsPerSecond`` requests leave, and the
/// crawler says that it is a client, which nobody lists.
public struct Crawl: Machine {
    /// How much is asked.
    public struct Configuration: Hashable, Sendable {
        /// The network's number.
        public var network: UInt32 = 0
        /// How the crawler calls itself on the wire.
        public var agent = SwiftDHT.Configuration().agent
        /// Requests that leave in a second, to all nodes together.
        public var requestsPerSecond = 64
        /// Endpoints that are asked; further ones are counted only.
        public var nodeLimit = 20_000
        /// How often a request is sent before its node counts as silent.
        public var attempts = 2
        /// How long an answer is waited for.
        public var patience: Duration = .seconds(2)
        /// How many nodes are asked for each range.
        public var nodesPerRange = 2

        /// A pace that is felt by nobody.
        public init() {}
    }

    /// What the machine asks of its driver, and reports.
    public enum Effect: Hashable, Sendable {
        /// Send a datagram.
        case send([UInt8], to: Endpoint)
        /// A node answered for the first time.
        case found(Node)
        /// Nothing is left to ask.
        case finished(Summary)
        /// A datagram was refused.
        case ignored(DHT.Reason)
    }

    /// A node that answered.
    public struct Node: Hashable, Sendable {
        /// Where it is.
        public var node: KnownNode
        /// How its software calls itself; empty where it does not.
        public var agent: String
        /// How long the first answer took, if it came to the first request.
        public var roundTrip: Duration?
    }

    /// What was found so far.
    public struct Summary: Hashable, Sendable {
        /// Endpoints that answered.
        public var answering = 0
        /// Endpoints that were named and asked, and did not answer.
        public var silent = 0
        /// How often endpoints beyond ``Configuration/nodeLimit`` were named.
        public var unasked = 0
        /// Requests sent, repetitions among them.
        public var requests = 0
        /// How many nodes the network has in each family, from how close together those of answers lie; `nil` where no
        /// answer was full.
        public var estimate: [IPAddress.Family: Double] = [:]

        /// Nothing yet.
        public init() {}
    }

    /// What there is to know of an endpoint.
    private struct Record: Sendable {
        var id: NodeID?
        var hasAnswered = false
        /// Lengths of the ranges it was asked for.
        var asked: Set<Int> = []
    }

    /// A request that is to be sent, or waits for its answer.
    private struct Question: Sendable {
        let endpoint: Endpoint
        let target: NodeID
        var attempt = 0
        var sent = Instant.zero
    }

    private enum Timer: Hashable, Sendable {
        case pace
        case answer(UInt32)
    }

    private let configuration: Configuration
    private let id: NodeID
    private var random: RandomSource
    private var timers = TimerTable<Timer>()
    private var records: [Endpoint: Record] = [:]
    /// Endpoints in the order they were named, as nothing may depend on hashing.
    private var order: [Endpoint] = []
    private var queue: [Question] = []
    private var next = 0
    private var pending: [UInt32: Question] = [:]
    private var lastTransaction: UInt32
    private var ranges: [Range: Int] = [:]
    private var densities: [IPAddress.Family: Density] = [:]
    private var isFinished = false
    /// What was found so far.
    public private(set) var summary = Summary()

    /// The identifiers that share their first bits with one of them.
    private struct Range: Hashable, Sendable {
        let first: NodeID
        let length: Int
        let family: IPAddress.Family
    }

    /// Prepares a census under an identifier of its own.
    public init(configuration: Configuration = Configuration(), random: RandomSource) {
        self.configuration = configuration
        self.random = random
        id = NodeID.random(using: &self.random)
        lastTransaction = UInt32(truncatingIfNeeded: self.random.next())
    }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? { timers.deadline }

    /// Begins with these nodes; legal again with others.
    public mutating func start(with endpoints: [Endpoint], at now: Instant) -> [Effect] {
        for endpoint in endpoints { learn(endpoint, id: nil) }
        return proceed(at: now)
    }

    /// Takes one datagram.
    public mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [Effect] {
        let source = source.unmapped
        let packet: Packet
        do throws(WireError) { packet = try Packet(datagram) } catch { return [.ignored(.malformed(error))] }
        guard packet.network == configuration.network else { return [.ignored(.otherNetwork)] }
        if case .request(let request) = packet.message { return answer(request, packet.transaction, to: source) }
        guard case .reply(let reply) = packet.message, let question = pending[packet.transaction],
            question.endpoint == source
        else { return [.ignored(.unsolicited)] }
        pending[packet.transaction] = nil
        timers.cancel(.answer(packet.transaction))
        measure(reply, for: question)
        for node in reply.nodes4 + reply.nodes6 {
            var endpoint = node.endpoint
            if endpoint.address.isLoopback, endpoint.address.family == source.address.family {
                endpoint = Endpoint(source.address, port: endpoint.port, scope: source.scope)
            }
            learn(endpoint, id: node.id)
        }
        let isNew = records[source]?.hasAnswered == false
        records[source]?.hasAnswered = true
        records[source]?.id = reply.sender
        guard isNew else { return proceed(at: now) }
        summary.answering += 1
        let roundTrip = question.attempt == 1 ? question.sent.duration(to: now) : nil
        let found = Node(
            node: KnownNode(id: reply.sender, endpoint: source), agent: packet.agent, roundTrip: roundTrip)
        return [.found(found)] + proceed(at: now)
    }

    /// Reports that nobody listens at `endpoint`, as the network says: no answer is waited for, but the node is asked as
    /// often as any other.
    public mutating func refused(by endpoint: Endpoint, at now: Instant) -> [Effect] {
        let owed = pending.filter { $0.value.endpoint == endpoint }.keys.sorted()
        guard !owed.isEmpty else { return [.ignored(.unsolicited)] }
        for transaction in owed {
            timers.cancel(.answer(transaction))
            wasNotAnswered(transaction)
        }
        return proceed(at: now)
    }

    /// Sends what is due, and gives up on what was not answered.
    public mutating func advance(to now: Instant) -> [Effect] {
        while let timer = timers.popDue(at: now) {
            if case .answer(let transaction) = timer { wasNotAnswered(transaction) }
        }
        return proceed(at: now)
    }

    private mutating func wasNotAnswered(_ transaction: UInt32) {
        guard let question = pending.removeValue(forKey: transaction) else { return }
        if question.attempt < configuration.attempts {
            queue.append(question)
        } else if records[question.endpoint]?.hasAnswered == false {
            summary.silent += 1
        }
    }

    /// Answers the ping of a node that is asked something: some want to know that an address is no lie first.
    private func answer(_ request: Request, _ transaction: UInt32, to source: Endpoint) -> [Effect] {
        guard case .ping = request.method, pending.values.contains(where: { $0.endpoint == source }) else {
            return [.ignored(.unsolicited)]
        }
        let reply = Packet(
            .reply(Reply(sender: id, seeing: source)), transaction: transaction,
            network: configuration.network, isClient: true, agent: configuration.agent)
        return [.send(reply.encoded, to: source)]
    }

    private mutating func learn(_ endpoint: Endpoint, id: NodeID?) {
        guard !endpoint.isMartian, id != self.id, records[endpoint] == nil else { return }
        guard records.count < configuration.nodeLimit else { return summary.unasked += 1 }
        records[endpoint] = Record(id: id)
        order.append(endpoint)
        // Whose identifier is not known is asked for ours: any answer tells it.
        queue.append(Question(endpoint: endpoint, target: id ?? self.id))
    }

    /// Sends one request if the pace allows; plans what to ask next when nothing is left.
    private mutating func proceed(at now: Instant) -> [Effect] {
        guard !isFinished, !timers.isSet(.pace) else { return [] }
        if next == queue.count {
            (queue, next) = ([], 0)
            planRanges()
        }
        guard next < queue.count else {
            guard pending.isEmpty, !order.isEmpty else { return [] }
            isFinished = true
            summary.estimate = densities.compactMapValues(\.estimate)
            return [.finished(summary)]
        }
        var question = queue[next]
        next += 1
        question.attempt += 1
        question.sent = now
        lastTransaction = lastTransaction == .max ? 1 : lastTransaction + 1
        pending[lastTransaction] = question
        timers.set(.answer(lastTransaction), at: now.advanced(by: configuration.patience))
        timers.set(.pace, at: now.advanced(by: .seconds(1) / max(1, configuration.requestsPerSecond)))
        summary.requests += 1
        let request = Request(sender: id, method: .find(target: question.target, want: [.v4, .v6]))
        let packet = Packet(
            .request(request), transaction: lastTransaction, network: configuration.network, isClient: true,
            agent: configuration.agent)
        return [.send(packet.encoded, to: question.endpoint)]
    }

    /// Asks nodes for the ranges beside their own, of every length down to about four nodes.
    private mutating func planRanges() {
        let answering = order.filter { records[$0]?.hasAnswered == true }
        let depth = max(0, (answering.count / 4).bitWidth - (answering.count / 4).leadingZeroBitCount)
        for endpoint in answering {
            guard let id = records[endpoint]?.id else { continue }
            for length in 0..<depth where records[endpoint]?.asked.contains(length) == false {
                let sibling = id.flippingBit(at: length).keeping(length + 1, then: .zero)
                let range = Range(first: sibling, length: length + 1, family: endpoint.address.family)
                guard ranges[range, default: 0] < configuration.nodesPerRange else { continue }
                ranges[range, default: 0] += 1
                records[endpoint]?.asked.insert(length)
                let target = sibling.keeping(length + 1, then: .random(using: &random))
                queue.append(Question(endpoint: endpoint, target: target))
            }
        }
    }

    /// Takes up how close to the target the nodes of a full answer lie.
    private mutating func measure(_ reply: Reply, for question: Question) {
        for (family, nodes) in [(IPAddress.Family.v4, reply.nodes4), (.v6, reply.nodes6)] where nodes.count >= 8 {
            let distances = nodes.map { $0.id.distance(to: question.target) }.sorted()
            densities[family, default: Density()].add(distances)
        }
    }
}

/// How many nodes a network has, judged by the distances of the nodes closest to some targets.
struct Density: Sendable {
    private var sum = 0.0
    private var count = 0

    /// Adds the sorted distances of the closest nodes to one target.
    mutating func add(_ distances: [NodeID]) {
        guard let farthest = distances.last,
            let size = SizeEstimate.size(rank: distances.count, fraction: farthest.fraction)
        else { return }
        sum += size
        count += 1
    }

    /// The mean of all estimates.
    var estimate: Double? { count > 0 ? sum / Double(count) : nil }
}
