/// The number of a STUN attribute (RFC 8489 §14 and the documents that use STUN).
public struct AttributeType: RawRepresentable, Hashable, Sendable {
    /// The number as it stands on the wire.
    public let rawValue: UInt16

    /// Names an attribute.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Whether a receiver that does not know the attribute must refuse a request with it (RFC 8489 §14).
    public var mustBeUnderstood: Bool { rawValue < 0x8000 }

    /// The reflexive address in clear.
    public static let mappedAddress = AttributeType(rawValue: 0x0001)
    /// Asks for an answer from elsewhere (RFC 5780).
    public static let changeRequest = AttributeType(rawValue: 0x0003)
    /// The user name.
    public static let username = AttributeType(rawValue: 0x0006)
    /// HMAC-SHA1 over the message.
    public static let messageIntegrity = AttributeType(rawValue: 0x0008)
    /// Why a request was refused.
    public static let errorCode = AttributeType(rawValue: 0x0009)
    /// Which attributes were not understood.
    public static let unknownAttributes = AttributeType(rawValue: 0x000A)
    /// A channel (RFC 8656).
    public static let channelNumber = AttributeType(rawValue: 0x000C)
    /// Seconds an allocation lives (RFC 8656).
    public static let lifetime = AttributeType(rawValue: 0x000D)
    /// A peer's address (RFC 8656); the one attribute that may repeat.
    public static let xorPeerAddress = AttributeType(rawValue: 0x0012)
    /// Relayed bytes (RFC 8656).
    public static let data = AttributeType(rawValue: 0x0013)
    /// The realm of long-term credentials.
    public static let realm = AttributeType(rawValue: 0x0014)
    /// The nonce of long-term credentials.
    public static let nonce = AttributeType(rawValue: 0x0015)
    /// The address on a relay (RFC 8656).
    public static let xorRelayedAddress = AttributeType(rawValue: 0x0016)
    /// The family wanted of a relay (RFC 8656).
    public static let requestedAddressFamily = AttributeType(rawValue: 0x0017)
    /// Asks for an even relayed port (RFC 8656).
    public static let evenPort = AttributeType(rawValue: 0x0018)
    /// The transport wanted of a relay (RFC 8656).
    public static let requestedTransport = AttributeType(rawValue: 0x0019)
    /// Asks a relay not to fragment (RFC 8656).
    public static let dontFragment = AttributeType(rawValue: 0x001A)
    /// HMAC-SHA256 over the message, perhaps truncated.
    public static let messageIntegritySHA256 = AttributeType(rawValue: 0x001C)
    /// The algorithm the key was made with.
    public static let passwordAlgorithm = AttributeType(rawValue: 0x001D)
    /// The user name, hashed.
    public static let userHash = AttributeType(rawValue: 0x001E)
    /// The reflexive address, masked.
    public static let xorMappedAddress = AttributeType(rawValue: 0x0020)
    /// A reserved port (RFC 8656).
    public static let reservationToken = AttributeType(rawValue: 0x0022)
    /// The priority of a candidate born from this check (RFC 8445).
    public static let priority = AttributeType(rawValue: 0x0024)
    /// Nominates (RFC 8445).
    public static let useCandidate = AttributeType(rawValue: 0x0025)
    /// Bytes that make a message long (RFC 5780).
    public static let padding = AttributeType(rawValue: 0x0026)
    /// Asks for an answer to another port (RFC 5780).
    public static let responsePort = AttributeType(rawValue: 0x0027)
    /// A connection to a peer over a relay (RFC 6062).
    public static let connectionID = AttributeType(rawValue: 0x002A)
    /// A second family wanted of a relay (RFC 8656).
    public static let additionalAddressFamily = AttributeType(rawValue: 0x8000)
    /// Why a family was not given (RFC 8656).
    public static let addressErrorCode = AttributeType(rawValue: 0x8001)
    /// The algorithms a server offers.
    public static let passwordAlgorithms = AttributeType(rawValue: 0x8002)
    /// The name of another server.
    public static let alternateDomain = AttributeType(rawValue: 0x8003)
    /// An ICMP error of a peer (RFC 8656).
    public static let icmp = AttributeType(rawValue: 0x8004)
    /// The name of the sender's software.
    public static let software = AttributeType(rawValue: 0x8022)
    /// Another server to ask.
    public static let alternateServer = AttributeType(rawValue: 0x8023)
    /// CRC-32 over the message.
    public static let fingerprint = AttributeType(rawValue: 0x8028)
    /// The sender is controlled (RFC 8445).
    public static let iceControlled = AttributeType(rawValue: 0x8029)
    /// The sender is controlling (RFC 8445).
    public static let iceControlling = AttributeType(rawValue: 0x802A)
    /// Where a response was sent from (RFC 5780).
    public static let responseOrigin = AttributeType(rawValue: 0x802B)
    /// The server's other address (RFC 5780).
    public static let otherAddress = AttributeType(rawValue: 0x802C)
    /// The number of a nomination, a 32-bit integer; the highest counts. What browsers call renomination.
    public static let nomination = AttributeType(rawValue: 0xC001)
}
