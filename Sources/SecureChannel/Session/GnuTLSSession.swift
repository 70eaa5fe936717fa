internal import CGnuTLS

/// A session of GnuTLS over memory: the steps that sessions of every kind have in common.
///
/// Its owner decides which step is due, and makes effects of what the step comes to.
@safe
final class GnuTLSSession {
    /// What a step came to.
    enum Step {
        /// There is nothing more to do before more input comes.
        case waiting
        /// The handshake ended well, or the peer said good-bye.
        case finished
        /// The session broke, with this status of GnuTLS.
        case failed(Int32)
    }

    /// How many warnings and the like one input may hold.
    private static let maximumPasses = 256

    /// For settings that not every session has; alive as long as this object.
    let handle: gnutls_session_t
    /// What GnuTLS reads and writes.
    let pipe: MemoryPipe
    private let isDatagram: Bool
    /// GnuTLS keeps a reference only.
    private let credentials: CertificateCredentials
    /// Where records are decrypted to; RFC 8446 §5.1 lets them hold this much.
    private var recordBuffer = [UInt8](repeating: 0, count: 16_384)

    /// Makes a session that never blocks, and offers the algorithms of `priorities`, a text in GnuTLS's notation.
    init(
        _ flags: [gnutls_init_flags_t], priorities: String, credentials: CertificateCredentials
    ) throws(SecureChannelError) {
        var allocated: gnutls_session_t?
        let flags: [gnutls_init_flags_t] = flags + [GNUTLS_NONBLOCK, GNUTLS_NO_SIGNAL, GNUTLS_NO_TICKETS]
        // The out-parameter lives across the call.
        let status = unsafe gnutls_init(&allocated, flags.reduce(0) { $0 | $1.rawValue })
        guard status == GNUTLS_E_SUCCESS, let handle = unsafe allocated else { throw .refusedByLibrary(code: status) }
        isDatagram = flags.contains(GNUTLS_DATAGRAM)
        unsafe self.handle = handle
        unsafe pipe = MemoryPipe(isDatagram: isDatagram, session: handle)
        self.credentials = credentials
        pipe.install()
        // The session is alive, the string lives across the call, and `credentials` as long as the session.
        try Self.check(unsafe gnutls_priority_set_direct(handle, priorities, nil))
        try Self.check(
            unsafe gnutls_credentials_set(
                handle, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(credentials.handle)))
    }

    deinit {
        // Allocated in `init`, and nobody else has it.
        unsafe gnutls_deinit(handle)
    }

    /// Makes an error of the status of a setting.
    static func check(_ status: Int32) throws(SecureChannelError) {
        guard status == GNUTLS_E_SUCCESS else { throw .refusedByLibrary(code: status) }
    }

    /// Goes on with the handshake; finished once it ended well.
    func shakeHands() -> Step {
        var passes = 0
        while true {
            // The session is alive.
            let status = unsafe gnutls_handshake(handle)
            guard status != GNUTLS_E_SUCCESS else { return .finished }
            passes += 1
            if let step = stop(at: status, after: passes) { return step }
        }
    }

    /// Decrypts the records that have arrived; `number` is a record's within its epoch. Finished at the peer's good-bye.
    func readRecords(_ take: (_ record: [UInt8], _ number: UInt64) -> Void) -> Step {
        var passes = 0
        while true {
            let (count, number) = readRecord()
            guard count != 0 else { return .finished }
            guard count < 0 else {
                take(Array(recordBuffer[..<count]), number)
                continue
            }
            passes += 1
            if let step = stop(at: Int32(clamping: count), after: passes) { return step }
        }
    }

    /// Decrypts one record into the buffer; returns its length or GnuTLS's status, and its number within the epoch.
    private func readRecord() -> (count: Int, number: UInt64) {
        var header = [UInt8](repeating: 0, count: 8)
        // Both buffers live across the call; the first has the size that is passed on, the second the eight bytes
        // GnuTLS writes: two of the epoch, six of the record.
        let count = unsafe recordBuffer.withUnsafeMutableBytes { buffer in
            unsafe header.withUnsafeMutableBufferPointer { header in
                unsafe gnutls_record_recv_seq(handle, buffer.baseAddress, buffer.count, header.baseAddress)
            }
        }
        return (count, header.dropFirst(2).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// What becomes of a step that did not succeed; `nil` to go on at once: GnuTLS stops at a warning, a wish for
    /// renegotiation or a dropped datagram though there is more.
    private func stop(at status: Int32, after passes: Int) -> Step? {
        guard gnutls_error_is_fatal(status) == 0, passes <= Self.maximumPasses else { return .failed(status) }
        return status == GNUTLS_E_AGAIN && !pipe.hasInput ? .waiting : nil
    }

    /// Encrypts bytes for the peer, in as many records as they need; returns GnuTLS's status where it refuses.
    func write(_ plaintext: [UInt8]) -> Int32? {
        // The session is alive and open.
        let limit = isDatagram ? max(1, Int(unsafe gnutls_dtls_get_data_mtu(handle))) : plaintext.count
        var start = 0
        while start < plaintext.count {
            let piece = plaintext[start..<min(start + limit, plaintext.count)]
            // The buffer lives across the call.
            let written = unsafe piece.withUnsafeBytes { unsafe gnutls_record_send(handle, $0.baseAddress, $0.count) }
            guard written > 0 else { return Int32(clamping: written) }
            start += written
        }
        return nil
    }

    /// Says good-bye, and waits for none of the peer's.
    func sayGoodbye() {
        _ = unsafe gnutls_bye(handle, GNUTLS_SHUT_WR)
    }

    /// Makes an error of the status that broke the session, and tells the peer, unless it was the peer who told us.
    func fail(_ status: Int32) -> SecureChannelError {
        guard status != GNUTLS_E_FATAL_ALERT_RECEIVED else {
            // Alert numbers have eight bits on the wire.
            return .alert(UInt8(truncatingIfNeeded: unsafe gnutls_alert_get(handle).rawValue))
        }
        // Without effect where there is no alert for it.
        _ = unsafe gnutls_alert_send_appropriate(handle, status)
        guard status != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR else {
            return .untrustedServer(status: unsafe gnutls_session_get_verify_cert_status(handle))
        }
        // The name is a constant of the library.
        let name = unsafe gnutls_strerror_name(status).map { unsafe String(cString: $0) } ?? ""
        return .protocolViolation(code: status, name: name)
    }
}
