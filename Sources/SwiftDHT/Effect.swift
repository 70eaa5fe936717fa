public import SansIO

extension DHT {
    /// What the node asks of its driver, and tells the application.
    public enum Effect: Hashable, Sendable {
        /// Send a datagram.
        case send([UInt8], to: Endpoint)
        /// A get or listen found a value, new or in place of one with the same identifier.
        case value(Value, for: OperationID)
        /// A query found a row of fields that it had not found before.
        case row(FieldRow, for: OperationID)
        /// A value that a listen reported is gone: expired or removed at every node that had it.
        case expired(Value.ID, for: OperationID)
        /// A get or put came to its end; of a permanent put, its first round. A listen only ends when refused.
        case finished(OperationID, Outcome)
        /// Find out whether a value is what it says, off the node's thread, and report it with
        /// ``DHT/examined(_:_:at:)``. At most ``Configuration/examinationConcurrency`` are out at a time.
        case examine(Value, as: ExaminationID)
        /// The connection of one family changed.
        case status(Status, IPAddress.Family)
        /// The address most others see us at changed.
        case observedAddress(IPAddress)
        /// Input was refused.
        case ignored(Reason)
    }

    /// How a get or put ended.
    public enum Outcome: Hashable, Sendable {
        /// The closest nodes answered; for a put: stored it. The count is of both families together.
        case completed(nodes: Int)
        /// Nobody was reachable within ``Configuration/operationTimeout``.
        case noNodes
        /// Nodes were known, but none answered, or a limit of ``Configuration`` was reached.
        case failed
    }

    /// How well the node is connected.
    public enum Status: Hashable, Sendable {
        /// Nobody is known.
        case disconnected
        /// Somebody is known, but has not answered lately.
        case connecting
        /// At least one good node is known.
        case connected
    }

    /// Why input was refused.
    public enum Reason: Hashable, Sendable {
        /// The datagram is not of the protocol.
        case malformed(WireError)
        /// The datagram is of another network.
        case otherNetwork
        /// The sender uses our identifier.
        case ownIdentifier
        /// The source address cannot be a node's.
        case martian
        /// The sender is banned.
        case banned
        /// The sender asks too much.
        case rateLimited
        /// The sender's address is not proven, and too much waits for a proof already.
        case unproven
        /// A reply or update nobody waits for.
        case unsolicited
        /// Fragments nobody waits for, or over a limit.
        case strayFragment
        /// A limit of ``Configuration`` was reached.
        case overLimit
        /// The operation identifier is in use or unknown.
        case operationIdentifier
        /// The examination was not asked for.
        case examinationIdentifier
    }

    /// What happened since the node was created.
    public struct Counters: Hashable, Sendable {
        /// Datagrams received.
        public var datagramsReceived = 0
        /// Datagrams refused.
        public var datagramsIgnored = 0
        /// Datagrams sent.
        public var datagramsSent = 0
        /// Requests answered.
        public var requestsServed = 0
        /// Requests sent, repetitions not counted.
        public var requestsSent = 0
        /// Requests repeated.
        public var requestsRepeated = 0
        /// Requests that were never answered.
        public var requestsExpired = 0
        /// Values stored for others.
        public var valuesStored = 0
        /// Pushes sent to listeners.
        public var pushesSent = 0

        /// Starts at zero.
        public init() {}
    }
}

/// A node's identifier and address.
public struct KnownNode: Hashable, Sendable {
    /// The identifier.
    public let id: NodeID
    /// The address.
    public let endpoint: Endpoint

    /// Joins identifier and address.
    public init(id: NodeID, endpoint: Endpoint) {
        self.id = id
        self.endpoint = endpoint
    }
}

extension KnownNode {
    /// Reads an exported node.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = MessagePackReader(bytes.span)
        try self.init(from: &reader)
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout MessagePackReader) throws(WireError) {
        var (id, endpoint): (NodeID?, Endpoint?) = (nil, nil)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case .identifier: id = try reader.readHash(.sender)
            case .socketAddress: endpoint = SocketAddress.decode(try reader.takeBinary())
            default: try reader.skip()
            }
        }
        guard let id else { throw .malformed(.sender, at: 0) }
        guard let endpoint else { throw .malformed(.address, at: 0) }
        self.init(id: id, endpoint: endpoint)
    }

    /// The exported form.
    public var packed: [UInt8] {
        var writer = MessagePackWriter(capacity: 64)
        writer.writeMapHeader(2)
        writer.write(Key.identifier)
        id.write(to: &writer)
        writer.write(Key.socketAddress)
        writer.write(SocketAddress.encode(endpoint))
        return writer.bytes
    }
}
