import SansIO
import SwiftICE

/// A TURN server that behaves as the RFCs say, and on demand as they forbid.
struct SimulatedTURNServer {
    /// What a client wants of an allocation.
    struct Asked: Hashable {
        let method: MessageType.Method
        let peer: Endpoint?
        let isAuthentic: Bool
    }

    var username = "user"
    var password = "pass"
    var realm = "lab"
    var nonce = Array("first".utf8)
    /// Offered, with the nonce cookie that says so.
    var algorithms: [Attribute.PasswordAlgorithm] = []
    var lifetime: UInt32 = 600
    var relayed: [Endpoint] = [Endpoint(.v4(0x1400_000A), port: 50_000)]
    var mapped = Endpoint(.v4(0x1400_0102), port: 40_000)
    /// Answers to the next requests of a method, in order, instead of doing them.
    var refusals: [MessageType.Method: [ErrorCode]] = [:]
    /// Added to the answers of a method.
    var extras: [MessageType.Method: [Attribute]] = [:]
    /// Whether answers carry wrong integrity.
    var isForged = false
    var alternate: Endpoint?

    private(set) var isAllocated = false
    private(set) var permissions: [IPAddress: Instant] = [:]
    private(set) var channels: [UInt16: Endpoint] = [:]
    /// What peers were sent.
    private(set) var delivered: [(data: [UInt8], to: Endpoint)] = []
    private(set) var asked: [Asked] = []
    private var lastConnection: UInt32 = 0

    /// The nonce with a cookie where algorithms are offered.
    var fullNonce: [UInt8] { (algorithms.isEmpty ? [] : Array("obMatJos2gAAA".utf8)) + nonce }

    private var key: IntegrityKey {
        IntegrityKey(
            longTerm: username, realm: realm, password: password,
            algorithm: algorithms.contains(.sha256) ? .sha256 : .md5)
    }

    func isPermitted(_ address: IPAddress, at now: Instant) -> Bool { permissions[address].map { now < $0 } ?? false }

    /// Takes one message and returns the answers.
    mutating func receive(_ bytes: [UInt8], at now: Instant) -> [[UInt8]] {
        if let data = try? ChannelData(decoding: bytes) {
            if let peer = channels[data.channel] { deliver(data.data, peer, at: now) }
            return []
        }
        guard let message = try? Message(decoding: bytes) else { return [] }
        let peer: Endpoint? =
            if case .xorAddress(_, let peer) = message.first(.xorPeerAddress) { peer } else { nil }
        guard message.type.messageClass == .request else {
            if case .data(let data) = message.first(.data), let peer { deliver(data, peer, at: now) }
            return []
        }
        let method = message.type.method
        let isAuthentic = message.isAuthentic(under: key)
        asked.append(Asked(method: method, peer: peer, isAuthentic: isAuthentic))
        guard method != .binding else {
            return [success(message, [.xorAddress(.xorMappedAddress, mapped)], isProtected: false)]
        }
        guard isAuthentic, message.first(.nonce) == .nonce(fullNonce) else {
            return [challenge(message, isAuthentic ? .staleNonce : .unauthorized)]
        }
        if let refusal = refusals[method]?.first {
            refusals[method]?.removeFirst()
            return [error(message, refusal)]
        }
        return [serve(message, peer, at: now)]
    }

    /// Data of a peer on their way to the client, if it may send.
    func data(_ bytes: [UInt8], from peer: Endpoint, at now: Instant) -> [UInt8]? {
        guard isPermitted(peer.address, at: now) else { return nil }
        if let channel = channels.first(where: { $0.value == peer })?.key {
            return ChannelData(channel: channel, data: bytes)?.datagram
        }
        var builder = MessageBuilder(.indication, .data, TransactionID(high: 7, low: 7))
        builder.add(.data(bytes))
        builder.add(.xorAddress(.xorPeerAddress, peer))
        return builder.finishedWithFingerprint()
    }

    private mutating func deliver(_ data: [UInt8], _ peer: Endpoint, at now: Instant) {
        if isPermitted(peer.address, at: now) { delivered.append((data, peer)) }
    }

    private mutating func serve(_ message: Message, _ peer: Endpoint?, at now: Instant) -> [UInt8] {
        switch message.type.method {
        case .allocate:
            if isAllocated { return error(message, .allocationMismatch) }
            isAllocated = true
            return success(
                message,
                relayed.map { .xorAddress(.xorRelayedAddress, $0) }
                    + [.xorAddress(.xorMappedAddress, mapped), .lifetime(seconds: lifetime)])
        case .refresh:
            guard isAllocated else { return error(message, .allocationMismatch) }
            if message.first(.lifetime) == .lifetime(seconds: 0) {
                isAllocated = false
                return success(message, [.lifetime(seconds: 0)])
            }
            return success(message, [.lifetime(seconds: lifetime)])
        case .createPermission:
            guard isAllocated, let peer else { return error(message, .allocationMismatch) }
            if peer.address.isLoopback { return error(message, .forbidden) }
            permissions[peer.address] = now.advanced(by: .seconds(300))
            return success(message, [])
        case .channelBind:
            guard isAllocated, let peer, case .channelNumber(let number) = message.first(.channelNumber),
                channels[number] == nil || channels[number] == peer
            else { return error(message, .badRequest) }
            channels[number] = peer
            permissions[peer.address] = now.advanced(by: .seconds(300))
            return success(message, [])
        case .connect:
            lastConnection += 1
            return success(message, [.connectionID(lastConnection)])
        case .connectionBind: return success(message, [])
        default: return error(message, .badRequest)
        }
    }

