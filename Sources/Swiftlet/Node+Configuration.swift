internal import EventLoop
internal import ICEDriver
public import Logging
public import SansIO
public import SecureChannel
public import SwiftICE

extension Node {
    /// Where a node lives and whom it asks.
    public struct Configuration: Sendable {
        /// A host of the DHT to begin with.
        public struct Bootstrap: Hashable, Sendable, LosslessStringConvertible {
            /// Name or address.
            public let host: String
            /// UDP port.
            public let port: UInt16
            /// The port of a name given without one.
            public static let defaultPort: UInt16 = 4222

            /// The entry of the public network of Jami.
            public static let jami = Bootstrap(host: "bootstrap.jami.net", port: defaultPort)

            /// Names a host and its port.
            public init(host: String, port: UInt16 = defaultPort) {
                self.host = host
                self.port = port
            }

            /// Reads `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`.
            public init?(_ description: String) {
                guard let (host, port) = HostText.read(description) else { return nil }
                self.init(host: host, port: port ?? Self.defaultPort)
            }

            /// `HOST:PORT`, with brackets around an IPv6 address.
            public var description: String { HostText.write(host, port) }
        }

        /// A STUN server.
        public struct STUNServer: Hashable, Sendable, LosslessStringConvertible {
            /// Name or address.
            public let host: String
            /// UDP port.
            public let port: UInt16
            /// The port of a name given without one (RFC 8489 §8.1).
            public static let defaultPort: UInt16 = 3478

            /// Names a host and its port.
            public init(host: String, port: UInt16 = defaultPort) {
                self.host = host
                self.port = port
            }

            /// Reads `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`, also behind `stun:` (RFC 7064).
            public init?(_ description: String) {
                let text = description.hasPrefix("stun:") ? description.dropFirst(5) : description[...]
                guard let (host, port) = HostText.read(text) else { return nil }
                self.init(host: host, port: port ?? Self.defaultPort)
            }

            /// `HOST:PORT`, with brackets around an IPv6 address.
            public var description: String { HostText.write(host, port) }
        }

        /// Where to enter the DHT; empty for a node that waits to be found.
        public var bootstrap: [Bootstrap] = [.jami]
        /// The addresses to use, of both families; empty for all of the machine's but loopback.
        public var addresses: [IPAddress] = []
        /// The DHT's UDP port; 0 for any free one.
        public var port: UInt16 = 0
        /// Whether nodes on the machine's links are looked for by multicast, and told of this one; never on loopback.
        public var findsNeighbours = true
        /// Whether control channels may run over TCP.
        public var usesTCP = true
        /// Whether control channels may run over UDP.
        public var usesUDP = true
        /// STUN servers each UDP socket is to ask for its address beside nodes of the DHT.
        public var stunServers: [STUNServer] = []
        /// TURN servers, best first: a relay for media and UDP control channels is kept at one of them.
        public var turnServers: [TURNServer] = []
        /// Whether gateways are asked to map ports to the sockets of sessions (PCP, NAT-PMP, UPnP).
        public var mapsPorts = true
        /// Which of the device's addresses sessions use and peers are told.
        public var addressPolicy = SwiftICE.Configuration.Policy.all
        /// Whether accounts that are no contacts may call and write; banned ones never may.
        public var acceptsStrangers = true
        /// How long ``Node/close()`` waits for the last messages of calls.
        public var closingTime = Duration.seconds(2)
        /// Where the node logs to.
        public var logger = Logger(label: "swiftlet") { _ in SwiftLogNoOpLogHandler() }

        /// The usual configuration: the public network, all addresses, TCP and UDP.
        public init() {}

        /// The addresses the DHT's sockets are bound to.
        var dhtAddresses: [IPAddress] {
            addresses.isEmpty ? [.unspecified(.v4), .unspecified(.v6)] : addresses
        }

        /// The addresses sessions open sockets on: those given, else the machine's, else its loopback.
        func localAddresses() -> [Endpoint] {
            guard addresses.isEmpty else { return addresses.map { Endpoint($0, port: 0) } }
            let found = (try? Interfaces.addresses()) ?? []
            return found.isEmpty
                ? ((try? Interfaces.addresses(.loopbackToo)) ?? []).map(\.endpoint) : found.map(\.endpoint)
        }

        /// What control links run over.
        private var transports: [SessionTransport] { (usesTCP ? [.tcp] : []) + (usesUDP ? [.udp] : []) }

        /// How sessions gather.
        var session: ICESession.Configuration {
            var session = ICESession.Configuration()
            session.agent.policy = addressPolicy
            session.turnServers = turnServers
            session.mapsPorts = mapsPorts
            session.mappingPatience = .milliseconds(500)
            session.gatheringPatience = turnServers.isEmpty ? .milliseconds(600) : .milliseconds(1_500)
            session.patienceWithAddress = .milliseconds(100)
            session.patienceWithRelay = .milliseconds(300)
            return session
        }

        /// How many outlets are kept ready: for the control channel and the media of the next call.
        var reserve: [(transport: ICEAgent.Base.Transport, count: Int)] {
            let forControl = { (transport: SessionTransport) in transports.contains(transport) ? 1 : 0 }
            return [(.udp, forControl(.udp) + MediaLayout.audio.count), (.tcp, forControl(.tcp))]
        }

        func core(displayName: String) -> NodeCore.Configuration {
            var core = NodeCore.Configuration()
            core.transports = transports
            core.ice.policy = addressPolicy
            core.ice.pacing = session.agent.pacing
            core.acceptsStrangers = acceptsStrangers
            core.profile = ProfileText.card(displayName: displayName)
            return core
        }
    }
}

/// The profile a node shows in calls: a vCard with the user's name.
enum ProfileText {
    static func card(displayName: String) -> String {
        guard !displayName.isEmpty else { return "" }
        let name = displayName.filter { !$0.isNewline }
        return "BEGIN:VCARD\nVERSION:2.1\nFN:\(name)\nEND:VCARD\n"
    }
}

/// Why a node could not start, or go on.
public enum NodeError: Error, Sendable {
    /// The DHT's port is taken by another program.
    case portInUse(UInt16)
    /// An address is none of this machine's, or a socket could not be opened; the system's name and text of the error.
    case socket(String)
    /// The state folder cannot be written.
    case unwritable(path: String)
    /// What the state folder holds beside the keys cannot be read.
    case account(AccountError)
    /// The account's keys cannot be used.
    case identity(SecureChannelError)
    /// The node was closed.
    case closed

    init(_ error: Errno) { self = .socket(error.description) }

    static func binding(_ error: Errno, port: UInt16) -> NodeError {
        error == .addressInUse ? .portInUse(port) : NodeError(error)
    }
}
