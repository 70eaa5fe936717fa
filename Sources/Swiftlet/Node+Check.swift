internal import EventLoop
internal import ICEDriver
internal import SansIO
internal import SwiftDHT
internal import SwiftICE

extension Node {
    /// Finds out how this device can be reached: asks nodes of the DHT, the STUN and TURN servers of the configuration, and
    /// the gateway. Needs no account; takes some seconds.
    public static func check(_ configuration: Configuration) async throws(NodeError) -> NetworkReport {
        var place = DHTNode.Configuration()
        place.bootstrap = configuration.bootstrap
        place.addresses = configuration.addresses
        place.findsNeighbours = configuration.findsNeighbours
        place.logger = configuration.logger
        // Others need not remember somebody who is here for a moment.
        place.dht.isClient = true
        let node = try await DHTNode(configuration: place)
        if !configuration.bootstrap.isEmpty || configuration.findsNeighbours {
            _ = await node.waitUntilOnline(patience: .seconds(5))
        }
        let result = await node.check(configuration)
        await node.close()
        return NetworkReport(result)
    }
}

extension DHTNode {
    /// How many nodes are asked where they see a socket.
    private static let observers = 4
    /// How long is waited for that many to be known.
    private static let acquaintanceTime = Duration.seconds(2)

    fileprivate func check(_ configuration: Node.Configuration) async -> NetworkCheck.Result {
        let loop = group.loop
        let end = loop.now.advanced(by: Self.acquaintanceTime)
        while observers(of: .v4, limit: Self.observers).count < Self.observers, loop.now < end {
            try? await Task.sleep(for: .milliseconds(50))
        }
        var session = configuration.session
        for server in configuration.stunServers {
            let host = Node.Configuration.Bootstrap(host: server.host, port: server.port)
            let endpoints = await group.endpoints(of: host) ?? []
            let chosen = IPAddress.Family.allCases.compactMap { family in
                endpoints.first { $0.address.family == family }
            }
            session.stunServers += chosen
        }
        let nodes = IPAddress.Family.allCases.flatMap { observers(of: $0, limit: Self.observers) }
        let surroundings = Self.surroundings(
            session, addresses: configuration.localAddresses(), asking: nodes, of: self.configuration.dht, on: loop)
        let check = NetworkCheck(in: surroundings)
        let result = await withCheckedContinuation { continuation in
            check.start { continuation.resume(returning: $0) }
        }
        surroundings.close()
        return result
    }

    /// What a check asks: these nodes of the DHT, beside the servers.
    private static func surroundings(
        _ session: ICESession.Configuration, addresses: [Endpoint], asking nodes: [Endpoint],
        of dht: SwiftDHT.Configuration, on loop: EventLoop
    ) -> Surroundings {
        Surroundings(
            session, on: loop, batch: loop.sharedBatch, addresses: { addresses },
            questions: { base in
                var random = RandomSource.system
                return nodes.filter {
                    $0.address.family == base.address.family && $0.address.isLoopback == base.address.isLoopback
                }.map { DHTAddressQuestion(of: base, to: $0, configuration: dht, random: &random) }
            })
    }
}
