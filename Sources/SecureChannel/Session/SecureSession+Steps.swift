internal import CGnuTLS
internal import SansIO

extension SecureSession {
    /// Lets GnuTLS work on what has arrived and on its timer.
    func proceed(at now: Instant) -> [SecureEffect] {
        self.now = now
        var effects: [SecureEffect] = []
        if case .handshaking = phase { effects += shakeHands() }
        if case .open = phase { effects += readRecords() }
        updateDeadline()
        return effects
    }

    private func shakeHands() -> [SecureEffect] {
        var status: Int32
        var passes = 0
        repeat {
            // The session is alive; a status that is not fatal asks for another call once there is input.
            status = unsafe gnutls_handshake(session)
            passes += 1
        } while status != GNUTLS_E_SUCCESS && mayGoOn(after: status, passes: passes)
        if status == GNUTLS_E_SUCCESS, let peer {
            phase = .open
            return output() + [.established(facts(about: peer))]
        }
        // A handshake without the peer's certificate would be a fault of the settings.
        let failed =
            status == GNUTLS_E_SUCCESS || gnutls_error_is_fatal(status) != 0 || passes > Self.maximumPasses
        return failed ? output() + fail(status) : output()
    }

    private func readRecords() -> [SecureEffect] {
        var effects: [SecureEffect] = []
        var passes = 0
        while true {
            let (count, number) = readRecord()
            if count > 0 {
                let record = Array(recordBuffer[..<count])
                effects += transport == .stream ? [.received(record)] : order.insert(record, number: number, at: now)
                continue
            }
            let status = Int32(clamping: count)
            passes += 1
            if count == 0 {
                // Answer the peer's good-bye.
                _ = unsafe gnutls_bye(session, GNUTLS_SHUT_WR)
                return effects + finish(.closed)
            }
            if gnutls_error_is_fatal(status) != 0 || passes > Self.maximumPasses {
                return effects + output() + fail(status)
            }
            // Wishes for renegotiation and warnings are passed over.
            if !mayGoOn(after: status, passes: passes) { return effects + output() }
        }
    }

    /// Decrypts one record into the buffer; returns its length or GnuTLS's status, and its number within the epoch.
    private func readRecord() -> (count: Int, number: UInt64) {
        var header = [UInt8](repeating: 0, count: 8)
        // Both buffers live across the call; the first has the size that is passed on, the second the eight bytes
        // GnuTLS writes: two of the epoch, six of the record.
        let count = unsafe recordBuffer.withUnsafeMutableBytes { buffer in
            unsafe header.withUnsafeMutableBufferPointer { header in
                unsafe gnutls_record_recv_seq(session, buffer.baseAddress, buffer.count, header.baseAddress)
            }
        }
        return (count, header.dropFirst(2).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Whether GnuTLS is to be called again at once: it stops at a warning or a dropped datagram though there is more.
    private func mayGoOn(after status: Int32, passes: Int) -> Bool {
        gnutls_error_is_fatal(status) == 0 && passes <= Self.maximumPasses
            && (status != GNUTLS_E_AGAIN || pipe.hasInput)
    }

    /// How many warnings and the like one input may hold.
    private static let maximumPasses = 256

    func output() -> [SecureEffect] { pipe.takeOutput().map { .send($0) } }

    func finish(_ last: SecureEffect) -> [SecureEffect] {
        phase = .over
        deadline = nil
        return output() + [last]
    }

    /// Tells the peer why, where there is an alert for it, and ends the session.
    func fail(_ status: Int32) -> [SecureEffect] {
        if let objection {
            _ = unsafe gnutls_alert_send_appropriate(session, GNUTLS_E_CERTIFICATE_ERROR)
            return finish(.failed(objection))
        }
        if status == GNUTLS_E_FATAL_ALERT_RECEIVED {
            // Alert numbers have eight bits on the wire.
            let alert = unsafe gnutls_alert_get(session)
            return finish(.failed(.alert(UInt8(truncatingIfNeeded: alert.rawValue))))
        }
        _ = unsafe gnutls_alert_send_appropriate(session, status)
        // The name is a constant of the library.
        let name = unsafe gnutls_strerror_name(status).map { unsafe String(cString: $0) } ?? ""
        return finish(.failed(.protocolViolation(code: status, name: name)))
    }

    private func updateDeadline() {
        guard case .datagram = transport, case .handshaking = phase else {
            deadline = order.deadline
            return
        }
        // GnuTLS counts by its own clock; a floor keeps a timer that is due from spinning.
        let remaining = Duration.milliseconds(Int64(unsafe gnutls_dtls_get_timeout(session)))
        deadline = now.advanced(by: max(remaining, .milliseconds(10)))
    }
}
