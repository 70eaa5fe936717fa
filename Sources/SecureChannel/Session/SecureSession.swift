internal import CGnuTLS
public import SansIO

/// A TLS or DTLS session with certificates on both sides, over bytes somebody else carries.
///
/// Streams get TLS 1.3 (1.2 with peers that know no better), datagrams DTLS 1.2; algorithms are those of 192-bit
/// strength that stock peers offer. Both sides show their whole chain; the peer's is read by ``CertificateChain``,
/// judged by ``Trust`` at the given time and compared with the ``PeerExpectation``.
///
/// The order of calls: ``start(at:)`` once, then ``receive(_:at:)`` for all input and ``advance(to:)`` at ``deadline``,
/// ``send(_:at:)`` once established, ``close(at:)`` at any time. In TLS 1.3 a client is established before the server has
/// judged the client's chain, so that ``SecureEffect/failed(_:)`` with an alert may still follow. How long a handshake may
/// take is the caller's decision. A handshake blocks for two operations with RSA keys, about 20 ms at 4096 bits.
///
/// `@unchecked Sendable` because GnuTLS's session is a pointer: the owner uses a session from one thread at a
/// time, and may move it between threads between calls.
@safe
public final class SecureSession: SecureTransport, @unchecked Sendable {
    /// Who speaks first.
    public enum Role: Hashable, Sendable {
        /// Sends the first message.
        case client
        /// Waits for it.
        case server
    }

    /// What carries the bytes.
    public enum Transport: Hashable, Sendable {
        /// An ordered, reliable stream: TLS.
        case stream
        /// Datagrams of at most `mtu` bytes (clamped to 256...16384): DTLS.
        case datagram(mtu: Int)
    }

    /// What sessions return.
    public typealias Effect = SecureEffect

    /// When something lost is to be repeated, or no longer waited for; `nil` for streams.
    public internal(set) var deadline: Instant?
    /// The order of a datagram session's records.
    var order = RecordOrder()

    let role: Role
    let transport: Transport
    let tls: GnuTLSSession
    var phase = Phase.idle
    /// What the certificate check said against the peer, for the error that follows.
    var objection: SecureChannelError?
    /// The peer's chain once the certificate check passed.
    var peer: CertificateChain?
    /// When the running call was made, for the certificate check inside it.
    var now = Instant.zero
    let expectation: PeerExpectation
    let trust: Trust
    let clock: WallClock

    private let cookieKey: CookieKey?

    enum Phase {
        case idle
        /// A datagram server that has not seen proof yet that the peer receives what is sent to it.
        case awaitingCookie
        case handshaking
        case open
        case over
    }

    /// Prepares a session; nothing is sent before ``start(at:)``.
    public init(
        role: Role, transport: Transport, credentials: Credentials, expecting expectation: PeerExpectation,
        trust: Trust = Trust(), clock: WallClock
    ) throws(SecureChannelError) {
        let isDatagram = transport != .stream
        self.role = role
        self.transport = transport
        self.expectation = expectation
        self.trust = trust
        self.clock = clock
        cookieKey = isDatagram && role == .server ? CookieKey() : nil
        tls = try GnuTLSSession(
            Self.flags(for: role, isDatagram: isDatagram),
            priorities: isDatagram ? Self.datagramPriorities : Self.streamPriorities, credentials: credentials.loaded)
        configure()
    }

    /// Begins the handshake; a server only gets ready for the client's first bytes.
    public func start(at now: Instant) -> [SecureEffect] {
        guard case .idle = phase else { return [.ignored(.over)] }
        phase = cookieKey == nil ? .handshaking : .awaitingCookie
        return role == .client ? proceed(at: now) : []
    }

    /// Takes any piece of the stream, or exactly one datagram.
    public func receive(_ bytes: [UInt8], at now: Instant) -> [SecureEffect] {
        switch phase {
        case .idle: return [.ignored(.notEstablished)]
        case .over: return [.ignored(.over)]
        case .awaitingCookie, .handshaking, .open: break
        }
        if transport != .stream, !DatagramRecords.fill(bytes) { return [.ignored(.strayDatagram)] }
        if case .awaitingCookie = phase { return admit(bytes, at: now) }
        tls.pipe.receive(bytes)
        return proceed(at: now)
    }

    /// Encrypts bytes for the peer, in as many records as they need; legal once established.
    public func send(_ plaintext: [UInt8], at now: Instant) -> [SecureEffect] {
        switch phase {
        case .idle, .awaitingCookie, .handshaking: return [.ignored(.notEstablished)]
        case .over: return [.ignored(.over)]
        case .open: break
        }
        return tls.write(plaintext).map(fail) ?? output()
    }

    /// Repeats what may have been lost, if its time has come.
    public func advance(to now: Instant) -> [SecureEffect] {
        guard let deadline, deadline <= now else { return [] }
        return order.advance(to: now) + proceed(at: now)
    }

    /// Says good-bye and ends the session.
    public func close(at now: Instant) -> [SecureEffect] {
        switch phase {
        case .over: return [.ignored(.over)]
        case .open: tls.sayGoodbye()
        case .handshaking:
            // RFC 8446 §6.1: user_canceled needs a close_notify behind it.
            _ = unsafe gnutls_alert_send(tls.handle, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED)
            _ = unsafe gnutls_alert_send(tls.handle, GNUTLS_AL_WARNING, GNUTLS_A_CLOSE_NOTIFY)
        case .idle, .awaitingCookie: break
        }
        return finish(.closed)
    }

    /// Answers a datagram client's first message with a cookie until it comes back with it (RFC 6347 §4.2.1).
    private func admit(_ bytes: [UInt8], at now: Instant) -> [SecureEffect] {
        guard let cookieKey, DatagramRecords.beginClientHello(bytes) else { return [.ignored(.strayDatagram)] }
        // The session is alive.
        guard unsafe cookieKey.admits(bytes, to: tls.handle) else {
            cookieKey.challenge(over: tls.pipe)
            return output()
        }
        phase = .handshaking
        tls.pipe.receive(bytes)
        return proceed(at: now)
    }
}
