internal import SansIO

/// What one family of addresses is to us: its nodes, and how well we are connected to them.
struct Network: Sendable {
    let family: IPAddress.Family
    var nodes = NodeTable()
    var table = RoutingTable()
    var status = DHT.Status.disconnected
    /// The smoothed round-trip time of all nodes.
    var roundTrip: Duration?
    /// Whether a request left since the last maintenance.
    var wasActive = false
    /// Bootstrap pings that are not answered yet.
    var bootstrapPings = 0
    /// The keys of all searches, sorted; nodes that appear are offered to them.
    var searchKeys: [InfoHash] = []

    init(family: IPAddress.Family) { self.family = family }

    /// Good nodes, closest to `target` first.
    func closestGood(
        to target: NodeID, limit: Int, configuration: Configuration, at now: Instant
    ) -> [RemoteNode] {
        let freshness = Freshness(configuration, at: now)
        return nodes.closest(to: target, limit: limit) { $0.isGood(freshness) }
    }

    /// How long to wait for `node` before the next closest is asked as well.
    func hedgeDelay(for node: RemoteNode?, configuration: Configuration) -> Duration {
        guard let roundTrip = node?.roundTrip ?? roundTrip else { return configuration.initialHedgeDelay }
        let longest = configuration.requestInterval * 2
        return min(max(configuration.hedgeDelay, roundTrip * configuration.hedgeRoundTrips), longest)
    }
}

/// Both families' networks.
struct Networks: Sendable {
    private var v4 = Network(family: .v4)
    private var v6 = Network(family: .v6)

    subscript(family: IPAddress.Family) -> Network {
        _read {
            if family == .v4 { yield v4 } else { yield v6 }
        }
        _modify {
            if family == .v4 { yield &v4 } else { yield &v6 }
        }
    }
}
