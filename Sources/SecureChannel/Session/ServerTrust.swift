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
/// `@unchecked Sendable` because what was loaded never changes after `init`.
@safe
public final class ServerAuthorities: @unchecked Sendable {
    /// What was loaded.
    public let trust: ServerTrust

    let loaded: CertificateCredentials

    /// Loads the authorities, which takes milliseconds where they are the system's: more than a hundred are read from files.
    /// - Throws: ``SecureChannelError/noAuthority`` when there is none.
    public init(_ trust: ServerTrust) throws(SecureChannelError) {
        loaded = try CertificateCredentials()
        self.trust = trust
        let count: Int32
        switch trust {
        // The handle was just allocated.
        case .system: count = unsafe gnutls_certificate_set_x509_system_trust(loaded.handle)
        case .authorities(let pem): count = unsafe Self.load(Array(pem.utf8), into: loaded.handle)
        case .anyServer: return
        }
        guard count > 0 else { throw .noAuthority }
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
