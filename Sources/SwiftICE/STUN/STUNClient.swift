public import SansIO

/// The client of one STUN server over one leg: repeats requests, proves who asks, and tells what became of each
/// (RFC 8489 §6, §9, §10).
///
/// Order of use: ``request(_:_:at:)`` at any time; feed what comes from the server's address, or from the connection to
/// it, to ``receive(_:at:)`` message by message. Every request ends in exactly one ``Effect/succeeded(_:_:)`` or
/// ``Effect/failed(_:_:)``. The owner checks where datagrams come from.
public struct STUNClient: Machine {
    /// A request under way, and the message that carries it now.
    private struct Request: Sendable {
        let id: RequestID
        let method: MessageType.Method
        let attributes: [Attribute]
        var transaction: TransactionID
        var packet: [UInt8]
        var protection: Protection
        var timing: Retransmission
        var sentAt: Instant
        var attempts = 1
        var challenges = 0
        var staleNonces = 0
        var serverErrors = 0
        /// Whether an answer came that was not authentic.
        var wasTampered = false
    }

    /// How a message is protected, and so how its response must be.
    private struct Protection: Sendable {
        let key: IntegrityKey
        /// The kinds of integrity that count in the response.
        let kinds: [AttributeType]
        /// The challenge that was answered; `nil` for short-term credentials.
        let challenge: STUNServerMemory.Challenge?

        static let none = Protection(key: IntegrityKey(bytes: []), kinds: [], challenge: nil)
    }

    /// How messages travel.
    public let leg: Leg
    /// The limits and intervals.
    public let configuration: Configuration
    /// What was learnt of the server; hand it to the next client of the same server.
    public private(set) var memory: STUNServerMemory
    private let credentials: Credentials
    private var random: RandomSource
    private var requests: [Request] = []
    private var lastRequest: UInt64 = 0
    private var timers = TimerTable<RequestID>()
    /// The long-term key in use, as making one takes a hash.
    private var longTermKey: (challenge: STUNServerMemory.Challenge, key: IntegrityKey)?

    /// Prepares a client; `memory` is what an earlier one learnt of the same server.
    public init(
        leg: Leg, credentials: Credentials = .none, memory: STUNServerMemory = STUNServerMemory(),
        configuration: Configuration = Configuration(), random: RandomSource
    ) {
        self.leg = leg
        self.credentials = credentials
        self.memory = memory
        self.configuration = configuration
        self.random = random
    }

    /// When a request is repeated or given up.
    public var deadline: Instant? { timers.deadline }

    /// How many requests are open.
    public var openRequests: Int { requests.count }

    /// Makes a request with these attributes; the client adds credentials, integrity and fingerprint.
    public mutating func request(
        _ method: MessageType.Method, _ attributes: [Attribute] = [], at now: Instant
    ) -> (id: RequestID, effects: [Effect]) {
        lastRequest += 1
        let id = RequestID(number: lastRequest)
        guard requests.count < configuration.requestLimit else { return (id, [.failed(id, .overloaded)]) }
        var request = Request(
            id: id, method: method, attributes: attributes, transaction: TransactionID(high: 0, low: 0), packet: [],
            protection: .none, timing: configuration.retransmission, sentAt: now)
        let effects = transmit(&request, at: now)
        requests.append(request)
        return (id, effects)
    }

    /// Gives a request up without a word.
    public mutating func cancel(_ id: RequestID) {
        requests.removeAll { $0.id == id }
        timers.cancel(id)
    }

    /// Takes one message from the server.
    public mutating func receive(_ bytes: Span<UInt8>, at now: Instant) -> [Effect] {
        do throws(WireError) {
            return receive(try Message(bytes), at: now)
        } catch {
            return [.ignored(.malformed(error))]
        }
    }

    /// Takes one message from the server that was read already.
    public mutating func receive(_ message: Message, at now: Instant) -> [Effect] {
        guard let index = requests.firstIndex(where: { $0.transaction == message.transaction }),
            requests[index].method == message.type.method
        else { return [.ignored(.unknownTransaction)] }
        switch message.type.messageClass {
        case .success: return succeeded(index, message, at: now)
        case .error: return rejected(index, message, at: now)
        case .request, .indication: return [.ignored(.unknownTransaction)]
        }
    }

