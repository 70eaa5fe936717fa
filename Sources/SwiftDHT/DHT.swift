public import SansIO

/// One node of the network, in IPv4 and IPv6 at the same time.
public struct DHT: Machine {
    let configuration: Configuration
    let id: NodeID
    let verifier: any ValueVerifier
    let clock: WallClock
    var random: RandomSource

    /// The identifier under which this node is known.
    public var nodeID: NodeID { id }

    /// Creates a node that knows nobody.
    public init(
        configuration: Configuration, id: NodeID, verifier: any ValueVerifier, clock: WallClock, random: RandomSource
    ) {
        self.configuration = configuration
        self.id = id
        self.verifier = verifier
        self.clock = clock
        self.random = random
    }

    /// When `advance(to:)` next has something to do.
    public var deadline: Instant? { nil }

    /// Fires every timer due.
    public mutating func advance(to now: Instant) -> [Effect] { [] }

    /// Pings `endpoints`, and again with growing pauses while disconnected.
    public mutating func bootstrap(_ endpoints: [Endpoint], at now: Instant) -> [Effect] { [] }

    /// Inserts nodes remembered from an earlier run, and pings them.
    public mutating func insert(_ nodes: [KnownNode], at now: Instant) -> [Effect] { [] }

    /// Takes one datagram.
    public mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [Effect] { [] }

    /// Reports that nothing can be sent to `endpoint` (ENETUNREACH and the like).
    public mutating func sendFailed(to endpoint: Endpoint, at now: Instant) -> [Effect] { [] }

    /// Reports that local addresses or routes changed: bootstraps again at once.
    public mutating func connectivityChanged(at now: Instant) -> [Effect] { [] }

    /// Looks for values.
    public mutating func get(
        _ key: InfoHash, matching query: ValueQuery = .all, as operation: OperationID, at now: Instant
    ) -> [Effect] { [] }

    /// Stores a value.
    public mutating func put(
        _ value: Value, at key: InfoHash, permanently: Bool = false, as operation: OperationID, at now: Instant
    ) -> [Effect] { [] }

    /// Reports values as they come and go, until cancelled.
    public mutating func listen(
        _ key: InfoHash, matching query: ValueQuery = .all, as operation: OperationID, at now: Instant
    ) -> [Effect] { [] }

    /// Ends an operation without a further effect for it.
    public mutating func cancel(_ operation: OperationID, at now: Instant) -> [Effect] { [] }

    /// How well the node is connected in one family.
    public func status(of family: IPAddress.Family) -> Status { .disconnected }

    /// Good nodes to remember for the next start, those closest to us first.
    public func goodNodes(_ family: IPAddress.Family, limit: Int, at now: Instant) -> [KnownNode] { [] }

    /// What happened so far.
    public private(set) var counters = Counters()
}
