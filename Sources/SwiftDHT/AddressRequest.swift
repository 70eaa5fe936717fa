public import SansIO

/// One ping from any socket to a node of the DHT, which answers at which address it sees that socket.
///
/// Every node tells the address; nodes like this one tell the port as well. The ping is a client's and carries an
/// identifier of its own, so that nobody takes the socket for a node. Order of use: ``start(at:)``, then feed datagrams of
/// the socket to ``receive(_:from:at:)`` until it answers or fails.
public struct AddressRequest: Machine {
    /// What the request asks of its driver.
    public enum Effect: Hashable, Sendable {
        /// Send a datagram to the node.
        case send([UInt8], to: Endpoint)
        /// The node sees the socket there; `roundTrip` is `nil` after repetitions, when it cannot be told which was answered.
        case answered(IPAddress, port: UInt16?, roundTrip: Duration?)
        /// The node did not answer in time, or does not tell.
        case failed
        /// A datagram that is not the answer.
        case ignored
    }

    private enum Phase {
        case idle
        case waiting(attempt: Int, since: Instant)
        case done
    }

    /// How many times the ping is sent.
    public static let attempts = 3
    /// The wait after the first time; it doubles.
    public static let firstWait = Duration.milliseconds(250)

    /// The node asked.
    public let node: Endpoint
    /// When the ping is repeated or given up.
    public private(set) var deadline: Instant?
    private let transaction: UInt32
    private let network: UInt32
    private let packet: [UInt8]
    private var phase = Phase.idle

    /// Prepares a ping in the network of `configuration`; `random` gives its identifiers.
    public init(asking node: Endpoint, configuration: Configuration = Configuration(), random: inout RandomSource) {
        self.node = node
        network = configuration.network
        transaction = UInt32.random(in: .min ... .max, using: &random)
        let sender = NodeID.random(using: &random)
        packet =
            Packet(
                .request(Request(sender: sender, method: .ping)), transaction: transaction,
                network: configuration.network, isClient: true, agent: configuration.agent
            ).encoded
    }

    /// Sends the ping for the first time; legal once.
    public mutating func start(at now: Instant) -> [Effect] {
        guard case .idle = phase else { return [] }
        return transmit(attempt: 1, since: now, at: now)
    }

    /// Takes a datagram that arrived on the socket.
    public mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [Effect] {
        guard case .waiting(let attempt, let since) = phase, source.unmapped == node.unmapped,
            let packet = try? Packet(datagram), packet.transaction == transaction, packet.network == network,
            case .reply(let reply) = packet.message
        else { return [.ignored] }
        finish()
        guard let address = reply.observed else { return [.failed] }
        return [.answered(address, port: reply.observedPort, roundTrip: attempt == 1 ? since.duration(to: now) : nil)]
    }

    /// Repeats the ping, or gives it up after the last wait.
    public mutating func advance(to now: Instant) -> [Effect] {
        guard let deadline, deadline <= now, case .waiting(let attempt, let since) = phase else { return [] }
        guard attempt < Self.attempts else {
            finish()
            return [.failed]
        }
        return transmit(attempt: attempt + 1, since: since, at: now)
    }

    private mutating func transmit(attempt: Int, since: Instant, at now: Instant) -> [Effect] {
        phase = .waiting(attempt: attempt, since: since)
        deadline = now.advanced(by: Self.firstWait * (1 << (attempt - 1)))
        return [.send(packet, to: node)]
    }

    private mutating func finish() { (phase, deadline) = (.done, nil) }
}
