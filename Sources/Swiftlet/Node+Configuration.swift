internal import EventLoop
public import Logging
public import SansIO
public import SecureChannel

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
                var host = description[...]
                var port = Self.defaultPort
                if let colon = description.lastIndex(of: ":"),
                    description[..<colon].last == "]" || !description[..<colon].contains(":")
                {
                    guard let number = UInt16(description[description.index(after: colon)...]), number > 0 else {
                        return nil
                    }
                    port = number
                    host = description[..<colon]
                }
                if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
                guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "[" || $0 == "]" }) else {
                    return nil
                }
                self.init(host: String(host), port: port)
            }

            /// `HOST:PORT`, with brackets around an IPv6 address.
            public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
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

        func core(displayName: String) -> NodeCore.Configuration {
            var core = NodeCore.Configuration()
            core.transports = (usesTCP ? [.tcp] : []) + (usesUDP ? [.udp] : [])
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
