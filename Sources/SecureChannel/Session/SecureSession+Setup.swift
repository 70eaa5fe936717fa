internal import CGnuTLS
internal import SansIO

extension SecureSession {
    /// What is offered: the sets of stock peers without anonymous suites, old versions and large finite-field groups,
    /// whose arithmetic takes most of a second.
    private static let suites = "-RSA:-GROUP-FFDHE4096:-GROUP-FFDHE6144:-GROUP-FFDHE8192:+GROUP-X25519"
    private static let flags = "%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION"
    static let streamPriorities = "SECURE192:-VERS-TLS1.0:-VERS-TLS1.1:\(suites):\(flags)"
    static let datagramPriorities = "SECURE192:-VERS-ALL:+VERS-DTLS1.2:\(suites):\(flags)"

    /// First repetition of a lost flight; doubled each time. A call waits for it, and rounds are short.
    static let firstRetransmission = Duration.milliseconds(150)
    /// GnuTLS gives up by itself after this; callers do so earlier.
    static let handshakeLimit = Duration.seconds(120)

    static func allocate(_ role: Role, isDatagram: Bool) throws(SecureChannelError) -> gnutls_session_t {
        var flags = UInt32(GNUTLS_NONBLOCK.rawValue | GNUTLS_NO_SIGNAL.rawValue | GNUTLS_NO_TICKETS.rawValue)
        flags |= UInt32(role == .client ? GNUTLS_CLIENT.rawValue : GNUTLS_SERVER.rawValue)
        // The chain is shown even to servers that list authorities it does not come from.
        flags |= UInt32(GNUTLS_FORCE_CLIENT_CERT.rawValue)
        if isDatagram { flags |= UInt32(GNUTLS_DATAGRAM.rawValue) }
        var allocated: gnutls_session_t?
        // The out-parameter lives across the call.
        let status = unsafe gnutls_init(&allocated, flags)
        guard status == GNUTLS_E_SUCCESS, let session = unsafe allocated else { throw .refusedByLibrary(code: status) }
        return unsafe session
    }

    /// Sets everything the session needs but its transport.
    func configure() throws(SecureChannelError) {
        let priorities = transport == .stream ? Self.streamPriorities : Self.datagramPriorities
        // The session is alive, strings and credentials live across the calls; `credentials` stays referenced.
        var status = unsafe gnutls_priority_set_direct(session, priorities, nil)
        guard status == GNUTLS_E_SUCCESS else { throw .refusedByLibrary(code: status) }
        status = unsafe gnutls_credentials_set(
            session, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(credentials.handle))
        guard status == GNUTLS_E_SUCCESS else { throw .refusedByLibrary(code: status) }
        if role == .server { unsafe gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE) }
        if case .datagram(let mtu) = transport {
            unsafe gnutls_dtls_set_mtu(session, UInt32(min(max(mtu, 256), 16_384)))
            unsafe gnutls_dtls_set_timeouts(
                session, UInt32(Self.firstRetransmission.milliseconds), UInt32(Self.handshakeLimit.milliseconds))
        }
        // The session never outlives this object, and calls back only from within this object's own calls.
        unsafe gnutls_session_set_ptr(session, Unmanaged.passUnretained(self).toOpaque())
        unsafe gnutls_session_set_verify_function(session) { session in
            guard let reference = unsafe gnutls_session_get_ptr(session) else { return GNUTLS_E_CERTIFICATE_ERROR }
            let owner = unsafe Unmanaged<SecureSession>.fromOpaque(reference).takeUnretainedValue()
            return owner.acceptsPeer() ? GNUTLS_E_SUCCESS : GNUTLS_E_CERTIFICATE_ERROR
        }
    }
}
