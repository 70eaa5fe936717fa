internal import CGnuTLS

/// The client's side of a plain TLS session with a public server, which proves its name and learns nothing of us: TLS 1.3,
/// or 1.2, over bytes somebody else carries.
///
/// The order of calls: ``start()`` once, then ``receive(_:)`` for all input, ``send(_:)`` once established, ``close()`` at
/// any time. How long a handshake may take is the caller's decision. Whether certificates are valid today is judged by the
/// system's clock, which GnuTLS reads. Sessions with Jami's peers, where both sides show certificates, are
/// ``SecureSession``s.
///
/// `@unchecked Sendable` because GnuTLS's session is a pointer: the owner uses a session from one thread at a time, and may
/// move it between threads between calls.
@safe
public final class TLSClientSession: @unchecked Sendable {
    /// What a session asks of its driver, and tells it.
    public enum Effect: Hashable, Sendable {
        /// Carry these bytes to the server.
        case send([UInt8])
        /// The handshake ended well and the server is who it should be. Comes once, before any ``received(_:)``.
        case established
        /// The server sent these bytes.
        case received([UInt8])
        /// The session ended as one side wished. Nothing follows.
        case closed
        /// The session broke. Nothing follows.
        case failed(SecureChannelError)
    }

    private enum Phase {
        case idle
        case handshaking
        case open
        case over
    }

    private static let priorities =
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-GROUP-FFDHE4096:-GROUP-FFDHE6144:-GROUP-FFDHE8192"

    private let tls: GnuTLSSession
    /// The name as GnuTLS keeps it: by reference.
    private let name: UnsafeMutablePointer<CChar>
    private var phase = Phase.idle

    /// Prepares a session; nothing is sent before ``start()``.
    ///
    /// - Parameters:
    ///   - name: the name or address the server's certificate must hold (RFC 6125 §6.4).
    ///   - isAddress: whether it is an address, which is not told to the server (RFC 6066 §3).
    public init(with name: String, isAddress: Bool, trusting authorities: ServerAuthorities) throws(SecureChannelError)
    {
        tls = try GnuTLSSession([GNUTLS_CLIENT], priorities: Self.priorities, credentials: authorities.loaded)
        let bytes = Array(name.utf8CString)
        unsafe self.name = .allocate(capacity: bytes.count)
        unsafe self.name.initialize(from: bytes, count: bytes.count)
        // The session is alive, and the name as long as it is used.
        if !isAddress {
            try GnuTLSSession.check(
                unsafe gnutls_server_name_set(tls.handle, GNUTLS_NAME_DNS, self.name, bytes.count - 1))
        }
        if authorities.trust != .anyServer { unsafe gnutls_session_set_verify_cert(tls.handle, self.name, 0) }
    }

    deinit {
        // Allocated in `init`; GnuTLS reads it in handshakes only, and there is none any more.
        unsafe name.deallocate()
    }

    /// Begins the handshake.
    public func start() -> [Effect] {
        guard phase == .idle else { return [] }
        phase = .handshaking
        return proceed()
    }

    /// Takes any piece of what the server sent.
    public func receive(_ bytes: [UInt8]) -> [Effect] {
        guard phase == .handshaking || phase == .open else { return [] }
        tls.pipe.receive(bytes)
        return proceed()
    }

    /// Encrypts bytes for the server; nothing is sent before the session is established.
    public func send(_ plaintext: [UInt8]) -> [Effect] {
        guard phase == .open else { return [] }
        return tls.write(plaintext).map(fail) ?? output()
    }

    /// Says good-bye and ends the session.
    public func close() -> [Effect] {
        guard phase != .over else { return [] }
        if phase == .open { tls.sayGoodbye() }
        return finish(.closed)
    }

    // MARK: - Steps

    private func proceed() -> [Effect] {
        var effects: [Effect] = []
        if phase == .handshaking { effects += shakeHands() }
        if phase == .open { effects += readRecords() }
        return effects
    }

    private func shakeHands() -> [Effect] {
        switch tls.shakeHands() {
        case .waiting: return output()
        case .failed(let status): return fail(status)
        case .finished:
            phase = .open
            return output() + [.established]
        }
    }

    private func readRecords() -> [Effect] {
        var effects: [Effect] = []
        switch tls.readRecords({ record, _ in effects.append(.received(record)) }) {
        case .waiting: return effects + output()
        case .failed(let status): return effects + fail(status)
        case .finished: return effects + close()
        }
    }

    private func output() -> [Effect] { tls.pipe.takeOutput().map { .send($0) } }

    private func finish(_ last: Effect) -> [Effect] {
        phase = .over
        return output() + [last]
    }

    private func fail(_ status: Int32) -> [Effect] {
        let failure = tls.fail(status)
        return finish(.failed(failure))
    }
}
