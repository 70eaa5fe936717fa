public import SansIO

/// The client of one TURN server: one allocation with its permissions, channels and connections (RFC 8656, RFC 6062).
///
/// Order of use: ``start(at:)``; feed what comes on the control leg to ``receive(_:at:)``; permit peers at any time, also
/// before the allocation stands; ``release(at:)`` at the end. After ``Effect/ended(_:)`` nothing happens any more. TLS is
/// the driver's: the client sees what is inside.
public struct TURNClient: Machine {
    enum Phase: Hashable, Sendable {
        case idle
        case allocating
        case allocated
        case releasing
        case ended
    }

    /// What a request to the server is for.
    enum Purpose: Hashable, Sendable {
        case allocate
        case refresh
        case release
        case permission(IPAddress)
        case channel(UInt16)
        case connect(ConnectionID)
    }

    enum Timer: Hashable, Sendable {
        case refresh
        case expiry
        case keepalive
        case permission(IPAddress)
        case channel(UInt16)
        case connection(ConnectionID)
    }

    /// What was asked for.
    public let request: Request
    /// The limits and intervals.
    public let configuration: Configuration
    /// What was granted, once it stands.
    public internal(set) var allocation: Allocation?

    let credentials: STUNClient.Credentials
    var phase = Phase.idle
    var stun: STUNClient
    var random: RandomSource
    var purposes: [STUNClient.RequestID: Purpose] = [:]
    var deframer = TURNDeframer()
    var timers = TimerTable<Timer>()
    var lastSent = Instant.zero
    /// The wish for a port, until the server turned it down.
    var wishedPort: Request.Port
    var peers: [Peer] = []
    var channels: [Channel] = []
    var connections: [DataConnection] = []
    var lastConnection: UInt64 = 0

    /// Prepares a client; `memory` is what is known of the server from before.
    public init(
        request: Request = Request(), leg: STUNClient.Leg, credentials: STUNClient.Credentials,
        memory: STUNServerMemory = STUNServerMemory(), configuration: Configuration = Configuration(),
        random: RandomSource
    ) {
        self.request = request
        self.configuration = configuration
        self.credentials = credentials
        self.random = random
        wishedPort = request.transport == .udp ? request.port : .any
        stun = STUNClient(
            leg: leg, credentials: credentials, memory: memory, configuration: configuration.stun,
            random: self.random.split())
    }

    /// What was learnt of the server.
    public var memory: STUNServerMemory { stun.memory }

    /// Whether the client has ended.
    public var isOver: Bool { phase == .ended }

    /// When ``advance(to:)`` next has something to do.
    public var deadline: Instant? {
        guard phase != .ended else { return nil }
        return ([timers.deadline, stun.deadline] + connections.map { $0.stun?.deadline }).compactMap(\.self).min()
    }

    /// Asks for the allocation; legal once. A relay for connections needs a stream to the server (RFC 6062 §4.1).
    public mutating func start(at now: Instant) -> [Effect] {
        guard phase == .idle else { return [.ignored(.wrongState)] }
        guard request.transport == .udp || stun.leg == .stream else {
            return end(.refused(.rejected(.unsupportedTransport)))
        }
        phase = .allocating
        lastSent = now
        if stun.leg == .datagram { timers.set(.keepalive, at: now.advanced(by: configuration.keepalive)) }
        return allocate(at: now)
    }

    /// Takes what came on the control leg: one datagram from the server, or bytes of the stream cut anywhere.
    public mutating func receive(_ bytes: Span<UInt8>, at now: Instant) -> [Effect] {
        guard phase != .ended, phase != .idle else { return [.ignored(.wrongState)] }
        do throws(WireError) {
            guard stun.leg == .stream else { return try receive(datagram: bytes, at: now) }
            var effects: [Effect] = []
            for element in try deframer.receive(bytes) where phase != .ended {
                switch element {
                case .message(let bytes): effects += receive(message: bytes, at: now)
                case .channelData(let data): effects.append(receive(data))
                }
            }
            return effects
        } catch {
            return stun.leg == .stream
                ? [.ignored(.malformed(error))] + end(.legFailed) : [.ignored(.malformed(error))]
        }
    }

