public import SansIO

/// A secure session over bytes somebody else carries.
///
/// Give it what arrives, carry out what it returns, in order; call ``advance(to:)`` at its ``deadline``. One session is
/// used by one thread at a time. The protocol exists so that simulations can put a session without cryptography
/// in the place of ``SecureSession``.
public protocol SecureTransport: AnyObject, Sendable {
    /// When ``advance(to:)`` next has something to do, or `nil` while only input can move the session.
    var deadline: Instant? { get }

    /// Begins the handshake; a server only gets ready for the client's first bytes.
    func start(at now: Instant) -> [SecureEffect]
    /// Takes bytes from the peer: any piece of the stream, or exactly one datagram.
    func receive(_ bytes: [UInt8], at now: Instant) -> [SecureEffect]
    /// Encrypts bytes for the peer; legal once established.
    func send(_ plaintext: [UInt8], at now: Instant) -> [SecureEffect]
    /// Fires the retransmission timer if it is due.
    func advance(to now: Instant) -> [SecureEffect]
    /// Says good-bye; nothing follows but ``SecureEffect/closed``.
    func close(at now: Instant) -> [SecureEffect]
}

/// What a secure session asks of its driver.
public enum SecureEffect: Hashable, Sendable {
    /// Carry these bytes to the peer: a piece of the stream, or exactly one datagram.
    case send([UInt8])
    /// The handshake ended well and the peer is who was expected. Comes once, before any ``received(_:)``.
    case established(PeerFacts)
    /// The peer sent these bytes: one record's content. Records come in the order they were sent in.
    case received([UInt8])
    /// Datagrams only: records are missing between what came before and what follows.
    case gap
    /// The session ended as one side wished. Nothing follows.
    case closed
    /// The session broke. Nothing follows.
    case failed(SecureChannelError)
    /// An input was without effect.
    case ignored(Ignored)

    /// Why an input was without effect.
    public enum Ignored: Hashable, Sendable {
        /// The session is not established yet, so there is nothing to encrypt with.
        case notEstablished
        /// The session is over, or was started before.
        case over
        /// A datagram is not made of whole records, or comes before the handshake and does not begin one.
        case strayDatagram
    }
}

/// What a handshake found out about the peer.
public struct PeerFacts: Hashable, Sendable {
    /// The peer's certificates, verified.
    public let chain: CertificateChain
    /// The protocol's name, such as `TLS1.3`.
    public let protocolVersion: String
    /// The negotiated algorithms, such as `(TLS1.3)-(ECDHE-SECP384R1)-(RSA-PSS-RSAE-SHA384)-(AES-256-GCM)`.
    public let cipherSuite: String

    /// Collects the facts.
    public init(chain: CertificateChain, protocolVersion: String, cipherSuite: String) {
        self.chain = chain
        self.protocolVersion = protocolVersion
        self.cipherSuite = cipherSuite
    }
}

/// Whom a session must find at the other end; every case also demands a chain that ``Trust`` accepts.
public enum PeerExpectation: Hashable, Sendable {
    /// Exactly these certificates, as found on the DHT.
    case chain(CertificateChain)
    /// The device with this key, of this account.
    case device(PublicKey, of: ShortID)
    /// Any device of this account.
    case account(ShortID)

    /// Whether this is the chain of whom is expected.
    package func accepts(_ peer: CertificateChain) -> Bool {
        switch self {
        case .chain(let chain): peer == chain
        case .device(let key, let account): peer.device.publicKeyDER == key.der && peer.accountID == account
        case .account(let id): peer.accountID == id
        }
    }
}
