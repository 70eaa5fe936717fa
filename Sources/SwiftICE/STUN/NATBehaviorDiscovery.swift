public import SansIO

/// Finds out how the NATs before us behave, with two sockets and one server that has two addresses (RFC 5780 §4).
///
/// The first socket learns from whom something gets in, so it must send to nobody else; the second learns what its
/// external port depends on; each tries the other's external address. Order of use: ``start(at:)``, then feed what arrives
/// on both sockets until ``Effect/finished(_:)`` or ``Effect/failed(_:)``.
public struct NATBehaviorDiscovery: Machine {
    /// One of the two sockets.
    public enum Socket: Hashable, Sendable {
        /// The one whose behavior is told.
        case first
        /// Another one on the same address.
        case second
    }

    /// What the discovery asks of its driver, and tells it.
    public enum Effect: Hashable, Sendable {
        /// Send a datagram from a socket.
        case send([UInt8], to: Endpoint, from: Socket)
        /// What was found out. The last effect.
        case finished(NATBehavior)
        /// The server cannot be reached over UDP, or does not tell our address. The last effect.
        case failed(STUNClient.Failure)
        /// A datagram that changes nothing.
        case ignored(Socket)
    }

    /// What is tried.
    fileprivate enum Test: Hashable, Sendable {
        /// What is my address? Asked from both sockets.
        case first, second
        /// Does an answer from another address, or port only, get in?
        case otherAddress, otherPort
        /// What is the second socket's address towards others?
        case towardsAddress, towardsPort
        /// Does the one socket reach the other by its external address?
        case hairpinFromFirst, hairpinFromSecond
    }

    private enum Phase: Hashable, Sendable {
        case idle
        /// Our addresses are asked for.
        case learning
        case exploring
        case done
    }

    private struct Attempt: Sendable {
        let test: Test
        let destination: Endpoint
        let expected: Endpoint
        var client: STUNClient
    }

    /// The server asked.
    public let server: Endpoint
    /// Our own address and port of the first socket, if known.
    public let local: Endpoint?
    private var random: RandomSource
    private var configuration: STUNClient.Configuration
    private var memory = STUNServerMemory()
    private var attempts: [Attempt] = []
    /// The transactions of requests sent to ourselves.
    private var hairpins: [TransactionID] = []
    private var results: [Test: Endpoint] = [:]
    private var other: Endpoint?
    private var hairpinWorks = false
    private var phase = Phase.idle

    /// Prepares a discovery; `local` is the address and port of the first socket.
    public init(server: Endpoint, local: Endpoint? = nil, random: RandomSource) {
        self.server = server
        self.local = local
        self.random = random
        configuration = STUNClient.Configuration()
        configuration.retransmission = Retransmission(attempts: 3, lastWaitFactor: 4)
    }

    /// When a request is repeated or given up.
    public var deadline: Instant? { attempts.compactMap(\.client.deadline).min() }

    /// Asks for our address; legal once.
    public mutating func start(at now: Instant) -> [Effect] {
        guard phase == .idle else { return [] }
        phase = .learning
        return begin(.first, to: server, at: now) + begin(.second, to: server, at: now)
    }

    /// Takes a datagram that arrived on a socket.
    public mutating func receive(
        _ datagram: Span<UInt8>, on socket: Socket, from source: Endpoint, at now: Instant
    ) -> [Effect] {
        guard let message = try? Message(datagram) else { return [.ignored(socket)] }
        if message.type == MessageType(.request, .binding), hairpins.contains(message.transaction) {
            hairpinWorks = true
            attempts.removeAll { $0.test == .hairpinFromFirst || $0.test == .hairpinFromSecond }
            return proceed(at: now)
        }
        for index in attempts.indices
        where attempts[index].test.socket == socket && attempts[index].expected == source.unmapped {
            let effects = attempts[index].client.receive(message, at: now)
            guard effects != [.ignored(.unknownTransaction)] else { continue }
            return take(effects, index, at: now) + proceed(at: now)
        }
        return [.ignored(socket)]
    }

    /// Repeats requests that are due, or gives them up.
    public mutating func advance(to now: Instant) -> [Effect] {
        var effects: [Effect] = []
        for test in attempts.map(\.test) {
            guard let index = attempts.firstIndex(where: { $0.test == test }) else { continue }
            effects += take(attempts[index].client.advance(to: now), index, at: now)
        }
        return effects + proceed(at: now)
    }

