package import SansIO
package import SecureChannel
internal import SwiftDHT
package import Swiftlet

/// A small internet to try calls in: nodes of the DHT, and whole nodes that join and call each other.
package final class Scenario {
    /// What a scenario is like.
    package struct Setting: Sendable {
        /// What everything random comes from.
        package var seed: UInt64
        /// The ways between all hosts.
        package var link: Link
        /// How many bare nodes the DHT has.
        package var dhtNodeCount = 20
        /// The addresses of every host.
        package var families: [IPAddress.Family] = [.v4]

        /// Describes a scenario of twenty DHT nodes.
        package init(seed: UInt64, link: Link = Link()) {
            self.seed = seed
            self.link = link
        }
    }

    /// Something that should have happened and did not, with the seed and the end of the trace.
    package struct Failure: Error, CustomStringConvertible {
        /// All of it, for people.
        package let description: String
    }

    /// The world everything happens in.
    package let world: World
    /// What the scenario is like.
    package let setting: Setting
    /// The bare nodes of the DHT.
    package private(set) var dhtHosts: [DHTHost] = []
    /// The whole nodes, in the order they joined.
    package private(set) var nodes: [NodeHost] = []
    private var hostCount: UInt32 = 0

    /// How long links are kept for the next call: short, so that peace is not far.
    package static let warmLinkTime = Duration.seconds(20)

    /// Grows the DHT and lets it settle.
    package init(_ setting: Setting) {
        self.setting = setting
        world = World(seed: setting.seed)
        world.link = setting.link
        var random = world.splitRandom()
        for index in 0..<setting.dhtNodeCount {
            let host = DHTHost(
                name: "dht\(index)", addresses: nextAddresses(), verifier: KeyVerifier(), in: world)
            if let contact = dhtHosts.randomElement(using: &random) { host.bootstrap(contact.endpoints) }
            dhtHosts.append(host)
            world.run(for: .milliseconds(50))
        }
        world.run(for: .seconds(10))
    }

    /// Addresses that nobody had before, one of each family.
    package func nextAddresses() -> [IPAddress] {
        hostCount += 1
        return setting.families.map { family in
            switch family {
            case .v4: .v4(0x0A00_0000 + hostCount)
            case .v6: .v6(high: 0x2001_0DB8_0000_0000, low: UInt64(hostCount))
            }
        }
    }

    /// Adds a node that joins the DHT through two of its nodes.
    ///
    /// - Parameters:
    ///   - transports: what its control links run over, in order of preference.
    ///   - credentials: what it shows in TLS, where that is not its own.
    ///   - isOnline: whether it knows the DHT at all.
    ///   - adjusting: changes the node's configuration.
    package func addNode(
        _ name: String, _ identity: Identity, over transports: [SessionTransport] = [.tcp, .udp],
        showing credentials: SecureChannel.Credentials? = nil, isOnline: Bool = true,
        adjusting: (inout NodeCore.Configuration) -> Void = { _ in }
    ) throws -> NodeHost {
        var configuration = NodeCore.Configuration()
        configuration.transports = transports
        configuration.warmLinkTime = Self.warmLinkTime
        configuration.profile = "BEGIN:VCARD\nVERSION:2.1\nFN:\(name)\nEND:VCARD\n"
        adjusting(&configuration)
        let node = NodeHost(
            name: name, addresses: nextAddresses(), identity: identity, configuration: configuration,
            showing: try credentials ?? SecureChannel.Credentials(identity), in: world)
        nodes.append(node)
        if isOnline { node.bootstrap(contacts) }
        return node
    }

    /// Where nodes enter the DHT.
    package var contacts: [Endpoint] { dhtHosts.prefix(2).flatMap(\.endpoints) }

    /// Runs until something holds.
    ///
    /// Throws when it does not within `patience`, or when a rule is broken before.
    package func wait(
        for what: String, within patience: Duration, _ condition: () -> Bool
    ) throws(Failure) {
        let end = world.now.advanced(by: patience)
        guard !world.run(until: end, condition) else { return }
        throw failure("no \(what) within \(patience.seconds) s")
    }

    /// Runs for a time; throws when a rule is broken.
    package func run(for duration: Duration) throws(Failure) {
        world.run(for: duration)
        if !world.violations.isEmpty { throw failure("broken rule") }
    }

    /// Waits until a node is known to others.
    package func waitUntilAnnounced(_ node: NodeHost) throws(Failure) {
        try wait(for: "announcement of \(node.name)", within: .seconds(60)) {
            node.time { $0 == .announced } != nil
        }
    }

    /// Waits until nothing is left of calls: no link, no session, no socket but the DHT's, no connection.
    ///
    /// - Parameter patience: by default enough for a link that waits for the next call, and whose good-bye is lost, to
    ///   lose its consent.
    package func waitUntilIdle(within patience: Duration = .seconds(70)) throws(Failure) {
        try wait(for: "peace", within: patience) { [nodes] in nodes.allSatisfy(\.isIdle) }
        try run(for: .seconds(5))
        for node in nodes {
            let extra = world.openPorts(of: node).filter { !node.dhtEndpoints.contains($0) }
            guard extra.isEmpty else { throw failure("\(node.name) still has \(extra)") }
        }
        guard world.openStreams == 0 else { throw failure("\(world.openStreams) ends of connections are left") }
    }

    /// Describes what went wrong, with the seed and the end of the trace.
    package func failure(_ what: String, lines: Int = 60) -> Failure {
        let broken = world.violations.map { "broken: \($0)" }
        let text = ["seed \(setting.seed): \(what)"] + broken + world.trace.lines(last: lines)
        return Failure(description: text.joined(separator: "\n"))
    }
}
