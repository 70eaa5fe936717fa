public import Logging
public import SansIO
public import SecureChannel
public import SwiftDHT

extension DHTNode {
    /// Where a node lives, whom it asks, and how much it holds.
    public struct Configuration: Sendable {
        /// Where to enter the network; empty for a node that waits to be found.
        public var bootstrap: [Node.Configuration.Bootstrap] = [.jami]
        /// The addresses to bind, of both families; empty for all of the machine's.
        public var addresses: [IPAddress] = []
        /// The UDP port; 0 for any free one.
        public var port: UInt16 = 0
        /// The network's number, whether to ask only, and all limits.
        public var dht = SwiftDHT.Configuration()
        /// The identifier to be known under; `nil` for that of the identity or state, else a random one.
        public var nodeID: NodeID?
        /// Who signs and opens values; its certificates are published. `nil` for nobody.
        public var identity: CertifiedKey?
        /// What an earlier run left: nodes to begin with, stored values, permanent puts.
        public var state: DHT.State?
        /// Whether nodes on the machine's links are looked for by multicast, and told of this one; never on loopback.
        public var findsNeighbours = true
        /// Where the node logs to.
        public var logger = Logger(label: "swiftlet") { _ in SwiftLogNoOpLogHandler() }

        /// The usual configuration: the public network, all addresses.
        public init() {}

        /// The identifier the node gets. That of an identity is the one released implementations derive.
        func chooseNodeID() -> NodeID {
            var random = RandomSource.system
            let derived = identity.map { NodeID(hashing: "node:\($0.id)") }
            return nodeID ?? derived ?? state?.id ?? .random(using: &random)
        }

        /// The addresses the sockets are bound to.
        var boundAddresses: [IPAddress] {
            addresses.isEmpty ? [.unspecified(.v4), .unspecified(.v6)] : addresses
        }
    }
}
