internal import CGnuTLS

/// A chain and its key, loaded once into GnuTLS and shared by all sessions of an identity.
///
/// `@unchecked Sendable` because what was loaded never changes after `init`.
@safe
public final class Credentials: @unchecked Sendable {
    /// What is shown to peers.
    public let chain: CertificateChain

    let loaded: CertificateCredentials

    /// Loads `chain` and the key of its first certificate.
    public init(chain: CertificateChain, deviceKey: PrivateKey) throws(SecureChannelError) {
        loaded = try CertificateCredentials()
        self.chain = chain
        // The handle was just allocated.
        let status = unsafe Self.load(Array(chain.pem.utf8), Array(deviceKey.pem.utf8), into: loaded.handle)
        guard status >= 0 else { throw .refusedByLibrary(code: status) }
    }

    /// Loads an identity's chain and device key.
    public convenience init(_ identity: Identity) throws(SecureChannelError) {
        try self.init(chain: identity.chain, deviceKey: identity.deviceKey)
    }

    private static func load(
        _ chain: [UInt8], _ key: [UInt8], into handle: gnutls_certificate_credentials_t
    ) -> Int32 {
        var (chain, key) = (chain, key)
        // GnuTLS reads both buffers during the call only, and does not write to them.
        return unsafe chain.withUnsafeMutableBufferPointer { chain in
            unsafe key.withUnsafeMutableBufferPointer { key in
                var chainDatum = unsafe gnutls_datum_t(data: chain.baseAddress, size: UInt32(chain.count))
                var keyDatum = unsafe gnutls_datum_t(data: key.baseAddress, size: UInt32(key.count))
                return unsafe gnutls_certificate_set_x509_key_mem(handle, &chainDatum, &keyDatum, GNUTLS_X509_FMT_PEM)
            }
        }
    }
}