    /// Repeats requests that are due, or gives them up after their last wait.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let id = timers.popDue(at: now) {
            guard let index = requests.firstIndex(where: { $0.id == id }) else { continue }
            guard leg == .datagram, requests[index].attempts < requests[index].timing.attempts else {
                effects.append(finish(index, requests[index].wasTampered ? .tampered : .noAnswer))
                continue
            }
            requests[index].attempts += 1
            let wait = requests[index].timing.wait(after: requests[index].attempts)
            timers.set(id, at: now.advanced(by: max(wait, .milliseconds(1))))
            effects.append(.send(requests[index].packet))
        }
        return effects
    }

    // MARK: Making messages

    /// Makes a new message of a request and sends it; each has a transaction of its own.
    private mutating func transmit(_ request: inout Request, at now: Instant) -> [Effect] {
        request.transaction = TransactionID(random: &random)
        request.sentAt = now
        request.attempts = 1
        request.timing = memory.retransmission(configuration.retransmission, at: now)
        var builder = MessageBuilder(.request, request.method, request.transaction)
        for attribute in request.attributes { builder.add(attribute) }
        request.protection = protect(&builder)
        request.packet = builder.finishedWithFingerprint()
        // Over a connection the whole time of the schedule is waited once (Ti of RFC 8489 §6.2.2).
        let wait = leg == .datagram ? request.timing.wait(after: 1) : configuration.retransmission.total
        timers.set(request.id, at: now.advanced(by: max(wait, .milliseconds(1))))
        return [.send(request.packet)]
    }

    private mutating func protect(_ builder: inout MessageBuilder) -> Protection {
        switch credentials {
        case .none: return .none
        case .shortTerm(let username, let password):
            let key = IntegrityKey(shortTerm: password)
            builder.add(.username(username))
            builder.addIntegrity(key)
            builder.addIntegritySHA256(key)
            return Protection(key: key, kinds: [.messageIntegrity, .messageIntegritySHA256], challenge: nil)
        case .longTerm(let username, let password):
            guard let challenge = memory.challenge else { return .none }
            return answer(challenge, username, password, in: &builder)
        }
    }

    /// Adds what a challenge asks for (RFC 8489 §9.2.3.2).
    private mutating func answer(
        _ challenge: STUNServerMemory.Challenge, _ username: String, _ password: String,
        in builder: inout MessageBuilder
    ) -> Protection {
        let key = key(for: challenge, username, password)
        let realm = challenge.realm
        builder.add(
            challenge.hidesUsername
                ? .userHash(IntegrityKey.userHash(username: username, realm: realm)) : .username(username))
        builder.add(.realm(realm))
        builder.add(.nonce(challenge.nonce))
        guard !challenge.algorithms.isEmpty else {
            builder.addIntegrity(key)
            return Protection(key: key, kinds: [.messageIntegrity, .messageIntegritySHA256], challenge: challenge)
        }
        builder.add(.passwordAlgorithm(challenge.algorithm == .sha256 ? .sha256 : .md5))
        builder.add(.passwordAlgorithms(challenge.algorithms))
        builder.addIntegritySHA256(key)
        return Protection(key: key, kinds: [.messageIntegritySHA256], challenge: challenge)
    }

    private mutating func key(
        for challenge: STUNServerMemory.Challenge, _ username: String, _ password: String
    ) -> IntegrityKey {
        if let known = longTermKey, known.challenge.realm == challenge.realm,
            known.challenge.algorithm == challenge.algorithm
        {
            return known.key
        }
        let key = IntegrityKey(
            longTerm: username, realm: challenge.realm, password: password, algorithm: challenge.algorithm)
        longTermKey = (challenge, key)
        return key
    }
}

// MARK: - Responses

extension STUNClient {
    private mutating func succeeded(_ index: Int, _ message: Message, at now: Instant) -> [Effect] {
        guard isAuthentic(message, for: requests[index]) else { return distrust(index) }
        measure(index, at: now)
        let unknown = message.unknownAttributes(knowing: Attribute.understoodInResponses)
        guard unknown.isEmpty else { return [finish(index, .incomprehensible(unknown))] }
        let request = requests.remove(at: index)
        timers.cancel(request.id)
        return [.succeeded(request.id, message)]
    }

    private mutating func rejected(_ index: Int, _ message: Message, at now: Instant) -> [Effect] {
        let code: ErrorCode? = if case .errorCode(let code, _) = message.first(.errorCode) { code } else { nil }
        let mayLackProof = !message.hasIntegrity && code?.comesBeforeAuthentication == true
        guard mayLackProof || isAuthentic(message, for: requests[index]) else { return distrust(index) }
        switch code {
        case .unauthorized?, .staleNonce?: return challenged(index, message, isStale: code == .staleNonce, at: now)
        case .tryAlternate?:
            guard case .address(_, let server) = message.first(.alternateServer) else {
                return [finish(index, .rejected(code))]
            }
            return [finish(index, .redirected(to: server))]
        case .unknownAttribute?:
            guard case .unknownAttributes(let types) = message.first(.unknownAttributes) else {
                return [finish(index, .notUnderstood([]))]
            }
            return [finish(index, .notUnderstood(types))]
        case .serverError? where requests[index].serverErrors < configuration.serverErrorRetries:
            requests[index].serverErrors += 1
            return transmitAnew(index, at: now)
        default:
            measure(index, at: now)
            return [finish(index, .rejected(code))]
        }
    }

