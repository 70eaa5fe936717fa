public import SansIO

extension DHT {
    /// Good nodes that may be asked at which address a socket is seen, see ``AddressRequest``: up to `limit`, each at an
    /// address of its own, the best first.
    ///
    /// Where nodes that tell ports as well are known, only those are named. Nodes of the Internet come before those of
    /// private networks, which see us as nobody else does, and quick ones before slow ones.
    public func observers(of family: IPAddress.Family, limit: Int, at now: Instant) -> [Endpoint] {
        let freshness = Freshness(configuration, at: now)
        let good = networks[family].nodes.nodes.filter { $0.isGood(freshness) }
        let telling = good.filter(\.tellsPorts)
        let ordered = (telling.isEmpty ? good : telling)
            .sorted { (Self.distance(to: $0), $0.id) < (Self.distance(to: $1), $1.id) }
        var chosen: [Endpoint] = []
        for node in ordered where !chosen.contains(where: { $0.address == node.endpoint.address }) {
            guard chosen.count < limit else { break }
            chosen.append(node.endpoint)
        }
        return chosen
    }

    /// The address most others see us at; `nil` while nobody has said.
    public func observedAddress(of family: IPAddress.Family) -> IPAddress? { observed.best(of: family) }

    private static func distance(to node: RemoteNode) -> Duration {
        let isOnInternet = AddressPrefix(node.endpoint.address) != nil
        return (node.roundTrip.smoothed ?? .seconds(10)) + (isOnInternet ? .zero : .seconds(3600))
    }
}
