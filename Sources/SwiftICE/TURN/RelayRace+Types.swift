public import SansIO

extension RelayRace {
    /// The limits and intervals.
    public struct Configuration: Hashable, Sendable {
        /// The limits and intervals of each client.
        public var client = TURNClient.Configuration()
        /// How much later the next address is tried while no relay stands; at once after a failure (RFC 8305 §5).
        public var stagger = Duration.milliseconds(150)
        /// How many addresses are tried at the same time.
        public var concurrency = 4
        /// How many addresses of one server are tried.
        public var addressLimit = 6
        /// How many servers are used.
        public var serverLimit = 8
        /// How many times in a row servers may name another one.
        public var redirectionLimit = 3
        /// How long a name may take to be resolved.
        public var resolvingPatience = Duration.seconds(5)
        /// How long a connection to a server may take.
        public var openingPatience = Duration.seconds(10)
        /// How long a relay that came second may take to be given back.
        public var releasePatience = Duration.seconds(2)
        /// How long after all servers failed they are tried again; doubles up to ``retryLimit``.
        public var retryInterval = Duration.seconds(5)
        /// The longest time until servers are tried again.
        public var retryLimit = Duration.seconds(300)

        /// The usual limits.
        public init() {}
    }

    /// A socket or connection to a server.
    public struct LegID: Hashable, Sendable {
        /// Counts from 1.
        public let number: UInt64
    }

    /// What the race asks of its driver, and tells it.
    public enum Effect: Hashable, Sendable {
        /// Resolve the host of a server, then call `resolved(_:_:at:)`. Service records give endpoints in their order.
        case resolve(server: Int, TURNServer.Host, TURNServer.Transport)
        /// Open a socket of its own, or a connection, then call `opened(_:at:)` or `closed(_:at:)`; TLS checks the host's
        /// name.
        case open(LegID, TURNServer.Transport, to: Endpoint, TURNServer.Host)
        /// Send on a leg.
        case send([UInt8], on: LegID)
        /// Close a leg.
        case close(LegID)
        /// A relay stands; from now on ``relay(_:at:)`` reaches it.
        case selected(LegID, server: Int, TURNClient.Allocation)
        /// What the relay tells: everything but what the race itself sees to.
        case relay(TURNClient.Effect)
        /// The relay is lost; another one is looked for.
        case lost(TURNClient.Ending)
        /// No server gives a relay now; why the last one did not. They are tried again later.
        case failed(TURNClient.Ending?)
        /// The relay was given back. The last effect.
        case closed
        /// Input for a leg that is gone.
        case ignored(LegID)
    }
}