    /// Answers a request for credentials, or a stale nonce (RFC 8489 §9.2.5).
    private mutating func challenged(_ index: Int, _ message: Message, isStale: Bool, at now: Instant) -> [Effect] {
        guard case .longTerm = credentials, case .realm(let realm) = message.first(.realm),
            case .nonce(let nonce) = message.first(.nonce)
        else { return [finish(index, .unauthorized)] }
        let lengths = 1...configuration.challengeLengthLimit
        guard lengths.contains(realm.utf8.count), lengths.contains(nonce.count) else {
            return [finish(index, .unauthorized)]
        }
        var challenge = STUNServerMemory.Challenge(realm: realm, nonce: nonce, algorithms: [], algorithm: .md5)
        if SecurityFeatures(nonce: nonce).contains(.passwordAlgorithms) {
            guard case .passwordAlgorithms(let offer) = message.first(.passwordAlgorithms) else {
                requests[index].wasTampered = true
                return [.ignored(.bidDown)]
            }
            guard let choice = choice(of: offer) else { return [finish(index, .unsupportedAlgorithms)] }
            (challenge.algorithms, challenge.algorithm) = (offer, choice)
        }
        guard mayAnswer(challenge, isStale: isStale, index) else { return [finish(index, .unauthorized)] }
        measure(index, at: now)
        memory.challenge = challenge
        return transmitAnew(index, at: now)
    }

    private mutating func transmitAnew(_ index: Int, at now: Instant) -> [Effect] {
        var request = requests[index]
        let effects = transmit(&request, at: now)
        requests[index] = request
        return effects
    }

    /// Counts the challenge, and tells whether credentials that were not refused yet can answer it.
    private mutating func mayAnswer(_ challenge: STUNServerMemory.Challenge, isStale: Bool, _ index: Int) -> Bool {
        let answered = requests[index].protection.challenge
        requests[index].challenges += 1
        if isStale {
            requests[index].staleNonces += 1
            guard requests[index].staleNonces <= configuration.staleNonceLimit else { return false }
        } else if let answered, answered.realm == challenge.realm, answered.algorithm == challenge.algorithm {
            return false
        }
        return requests[index].challenges <= configuration.challengeLimit
    }

    /// The strongest algorithm of an offer that we know; `nil` when there is none.
    private func choice(of offer: [Attribute.PasswordAlgorithm]) -> IntegrityKey.Algorithm? {
        guard offer.count <= configuration.algorithmLimit else { return nil }
        if offer.contains(.sha256) { return .sha256 }
        return offer.contains(.md5) ? .md5 : nil
    }

    private func isAuthentic(_ message: Message, for request: Request) -> Bool {
        guard !request.protection.kinds.isEmpty else { return true }
        let decisive: AttributeType = message.has(.messageIntegritySHA256) ? .messageIntegritySHA256 : .messageIntegrity
        return request.protection.kinds.contains(decisive) && message.isAuthentic(under: request.protection.key)
    }

    /// A response that is not authentic must not end a request over UDP, as anyone may send one (RFC 8489 §9.2.5).
    private mutating func distrust(_ index: Int) -> [Effect] {
        guard leg == .stream else {
            requests[index].wasTampered = true
            return [.ignored(.notAuthentic)]
        }
        return [.ignored(.notAuthentic), finish(index, .tampered)]
    }

    /// Learns the round trip, unless it cannot be told which of several transmissions was answered.
    private mutating func measure(_ index: Int, at now: Instant) {
        guard requests[index].attempts == 1 else { return }
        memory.measured(requests[index].sentAt.duration(to: now), at: now)
    }

    private mutating func finish(_ index: Int, _ failure: Failure) -> Effect {
        let request = requests.remove(at: index)
        timers.cancel(request.id)
        return .failed(request.id, failure)
    }
}

extension ErrorCode {
    /// Whether servers send it before they look at credentials, and so without integrity.
    ///
    /// coturn does so for 441 as well.
    fileprivate var comesBeforeAuthentication: Bool {
        [.badRequest, .unauthorized, .unknownAttribute, .staleNonce, .wrongCredentials, .serverError].contains(self)
    }
}
