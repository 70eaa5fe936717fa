package import SansIO
package import SwiftDHT

/// A host that is nothing but a node of the DHT.
package final class DHTHost: Host {
    /// The port of every DHT socket.
    package static let port: UInt16 = 4222

    package let name: String
    package let addresses: [IPAddress]
    /// The node itself.
    package private(set) var dht: DHT
    private unowned let world: World
    private var id = HostID(rawValue: 0)

    /// Puts a node into a world.
    package init(
        name: String, addresses: [IPAddress], configuration: SwiftDHT.Configuration = SwiftDHT.Configuration(),
        verifier: any ValueVerifier, in world: World
    ) {
        self.name = name
        self.addresses = addresses
        self.world = world
        var random = world.splitRandom()
        let nodeID = NodeID.random(using: &random)
        dht = DHT(configuration: configuration, id: nodeID, verifier: verifier, clock: world.clock, random: random)
        id = world.add(self)
        for endpoint in endpoints {
            _ = world.bind(endpoint) { [unowned self] bytes, source in
                perform(dht.receive(bytes.span, from: source, at: self.world.now))
            }
        }
    }

    /// Where the node is reached.
    package var endpoints: [Endpoint] { addresses.map { Endpoint($0, port: Self.port) } }

    package var deadline: Instant? { dht.deadline }

    package func advance(to now: Instant) { perform(dht.advance(to: now)) }

    /// Joins the DHT through these nodes.
    package func bootstrap(_ contacts: [Endpoint]) { perform(dht.bootstrap(contacts, at: world.now)) }

    private func perform(_ effects: [DHT.Effect]) {
        for case .send(let bytes, let target) in effects {
            guard let source = endpoints.first(where: { $0.address.family == target.address.family }) else {
                perform(dht.sendFailed(to: target, at: world.now))
                continue
            }
            world.send(bytes, from: source, to: target)
        }
        world.attend(to: id)
    }
}
