internal import CGnuTLS
internal import SansIO

/// Proves that a datagram client receives what is sent to it, before a handshake costs anything.
///
/// A session has one path, and a key of its own, so the cookie needs to name no address.
struct CookieKey {
    private let key: [UInt8]
    /// What cookies are made for; constant, as the key is not.
    private static let path = Array("path".utf8)

    init() {
        var random = RandomSource.system
        key = random.bytes(Int(GNUTLS_COOKIE_KEY_SIZE))
    }

    /// Checks the cookie in a ClientHello and, if it is ours, tells the session where the numbering stands.
    func admits(_ bytes: [UInt8], to session: gnutls_session_t) -> Bool {
        var (key, path, bytes) = (key, Self.path, bytes)
        var state = gnutls_dtls_prestate_st()
        // All three buffers live across the call, which only reads them.
        let status = unsafe withDatum(&key) { key in
            unsafe path.withUnsafeMutableBytes { path in
                unsafe bytes.withUnsafeMutableBytes { bytes in
                    unsafe gnutls_dtls_cookie_verify(
                        &key, path.baseAddress, path.count, bytes.baseAddress, bytes.count, &state)
                }
            }
        }
        guard status == GNUTLS_E_SUCCESS else { return false }
        // The session is alive; the state is copied.
        unsafe gnutls_dtls_prestate_set(session, &state)
        return true
    }

    /// Writes a HelloVerifyRequest.
    func challenge(over pipe: MemoryPipe) {
        var (key, path) = (key, Self.path)
        var state = gnutls_dtls_prestate_st()
        // Buffers and pipe live across the call, within which the pipe is written to.
        _ = unsafe withDatum(&key) { key in
            unsafe path.withUnsafeMutableBytes { path in
                unsafe gnutls_dtls_cookie_send(
                    &key, path.baseAddress, path.count, &state, Unmanaged.passUnretained(pipe).toOpaque(),
                    MemoryPipe.push)
            }
        }
    }

    private func withDatum(_ bytes: inout [UInt8], _ body: (inout gnutls_datum_t) -> Int32) -> Int32 {
        // The datum is used inside the buffer's scope only.
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            var datum = unsafe gnutls_datum_t(data: buffer.baseAddress, size: UInt32(buffer.count))
            return unsafe body(&datum)
        }
    }
}
