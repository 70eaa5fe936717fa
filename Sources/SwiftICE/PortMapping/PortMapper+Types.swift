public import SansIO

extension PortMapper {
    /// The limits and intervals.
    public struct Configuration: Hashable, Sendable {
        /// The lifetime asked for; renewed at half of what is granted.
        public var lifetime = Duration.seconds(7_200)
        /// What gateways with a list of mappings show there; of letters, digits and spaces.
        public var description = "swiftlet"
        /// How many mappings may be asked for.
        public var mappingLimit = 32
        /// The wait after the first of the requests over UDP; it doubles.
        public var firstWait = Duration.milliseconds(250)
        /// How many times a request over UDP is sent.
        public var attempts = 3
        /// How long a better way may take longer to answer than a worse one.
        public var preferenceDelay = Duration.milliseconds(30)
        /// How many times UPnP devices are searched for.
        public var searches = 2
        /// The time between two searches.
        public var searchInterval = Duration.milliseconds(100)
        /// How long to wait for answers after the last search; devices answer within 2 s.
        public var searchPatience = Duration.milliseconds(2_500)
        /// How many descriptions of devices are read.
        public var locationLimit = 4
        /// How long one exchange over HTTP may take, the connection included.
        public var exchangeTimeout = Duration.seconds(4)
        /// How many times another port or lifetime is tried with UPnP.
        public var conflictLimit = 4
        /// The shortest time between two renewals of a mapping.
        public var renewalFloor = Duration.seconds(5)
        /// The wait before a renewal that failed is tried again.
        public var renewalRetry = Duration.seconds(30)
        /// How long after a failure the gateway is probed again; doubles up to ``probeIntervalLimit``.
        public var probeInterval = Duration.seconds(60)
        /// The longest time between two probes.
        public var probeIntervalLimit = Duration.seconds(3_600)
        /// How long the ends of mappings may take when the mapper closes.
        public var closePatience = Duration.seconds(1)

        /// The usual limits.
        public init() {}
    }

    /// A mapping as its owner knows it.
    public struct MappingID: Hashable, Sendable {
        /// Counts from 1.
        public let number: UInt64
    }

    /// A connection to the gateway for one request over HTTP.
    public struct ConnectionID: Hashable, Sendable {
        /// Counts from 1.
        public let number: UInt64
    }

    /// What the mapper asks of its driver, and tells it.
    public enum Effect: Hashable, Sendable {
        /// Send a datagram from the socket at our own address.
        case send([UInt8], to: Endpoint)
        /// Open a connection from our own address, then call `connected(_:at:)` or `closed(_:at:)`.
        case connect(ConnectionID, to: Endpoint)
        /// Write to a connection.
        case write([UInt8], on: ConnectionID)
        /// Close a connection.
        case close(ConnectionID)
        /// The gateway can be asked in this way.
        case available(PortMapping.Method)
        /// A mapping stands, or changed.
        case mapped(MappingID, PortMapping)
        /// A mapping stands no more; it is asked for again.
        case lost(MappingID)
        /// A mapping cannot be had now; it is asked for again later.
        case failed(MappingID, Failure)
        /// All mappings were given back. The last effect.
        case closed
        /// Input that changes nothing.
        case ignored(Refusal)
    }

    /// Why a mapping cannot be had.
    public enum Failure: Error, Hashable, Sendable {
        /// The gateway speaks none of the protocols.
        case noGateway
        /// The gateway does not answer any more.
        case noAnswer
        /// The gateway refuses, with its own code in the protocol it was asked in last.
        case refused(PortMapping.Method, code: UInt16)
        /// Too many mappings are asked for, or the mapper closes.
        case overLimit
    }

    /// Why input changes nothing.
    public enum Refusal: Hashable, Sendable {
        /// It does not come from the gateway.
        case stranger(Endpoint)
        /// It cannot be read.
        case malformed(WireError)
        /// Nobody waits for it.
        case unexpected
        /// It leads to another host.
        case elsewhere
        /// The mapper is closed.
        case closed
    }
}
