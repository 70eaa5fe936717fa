public import SansIO

/// One Binding request to a STUN server, which learns the server-reflexive address of a socket (RFC 8489 §6.2.1).
///
/// Order of use: ``start(at:)``, send what it says, feed datagrams of the socket to ``receive(_:from:at:)`` until it
/// answers or fails. Any other input is refused with ``Effect/ignored(_:)``.
public struct BindingRequest: Machine {
    /// What the request asks of its driver.
    public enum Effect: Hashable, Sendable {
        /// Send a datagram to the server.
        case send([UInt8], to: Endpoint)
        /// The server saw the socket at `mapped`; the round trip is `nil` when it cannot be told which of several
        /// transmissions was answered (RFC 6298 §3).
        case answered(mapped: Endpoint, roundTrip: Duration?)
        /// There is no address to be had from this server.
        case failed(Failure)
        /// A datagram that is not the answer.
        case ignored(WireError?)
    }

    /// Why there is no answer.
    public enum Failure: Error, Hashable, Sendable {
        /// The server did not answer in time.
        case noAnswer
        /// The server answered with an error, or without an address when there is no code.
        case rejected(ErrorCode?)
    }

    private enum Phase {
        case idle
        case waiting(attempt: Int, since: Instant)
        case done
    }

    /// The server asked.
    public let server: Endpoint
    /// When the request is repeated or given up.
    public private(set) var deadline: Instant?
    private let timing: Retransmission
    private let transaction: TransactionID
    private let packet: [UInt8]
    private var phase = Phase.idle

    /// Prepares a request; `random` gives the transaction identifier.
    public init(server: Endpoint, timing: Retransmission = Retransmission(), random: inout RandomSource) {
        self.server = server
        self.timing = timing
        transaction = TransactionID(random: &random)
        packet = MessageBuilder(.request, .binding, transaction).finishedWithFingerprint()
    }

    /// Sends the request for the first time; legal once.
    public mutating func start(at now: Instant) -> [Effect] {
        guard case .idle = phase else { return [] }
        return transmit(attempt: 1, since: now, at: now)
    }

    /// Takes a datagram that arrived on the socket.
    public mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [Effect] {
        guard case .waiting(let attempt, let since) = phase, source.unmapped == server.unmapped else {
            return [.ignored(nil)]
        }
        let message: Message
        do { message = try Message(datagram) } catch { return [.ignored(error)] }
        guard message.transaction == transaction, message.type.method == .binding else { return [.ignored(nil)] }
        switch message.type.messageClass {
        case .success:
            finish()
            guard let mapped = message.reflexiveAddress else { return [.failed(.rejected(nil))] }
            return [.answered(mapped: mapped, roundTrip: attempt == 1 ? since.duration(to: now) : nil)]
        case .error:
            finish()
            guard case .errorCode(let code, _) = message.first(.errorCode) else { return [.failed(.rejected(nil))] }
            return [.failed(.rejected(code))]
        case .request, .indication: return [.ignored(nil)]
        }
    }

    /// Repeats the request, or gives it up after the last wait.
    public mutating func advance(to now: Instant) -> [Effect] {
        guard let deadline, deadline <= now, case .waiting(let attempt, let since) = phase else { return [] }
        guard attempt < timing.attempts else {
            finish()
            return [.failed(.noAnswer)]
        }
        return transmit(attempt: attempt + 1, since: since, at: now)
    }

    private mutating func transmit(attempt: Int, since: Instant, at now: Instant) -> [Effect] {
        phase = .waiting(attempt: attempt, since: since)
        deadline = now.advanced(by: max(timing.wait(after: attempt), .milliseconds(1)))
        return [.send(packet, to: server)]
    }

    private mutating func finish() { (phase, deadline) = (.done, nil) }
}

extension Message {
    /// The address a Binding response tells, from XOR-MAPPED-ADDRESS or else MAPPED-ADDRESS, which middleboxes may rewrite.
    public var reflexiveAddress: Endpoint? {
        if case .xorAddress(_, let mapped) = first(.xorMappedAddress) { return mapped.unmapped }
        if case .address(_, let mapped) = first(.mappedAddress) { return mapped.unmapped }
        return nil
    }
}
