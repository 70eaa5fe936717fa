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
        switch tls.shakeHands() {
        case .waiting: return output()
        case .failed(let status): return fail(status)
        case .finished:
            // A handshake without the peer's certificate would be a fault of the settings.
            guard let peer else { return fail(GNUTLS_E_NO_CERTIFICATE_FOUND) }
            phase = .open
            return output() + [.established(facts(about: peer))]
        }
    }

    private func readRecords() -> [SecureEffect] {
        var effects: [SecureEffect] = []
        let step = tls.readRecords { record, number in
            effects += transport == .stream ? [.received(record)] : order.insert(record, number: number, at: now)
        }
        switch step {
        case .waiting: return effects + output()
        case .failed(let status): return effects + fail(status)
        case .finished:
            // Answer the peer's good-bye.
            tls.sayGoodbye()
            return effects + finish(.closed)
        }
    }

    func output() -> [SecureEffect] { tls.pipe.takeOutput().map { .send($0) } }

    func finish(_ last: SecureEffect) -> [SecureEffect] {
        phase = .over
        deadline = nil
        return output() + [last]
    }

    /// Ends the session; what was said against the peer's certificates explains the status GnuTLS makes of it.
    func fail(_ status: Int32) -> [SecureEffect] {
        let failure = tls.fail(status)
        return finish(.failed(objection ?? failure))
    }

    private func updateDeadline() {
        guard case .datagram = transport, case .handshaking = phase else {
            deadline = order.deadline
            return
        }
        // GnuTLS counts by its own clock; a floor keeps a timer that is due from spinning.
        let remaining = Duration.milliseconds(Int64(unsafe gnutls_dtls_get_timeout(tls.handle)))
        deadline = now.advanced(by: max(remaining, .milliseconds(10)))
    }
}
