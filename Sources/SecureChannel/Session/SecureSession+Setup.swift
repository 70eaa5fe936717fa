internal import CGnuTLS
internal import SansIO

extension SecureSession {
    /// What is offered: the sets of stock peers without anonymous suites, old versions and large finite-field groups,
    /// whose arithmetic takes most of a second.
    private static let suites = "-RSA:-GROUP-FFDHE4096:-GROUP-FFDHE6144:-GROUP-FFDHE8192:+GROUP-X25519"
    private static let options = "%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION"
    static let streamPriorities = "SECURE192:-VERS-TLS1.0:-VERS-TLS1.1:\(suites):\(options)"
    static let datagramPriorities = "SECURE192:-VERS-ALL:+VERS-DTLS1.2:\(suites):\(options)"

    /// First repetition of a lost flight; doubled each time. A call waits for it, and rounds are short.
    static let firstRetransmission = Duration.milliseconds(150)
    /// GnuTLS gives up by itself after this; callers do so earlier.
    static let handshakeLimit = Duration.seconds(120)

    static func flags(for role: Role, isDatagram: Bool) -> [gnutls_init_flags_t] {
        // The chain is shown even to servers that list authorities it does not come from.
        let flags: [gnutls_init_flags_t] = [role == .client ? GNUTLS_CLIENT : GNUTLS_SERVER, GNUTLS_FORCE_CLIENT_CERT]
        return isDatagram ? flags + [GNUTLS_DATAGRAM] : flags
    }

    /// Sets what sessions between devices have beside others.
    func configure() {
        // The session is alive.
        if role == .server { unsafe gnutls_certificate_server_set_request(tls.handle, GNUTLS_CERT_REQUIRE) }
        if case .datagram(let mtu) = transport {
            unsafe gnutls_dtls_set_mtu(tls.handle, UInt32(min(max(mtu, 256), 16_384)))
            unsafe gnutls_dtls_set_timeouts(
                tls.handle, UInt32(Self.firstRetransmission.milliseconds), UInt32(Self.handshakeLimit.milliseconds))
        }
        // The session never outlives this object, and calls back only from within this object's own calls.
        unsafe gnutls_session_set_ptr(tls.handle, Unmanaged.passUnretained(self).toOpaque())
        unsafe gnutls_session_set_verify_function(tls.handle) { session in
            guard let reference = unsafe gnutls_session_get_ptr(session) else { return GNUTLS_E_CERTIFICATE_ERROR }
            let owner = unsafe Unmanaged<SecureSession>.fromOpaque(reference).takeUnretainedValue()
            return owner.acceptsPeer() ? GNUTLS_E_SUCCESS : GNUTLS_E_CERTIFICATE_ERROR
        }
    }
}
