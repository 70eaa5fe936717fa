/// New keys within a call: they come with a new path, and the peer moves over to it a little earlier or later than we.
extension AudioSession {
    /// From now on packets under this key are taken as well; it is the peer's for the path that is being found.
    ///
    /// A key expected before that was never moved to is given up.
    public func expect(_ remoteKey: SRTPKey) throws(MediaError) { try inbound.expect(remoteKey) }

    /// Protects with the first key from the next packet on, and takes packets under the second.
    ///
    /// Packets under the key before stay welcome, as some are on their way. Source, numbers and timestamps go on, so
    /// that the peer hears no seam; only close to the end of the sequence numbers they begin anew, as the peer could
    /// not tell a rollover it has not seen (RFC 3711 §3.3.1).
    public func move(toLocal localKey: SRTPKey, remote remoteKey: SRTPKey) throws(MediaError) {
        let protection = try SRTPContext(key: localKey, suite: configuration.suite, direction: .outbound)
        try inbound.move(to: remoteKey)
        outbound = protection
        session.startAnewNearRollover()
    }

    /// Lets the time of one block pass without sending; what is sent next comes that much later.
    public func skip() { session.skip(UInt32(Self.blockLength)) }
}

/// What protects the packets we receive: under the key in use, the one before it, and the one that comes next.
struct InboundProtection {
    private let suite: SRTPSuite
    private var current: SRTPContext
    private var former: SRTPContext?
    private var expected: (key: SRTPKey, context: SRTPContext)?

    init(key: SRTPKey, suite: SRTPSuite) throws(MediaError) {
        self.suite = suite
        current = try SRTPContext(key: key, suite: suite, direction: .inbound)
    }

    mutating func expect(_ key: SRTPKey) throws(MediaError) {
        expected = (key, try SRTPContext(key: key, suite: suite, direction: .inbound))
    }

    mutating func move(to key: SRTPKey) throws(MediaError) {
        if expected?.key != key { try expect(key) }
        guard let next = expected?.context else { return }
        (former, current, expected) = (current, next, nil)
    }

    /// Checks and decrypts with the first key that fits; the error is that of the key in use.
    func unprotect(
        _ bytes: inout [UInt8], by step: (SRTPContext, inout [UInt8]) throws(MediaError) -> Void
    ) throws(MediaError) {
        let others = [expected?.context, former].compactMap(\.self)
        let received = others.isEmpty ? [] : bytes
        let failure: MediaError
        do throws(MediaError) { return try step(current, &bytes) } catch { failure = error }
        // What is under the key in use and only too old is under no other.
        guard failure != .replayed else { throw failure }
        for context in others {
            bytes = received
            if (try? step(context, &bytes)) != nil { return }
        }
        throw failure
    }
}
