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
    /// How many warnings and the like one input may hold.
    private static let maximumPasses = 256

    private let session: gnutls_session_t
    private let pipe: MemoryPipe
    private let authorities: ServerAuthorities
    /// The name as GnuTLS keeps it: by reference.
    private let name: UnsafeMutablePointer<CChar>
    private var phase = Phase.idle
    /// Where records are decrypted to; RFC 8446 §5.1 lets them hold this much.
    private var recordBuffer = [UInt8](repeating: 0, count: 16_384)

    /// Prepares a session; nothing is sent before ``start()``.
    ///
    /// - Parameters:
    ///   - name: the name or address the server's certificate must hold (RFC 6125 §6.4).
    ///   - isAddress: whether it is an address, which is not told to the server (RFC 6066 §3).
    public init(with name: String, isAddress: Bool, trusting authorities: ServerAuthorities) throws(SecureChannelError)
    {
        var allocated: gnutls_session_t?
        let flags = UInt32(
            GNUTLS_CLIENT.rawValue | GNUTLS_NONBLOCK.rawValue | GNUTLS_NO_SIGNAL.rawValue | GNUTLS_NO_TICKETS.rawValue)
        // The out-parameter lives across the call.
        let status = unsafe gnutls_init(&allocated, flags)
        guard status == GNUTLS_E_SUCCESS, let session = unsafe allocated else { throw .refusedByLibrary(code: status) }
        unsafe self.session = session
        self.authorities = authorities
        let bytes = Array(name.utf8CString)
        unsafe self.name = .allocate(capacity: bytes.count)
        unsafe self.name.initialize(from: bytes, count: bytes.count)
        unsafe pipe = MemoryPipe(isDatagram: false, session: session)
        pipe.install()
        try configure(nameLength: bytes.count - 1, isAddress: isAddress)
    }

    deinit {
        // Both were allocated in `init`, and nobody else has them.
        unsafe gnutls_deinit(session)
        unsafe name.deallocate()
    }

    private func configure(nameLength: Int, isAddress: Bool) throws(SecureChannelError) {
        // The session is alive; strings, name and credentials live as long as they are used.
        var status = unsafe gnutls_priority_set_direct(session, Self.priorities, nil)
        guard status == GNUTLS_E_SUCCESS else { throw .refusedByLibrary(code: status) }
        status = unsafe gnutls_credentials_set(
            session, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(authorities.handle))
        guard status == GNUTLS_E_SUCCESS else { throw .refusedByLibrary(code: status) }
        if !isAddress {
            status = unsafe gnutls_server_name_set(session, GNUTLS_NAME_DNS, name, nameLength)
            guard status == GNUTLS_E_SUCCESS else { throw .refusedByLibrary(code: status) }
        }
        if authorities.trust != .anyServer { unsafe gnutls_session_set_verify_cert(session, name, 0) }
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
        pipe.receive(bytes)
        return proceed()
    }

    /// Encrypts bytes for the server; nothing is sent before the session is established.
    public func send(_ plaintext: [UInt8]) -> [Effect] {
        guard phase == .open else { return [] }
        var start = 0
        while start < plaintext.count {
            // The buffer lives across the call.
            let written = unsafe plaintext[start...].withUnsafeBytes { bytes in
                unsafe gnutls_record_send(session, bytes.baseAddress, bytes.count)
            }
            guard written > 0 else { return fail(Int32(clamping: written)) }
            start += written
        }
        return output()
    }

    /// Says good-bye and ends the session.
    public func close() -> [Effect] {
        guard phase != .over else { return [] }
        // Nothing waits for the server's own good-bye.
        if phase == .open { _ = unsafe gnutls_bye(session, GNUTLS_SHUT_WR) }
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
        var status: Int32
        var passes = 0
        repeat {
            // The session is alive; a status that is not fatal asks for another call once there is input.
            status = unsafe gnutls_handshake(session)
            passes += 1
        } while status != GNUTLS_E_SUCCESS && mayGoOn(after: status, passes: passes)
        if status == GNUTLS_E_SUCCESS {
            phase = .open
            return output() + [.established]
        }
        return gnutls_error_is_fatal(status) != 0 || passes > Self.maximumPasses ? fail(status) : output()
    }

    private func readRecords() -> [Effect] {
        var effects: [Effect] = []
        var passes = 0
        while true {
            // The buffer lives across the call and has the size that is passed on.
            let count = unsafe recordBuffer.withUnsafeMutableBytes { buffer in
                unsafe gnutls_record_recv(session, buffer.baseAddress, buffer.count)
            }
            if count > 0 {
                effects.append(.received(Array(recordBuffer[..<count])))
                continue
            }
            if count == 0 { return effects + close() }
            let status = Int32(clamping: count)
            passes += 1
            if gnutls_error_is_fatal(status) != 0 || passes > Self.maximumPasses { return effects + fail(status) }
            // Wishes for renegotiation and warnings are passed over.
            if !mayGoOn(after: status, passes: passes) { return effects + output() }
        }
    }

    /// Whether GnuTLS is to be called again at once: it stops at a warning though there is more.
    private func mayGoOn(after status: Int32, passes: Int) -> Bool {
        gnutls_error_is_fatal(status) == 0 && passes <= Self.maximumPasses
            && (status != GNUTLS_E_AGAIN || pipe.hasInput)
    }

    private func output() -> [Effect] { pipe.takeOutput().map { .send($0) } }

    private func finish(_ last: Effect) -> [Effect] {
        phase = .over
        return output() + [last]
    }

    /// Tells the server why, where there is an alert for it, and ends the session.
    private func fail(_ status: Int32) -> [Effect] {
        guard status != GNUTLS_E_FATAL_ALERT_RECEIVED else {
            // Alert numbers have eight bits on the wire.
            let alert = unsafe gnutls_alert_get(session)
            return finish(.failed(.alert(UInt8(truncatingIfNeeded: alert.rawValue))))
        }
        _ = unsafe gnutls_alert_send_appropriate(session, status)
        guard status != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR else {
            return finish(.failed(.untrustedServer(status: unsafe gnutls_session_get_verify_cert_status(session))))
        }
        // The name is a constant of the library.
        let name = unsafe gnutls_strerror_name(status).map { unsafe String(cString: $0) } ?? ""
        return finish(.failed(.protocolViolation(code: status, name: name)))
    }
}