    private mutating func receive(datagram: Span<UInt8>, at now: Instant) throws(WireError) -> [Effect] {
        guard datagram.count > 0, datagram[0] >= 0x40 else { return receive(message: [UInt8](datagram), at: now) }
        return [receive(try ChannelData(datagram: datagram))]
    }

    private mutating func receive(message bytes: [UInt8], at now: Instant) -> [Effect] {
        do throws(WireError) {
            let message = try Message(decoding: bytes)
            guard message.type.messageClass == .indication else {
                return perform(stun.receive(message, at: now), at: now)
            }
            switch message.type.method {
            case .data: return [receive(indication: message)]
            case .connectionAttempt: return attempted(message, at: now)
            default: return [.ignored(.incomplete)]
            }
        } catch {
            return [.ignored(.malformed(error))]
        }
    }

    /// Tells that the control leg is gone.
    public mutating func legClosed() -> [Effect] { end(.legFailed) }

    /// Fires every timer due at or before `now`.
    public mutating func advance(to now: Instant) -> [Effect] {
        guard phase != .ended else { return [] }
        var effects = perform(stun.advance(to: now), at: now)
        for id in connections.filter({ $0.stun != nil }).map(\.id) { effects += advance(id, to: now) }
        while phase != .ended, let timer = timers.popDue(at: now) {
            switch timer {
            case .refresh: effects += refresh(at: now)
            case .expiry: effects += end(.lost)
            case .keepalive: effects += keepAlive(at: now)
            case .permission(let address): effects += refreshPermission(address, at: now)
            case .channel(let number): effects += refreshChannel(number, at: now)
            case .connection(let id): effects += abandon(id, .noAnswer)
            }
        }
        return effects
    }

    // MARK: Children

    /// Makes a request to the server.
    mutating func ask(
        _ method: MessageType.Method, _ attributes: [Attribute], for purpose: Purpose, at now: Instant
    ) -> [Effect] {
        let (id, effects) = stun.request(method, attributes, at: now)
        purposes[id] = purpose
        return perform(effects, at: now)
    }

    /// What becomes of our requests.
    mutating func perform(_ effects: [STUNClient.Effect], at now: Instant) -> [Effect] {
        var own: [Effect] = []
        for effect in effects where phase != .ended {
            switch effect {
            case .send(let bytes): own.append(send(bytes, at: now))
            case .succeeded(let id, let message):
                guard let purpose = purposes.removeValue(forKey: id) else { continue }
                own += succeeded(purpose, message, at: now)
            case .failed(let id, let failure):
                guard let purpose = purposes.removeValue(forKey: id) else { continue }
                own += failed(purpose, failure, at: now)
            case .ignored(let refusal): own.append(.ignored(.stun(refusal)))
            }
        }
        return own
    }

    private mutating func succeeded(_ purpose: Purpose, _ message: Message, at now: Instant) -> [Effect] {
        switch purpose {
        case .allocate: allocated(message, at: now)
        case .refresh: refreshed(message, at: now)
        case .release: end(.released)
        case .permission(let address): permitted(address, at: now)
        case .channel(let number): bound(number, at: now)
        case .connect(let id): mayBind(id, message, at: now)
        }
    }

    private mutating func failed(_ purpose: Purpose, _ failure: STUNClient.Failure, at now: Instant) -> [Effect] {
        switch purpose {
        case .allocate: allocationFailed(failure, at: now)
        case .refresh: refreshFailed(failure, at: now)
        case .release: end(.released)
        case .permission(let address): permissionFailed(address, failure, at: now)
        case .channel(let number): bindingFailed(number, failure, at: now)
        case .connect(let id): abandon(id, failure)
        }
    }

    mutating func send(_ bytes: [UInt8], at now: Instant) -> Effect {
        lastSent = now
        return .send(bytes)
    }

    /// Ends the client: connections are closed, and nothing happens any more.
    mutating func end(_ ending: Ending) -> [Effect] {
        guard phase != .ended else { return [] }
        let closing = connections.filter { $0.phase != .asking }.map { Effect.close($0.id) }
        phase = .ended
        allocation = nil
        timers = TimerTable()
        (purposes, peers, channels, connections) = ([:], [], [], [])
        deframer = TURNDeframer()
        return closing + [.ended(ending)]
    }
}
