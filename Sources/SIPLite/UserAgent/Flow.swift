public import SansIO

/// A channel that carries SIP to one peer, and who sits at its two ends.
public struct Flow: Hashable, Sendable {
    /// What the `transport` parameter of our URIs says.
    public struct Transport: RawRepresentable, Hashable, Sendable {
        /// The parameter's value.
        public let rawValue: String

        /// Names a transport.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A TLS channel, or a multiplexed channel in it.
        public static let tls = Transport(rawValue: "tls")
        /// A flow of the first era of Jami calls, whose URIs say `dtls` over TCP and UDP alike.
        public static let dtls = Transport(rawValue: "dtls")
    }

    /// Whether what is sent arrives, once and in order; without it the timers of RFC 3261 for UDP run.
    public var isReliable: Bool
    /// Whether messages must be cut from a byte stream by `Content-Length`; otherwise each receipt is one message.
    ///
    /// Records of a DTLS flow form such a stream although the flow is not reliable.
    public var isByteStream: Bool
    /// Our address as the peer may see it, for `Via`, `Contact` and descriptions.
    public var local: Endpoint
    /// The peer's address, for request URIs.
    public var remote: Endpoint
    /// What the `transport` parameter says.
    public var transport: Transport
    /// Our account, 40 hexadecimal digits; the user of `From`.
    public var accountID: String
    /// Our device, 40 hexadecimal digits; the user of `Contact`.
    public var deviceID: String
    /// The name shown to the peer; empty for none.
    public var displayName: String
    /// The account the channel authenticated. Requests that claim another one are ignored.
    public var remoteAccountID: String

    /// Describes a channel.
    public init(
        isReliable: Bool = true, isByteStream: Bool = true, local: Endpoint, remote: Endpoint,
        transport: Transport = .tls, accountID: String, deviceID: String, displayName: String = "",
        remoteAccountID: String
    ) {
        self.isReliable = isReliable
        self.isByteStream = isByteStream
        self.local = local
        self.remote = remote
        self.transport = transport
        self.accountID = accountID
        self.deviceID = deviceID
        self.displayName = displayName
        self.remoteAccountID = remoteAccountID
    }
}
