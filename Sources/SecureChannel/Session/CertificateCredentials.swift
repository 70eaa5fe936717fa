internal import CGnuTLS

/// What GnuTLS keeps of certificates for sessions: those we show, with their key, and those we trust.
///
/// GnuTLS lets sessions of several threads share credentials that no longer change. Owners load them before they hand
/// them on, which is what makes the owners `Sendable`.
@safe
final class CertificateCredentials {
    let handle: gnutls_certificate_credentials_t

    /// Allocates credentials that hold nothing yet.
    init() throws(SecureChannelError) {
        var allocated: gnutls_certificate_credentials_t?
        // The out-parameter lives across the call.
        let status = unsafe gnutls_certificate_allocate_credentials(&allocated)
        guard status == GNUTLS_E_SUCCESS, let handle = unsafe allocated else { throw .refusedByLibrary(code: status) }
        unsafe self.handle = handle
    }

    deinit {
        // The handle was allocated in `init`; sessions keep this object alive while they use it.
        unsafe gnutls_certificate_free_credentials(handle)
    }
}
