package import SansIO
package import SecureChannel

/// A session in the place of DTLS that hides and proves nothing, but behaves like it: flights, losses, repetitions.
///
/// GnuTLS repeats lost flights of DTLS by its own clock, which no virtual time moves, so that a lossy simulation of real
/// DTLS would depend on how fast it runs. TLS over streams has no clock and is simulated with ``SecureSession``.
/// Both sides show their chains in pieces, as DTLS does, and compare the peer's with the expected one; nothing is
/// encrypted or signed. The record types are those of DTLS, so that what tells datagrams apart sees no difference.
package final class ClearTransport: SecureTransport, @unchecked Sendable {
    // `@unchecked Sendable`: one world uses it, from one thread, as it does with every session.

    private enum Record: UInt8 {
        case alert = 21
        case handshake = 22
        case data = 23
    }

    private enum Phase {
        case idle
        case handshaking
        case open
        case over
    }

    /// How much of a chain, or of data, one datagram holds.
    package static let pieceLength = 1100
    /// The wait before a flight is repeated; it doubles each time.
    package static let retransmission = Duration.milliseconds(150)
    /// How long a handshake may take.
    package static let patience = Duration.seconds(30)
    /// The number of the last flight, which only says that the client is content.
    private static let finished: UInt8 = 0xFF

    package var deadline: Instant? { repetition ?? order.deadline }
    private var repetition: Instant?
    private var order = RecordOrder()
    private let isClient: Bool
    private let chain: CertificateChain
    private let expected: PeerExpectation
    private var phase = Phase.idle
    private var pieces: [[UInt8]?] = []
    private var peer: CertificateChain?
    private var wait = ClearTransport.retransmission
    private var begun = Instant.zero
    private var lastSent: UInt32 = 0

    /// Prepares a session.
    package init(isClient: Bool, chain: CertificateChain, expecting expected: PeerExpectation) {
        self.isClient = isClient
        self.chain = chain
        self.expected = expected
    }

    package func start(at now: Instant) -> [SecureEffect] {
        guard case .idle = phase else { return [.ignored(.over)] }
        phase = .handshaking
        begun = now
        guard isClient else { return [] }
        repetition = now.advanced(by: wait)
        return flight()
    }

    package func receive(_ bytes: [UInt8], at now: Instant) -> [SecureEffect] {
        guard let type = bytes.first, let record = Record(rawValue: type) else { return [.ignored(.strayDatagram)] }
        switch (phase, record) {
        case (.idle, _): return [.ignored(.notEstablished)]
        case (.over, _): return [.ignored(.over)]
        case (.open, .data): return take(bytes, at: now)
        case (.open, .alert): return end(.closed)
        case (.handshaking, .alert): return end(.failed(.alert(0)))
        case (.handshaking, .data): return [.ignored(.strayDatagram)]
        case (.handshaking, .handshake), (.open, .handshake):
            return shakeHands(Array(bytes.dropFirst()), at: now)
        }
    }

    package func send(_ plaintext: [UInt8], at now: Instant) -> [SecureEffect] {
        guard case .open = phase else { return [.ignored(.notEstablished)] }
        return Self.cut(plaintext).map { piece in
            lastSent += 1
            var writer = ByteWriter(capacity: piece.count + 5)
            writer.write(Record.data.rawValue)
            writer.write(lastSent)
            return .send(writer.bytes + piece)
        }
    }

    private func take(_ record: [UInt8], at now: Instant) -> [SecureEffect] {
        var reader = ByteReader(record.span)
        guard (try? reader.read(UInt8.self)) != nil, let number: UInt32 = try? reader.read() else {
            return [.ignored(.strayDatagram)]
        }
        return order.insert(Array(record.dropFirst(5)), number: UInt64(number), at: now)
    }

    package func advance(to now: Instant) -> [SecureEffect] {
        guard let repetition, repetition <= now, case .handshaking = phase else { return order.advance(to: now) }
        guard begun.duration(to: now) < Self.patience else { return end(.failed(.alert(0))) }
        wait = wait * 2
        self.repetition = now.advanced(by: wait)
        return flight()
    }

    package func close(at now: Instant) -> [SecureEffect] {
        guard case .open = phase else { return end(.closed) }
        return [.send([Record.alert.rawValue])] + end(.closed)
    }

    // MARK: - The handshake

    /// Our chain: number and count of the piece before each.
    private func flight() -> [SecureEffect] {
        let pieces = Self.cut(Array(chain.pem.utf8))
        return pieces.indices.map {
            .send([Record.handshake.rawValue, UInt8($0), UInt8(pieces.count)] + pieces[$0])
        }
    }

    private func shakeHands(_ message: [UInt8], at now: Instant) -> [SecureEffect] {
        if message.first == Self.finished { return isClient ? [] : establish() }
        if case .open = phase {
            // The peer did not get our last flight: it is repeated when the peer repeats the end of its own.
            guard isClient, message.count > 2, message[0] == message[1] - 1 else { return [] }
            return [.send([Record.handshake.rawValue, Self.finished])]
        }
        guard message.count > 2, message[1] > 0, message[0] < message[1], message[1] < Self.finished else {
            return [.ignored(.strayDatagram)]
        }
        if pieces.isEmpty { pieces = Array(repeating: nil, count: Int(message[1])) }
        guard Int(message[0]) < pieces.count else { return [.ignored(.strayDatagram)] }
        pieces[Int(message[0])] = Array(message.dropFirst(2))
        guard peer == nil, !pieces.contains(nil) else { return [] }
        return meet(pieces.flatMap { $0 ?? [] }, at: now)
    }

    private func meet(_ text: [UInt8], at now: Instant) -> [SecureEffect] {
        guard let chain = try? CertificateChain(decoding: text) else { return end(.failed(.unreadableCertificate)) }
        guard expected.accepts(chain) else {
            let error = SecureChannelError.unexpectedPeer(
                account: chain.accountID ?? chain.device.shortID, device: chain.device.shortID)
            return [.send([Record.alert.rawValue])] + end(.failed(error))
        }
        peer = chain
        guard isClient else {
            repetition = now.advanced(by: wait)
            return flight()
        }
        return [.send([Record.handshake.rawValue, Self.finished])] + establish()
    }

    private func establish() -> [SecureEffect] {
        guard case .handshaking = phase, let peer else { return [] }
        phase = .open
        repetition = nil
        return [.established(PeerFacts(chain: peer, protocolVersion: "clear", cipherSuite: "none"))]
    }

    private func end(_ last: SecureEffect) -> [SecureEffect] {
        phase = .over
        repetition = nil
        order = RecordOrder()
        return [last]
    }

    private static func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: pieceLength).map {
            Array(bytes[$0..<min($0 + pieceLength, bytes.count)])
        }
    }
}
