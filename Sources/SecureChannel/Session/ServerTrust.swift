internal import CGnuTLS

/// Which servers a ``TLSClientSession`` talks to.
public enum ServerTrust: Hashable, Sendable {
    /// Those whose certificate leads to an authority of the system's trust store and names them.
    case system
    /// Those whose certificate leads to one of these certificates (PEM), or is one of them, and names them.
    case authorities(pem: String)
    /// All of them, whoever they are: encrypted, but open to whoever stands in between. For laboratories.
    case anyServer
}

/// The authorities of a ``ServerTrust``, loaded once into GnuTLS and shared by sessions.
///
/// GnuTLS lets sessions of several threads share credentials that no longer change; they never change after `init`,
/// which is what makes the type `Sendable`.
@safe
public final class ServerAuthorities: @unchecked Sendable {
    /// What was loaded.
    public let trust: ServerTrust

    let handle: gnutls_certificate_credentials_t

    /// Loads the authorities, which takes milliseconds where they are the system's: more than a hundred are read from files.
    /// - Throws: ``SecureChannelError/noAuthority`` when there is none.
    public init(_ trust: ServerTrust) throws(SecureChannelError) {
        var allocated: gnutls_certificate_credentials_t?
        // The out-parameter lives across the call.
        let status = unsafe gnutls_certificate_allocate_credentials(&allocated)
        guard status == GNUTLS_E_SUCCESS, let handle = unsafe allocated else { throw .refusedByLibrary(code: status) }
        unsafe self.handle = handle
        self.trust = trust
        let loaded: Int32
        switch trust {
        // The handle was just allocated.
        case .system: loaded = unsafe gnutls_certificate_set_x509_system_trust(handle)
        case .authorities(let pem): loaded = unsafe Self.load(Array(pem.utf8), into: handle)
        case .anyServer: return
        }
        guard loaded > 0 else { throw .noAuthority }
    }

    deinit {
        // The handle was allocated in `init`; sessions keep this object alive while they use it.
        unsafe gnutls_certificate_free_credentials(handle)
    }

    private static func load(_ pem: [UInt8], into handle: gnutls_certificate_credentials_t) -> Int32 {
        var pem = pem
        // GnuTLS reads the buffer during the call only, and does not write to it.
        return unsafe pem.withUnsafeMutableBufferPointer { pem in
            var datum = unsafe gnutls_datum_t(data: pem.baseAddress, size: UInt32(pem.count))
            return unsafe gnutls_certificate_set_x509_trust_mem(handle, &datum, GNUTLS_X509_FMT_PEM)
        }
    }
}