    // MARK: Answers

    private func success(_ message: Message, _ attributes: [Attribute], isProtected: Bool = true) -> [UInt8] {
        var builder = MessageBuilder(.success, message.type.method, message.transaction)
        for attribute in attributes + (extras[message.type.method] ?? []) { builder.add(attribute) }
        return isProtected ? sealed(&builder) : builder.finishedWithFingerprint()
    }

    private func error(_ message: Message, _ code: ErrorCode) -> [UInt8] {
        var builder = MessageBuilder(.error, message.type.method, message.transaction)
        builder.add(.errorCode(code, reason: "No"))
        if code == .tryAlternate, let alternate { builder.add(.address(.alternateServer, alternate)) }
        for attribute in extras[message.type.method] ?? [] { builder.add(attribute) }
        return sealed(&builder)
    }

    private func sealed(_ builder: inout MessageBuilder) -> [UInt8] {
        let key = isForged ? IntegrityKey(shortTerm: "forged") : key
        if algorithms.isEmpty { builder.addIntegrity(key) } else { builder.addIntegritySHA256(key) }
        return builder.finishedWithFingerprint()
    }

    private func challenge(_ message: Message, _ code: ErrorCode) -> [UInt8] {
        var builder = MessageBuilder(.error, message.type.method, message.transaction)
        builder.add(.errorCode(code, reason: "No"))
        builder.add(.nonce(fullNonce))
        builder.add(.realm(realm))
        if !algorithms.isEmpty { builder.add(.passwordAlgorithms(algorithms)) }
        return builder.finishedWithFingerprint()
    }
}

/// A client and a server with a lossy line of some length between them, in virtual time.
struct TURNPair {
    var client: TURNClient
    var server = SimulatedTURNServer()
    var now = Instant.zero
    var delay = Duration.milliseconds(20)
    /// The share of datagrams lost each way, 0 to 1.
    var loss = 0.0
    /// What the client told so far, all but what it sent.
    private(set) var told: [TURNClient.Effect] = []
    private(set) var datagrams = 0
    private var line: [(at: Instant, bytes: [UInt8], isForServer: Bool)] = []
    private var random: RandomSource

    init(_ client: TURNClient, seed: UInt64 = 1) {
        self.client = client
        random = .seeded(seed)
    }

    init(request: TURNClient.Request = TURNClient.Request(), seed: UInt64 = 1) {
        self.init(
            TURNClient(
                request: request, leg: .datagram, credentials: .longTerm(username: "user", password: "pass"),
                random: .seeded(seed)), seed: seed)
    }

    mutating func take(_ effects: [TURNClient.Effect]) {
        for effect in effects {
            guard case .send(let bytes) = effect else {
                told.append(effect)
                continue
            }
            datagrams += 1
            put(bytes, isForServer: true)
        }
    }

    mutating func put(_ bytes: [UInt8], isForServer: Bool) {
        guard Double.random(in: 0..<1, using: &random) >= loss else { return }
        line.append((now.advanced(by: delay), bytes, isForServer))
    }

    /// Lets time pass.
    mutating func run(for duration: Duration) {
        let end = now.advanced(by: duration)
        while true {
            let arrival = line.map(\.at).min() ?? .init(nanoseconds: .max)
            let next = min(arrival, client.deadline ?? .init(nanoseconds: .max))
            guard next <= end else { break }
            now = max(now, next)
            if arrival <= next, let index = line.firstIndex(where: { $0.at == arrival }) {
                let packet = line.remove(at: index)
                if packet.isForServer {
                    for answer in server.receive(packet.bytes, at: now) { put(answer, isForServer: false) }
                } else {
                    take(client.receive(packet.bytes, at: now))
                }
            } else {
                take(client.advance(to: now))
            }
        }
        now = end
    }

    mutating func peerSends(_ bytes: [UInt8], from peer: Endpoint) {
        if let data = server.data(bytes, from: peer, at: now) { put(data, isForServer: false) }
    }

    mutating func start() {
        take(client.start(at: now))
    }

    var allocation: TURNClient.Allocation? { client.allocation }
    var ending: TURNClient.Ending? {
        for case .ended(let ending) in told { return ending }
        return nil
    }
}