    private mutating func begin(
        _ test: Test, to destination: Endpoint, expecting source: Endpoint? = nil, _ attributes: [Attribute] = [],
        at now: Instant
    ) -> [Effect] {
        var client = STUNClient(
            leg: .datagram, memory: memory, configuration: configuration, random: random.split())
        let (_, effects) = client.request(.binding, attributes, at: now)
        attempts.append(
            Attempt(test: test, destination: destination, expected: source ?? destination, client: client))
        if test == .hairpinFromFirst || test == .hairpinFromSecond {
            for case .send(let bytes) in effects {
                if let message = try? Message(decoding: bytes) { hairpins.append(message.transaction) }
            }
        }
        return take(effects, attempts.count - 1, at: now)
    }

    private mutating func take(_ effects: [STUNClient.Effect], _ index: Int, at now: Instant) -> [Effect] {
        let attempt = attempts[index]
        var own: [Effect] = []
        for effect in effects {
            switch effect {
            case .send(let bytes): own.append(.send(bytes, to: attempt.destination, from: attempt.test.socket))
            case .succeeded(_, let message):
                memory = attempt.client.memory
                if attempt.test == .first, case .address(_, let address) = message.first(.otherAddress) {
                    other = address.unmapped
                }
                results[attempt.test] = message.reflexiveAddress
                attempts.remove(at: index)
            case .failed(_, let failure):
                attempts.remove(at: index)
                if attempt.test == .first { own += fail(failure) }
            case .ignored: own.append(.ignored(attempt.test.socket))
            }
        }
        return own
    }

    private mutating func fail(_ failure: STUNClient.Failure) -> [Effect] {
        phase = .done
        attempts = []
        return [.failed(failure)]
    }

    /// Goes on once the first answers are there, and ends once all are.
    private mutating func proceed(at now: Instant) -> [Effect] {
        switch phase {
        case .learning where !attempts.contains { $0.test == .first || $0.test == .second }:
            guard let mapped = results[.first] else { return fail(.rejected(nil)) }
            phase = .exploring
            return explore(mapped, at: now) + proceed(at: now)
        case .exploring where attempts.isEmpty:
            guard let mapped = results[.first] else { return [] }
            phase = .done
            return [.finished(behavior(mapped))]
        default: return []
        }
    }

    private mutating func explore(_ mapped: Endpoint, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        if let other = usableOther {
            let towardsPort = server.with(port: other.port)
            effects += begin(
                .otherAddress, to: server, expecting: other, [.changeRequest(address: true, port: true)], at: now)
            effects += begin(
                .otherPort, to: server, expecting: towardsPort, [.changeRequest(address: false, port: true)], at: now)
            effects += begin(.towardsAddress, to: other.with(port: server.port), at: now)
            effects += begin(.towardsPort, to: other, at: now)
        }
        if mapped != local, let second = results[.second] {
            effects += begin(.hairpinFromFirst, to: second, at: now)
            effects += begin(.hairpinFromSecond, to: mapped, at: now)
        }
        return effects
    }

    /// The server's other address and port, if both differ and can be sent to.
    private var usableOther: Endpoint? {
        guard let other, other.address.family == server.address.family, other.address != server.address,
            other.port != server.port, other.port != 0, !other.address.isMulticast, !other.address.isUnspecified
        else { return nil }
        return other
    }

    private func behavior(_ mapped: Endpoint) -> NATBehavior {
        NATBehavior(
            mapped: mapped, isDirect: local.map { $0 == mapped }, mapping: mapping, filtering: filtering,
            hairpins: mapped == local || results[.second] == nil ? nil : hairpinWorks,
            preservesPort: local.map { $0.port == mapped.port })
    }

    private var mapping: NATBehavior.Dependence? {
        guard let base = results[.second], let address = results[.towardsAddress], let port = results[.towardsPort]
        else { return nil }
        if address == base, port == base { return .endpointIndependent }
        return address == port ? .addressDependent : .addressAndPortDependent
    }

    private var filtering: NATBehavior.Dependence? {
        guard usableOther != nil else { return nil }
        if results[.otherAddress] != nil { return .endpointIndependent }
        return results[.otherPort] != nil ? .addressDependent : .addressAndPortDependent
    }
}

extension NATBehaviorDiscovery.Test {
    /// The socket that sends.
    fileprivate var socket: NATBehaviorDiscovery.Socket {
        switch self {
        case .first, .otherAddress, .otherPort, .hairpinFromFirst: .first
        case .second, .towardsAddress, .towardsPort, .hairpinFromSecond: .second
        }
    }
}
