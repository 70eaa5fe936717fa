import SansIO
import SwiftICE

extension FuzzTarget {
    /// A TURN client over either leg: the bytes choose what the server, the peers, the owner and the clock do.
    static let turnClient = FuzzTarget(name: "turn-client") { bytes throws(Finding) in
        var fuzz = TURNClientFuzz(Choices(bytes))
        try fuzz.run()
    }
}

private struct TURNClientFuzz {
    private static let username = "user"
    private static let password = "pass"

    private var choices: Choices
    private var client: TURNClient
    private let leg: STUNClient.Leg
    private let relaysConnections: Bool
    private var now = Instant.zero
    /// Requests sent last, to be answered: on which connection, if not on the control leg.
    private var asked: [(bytes: [UInt8], on: TURNClient.ConnectionID?)] = []
    private var connections: [TURNClient.ConnectionID] = []
    private var isOver = false
    private var allocations = 0

    init(_ choices: Choices) {
        self.choices = choices
        let shape = self.choices.byte()
        leg = shape & 1 == 0 ? .datagram : .stream
        var request = TURNClient.Request()
        relaysConnections = shape & 3 == 3
        if relaysConnections { request.transport = .tcp }
        request.families = shape & 4 == 0 ? .v4 : .both
        if shape & 8 != 0 { request.port = .evenAndNext }
        client = TURNClient(
            request: request, leg: leg,
            credentials: .longTerm(username: Self.username, password: Self.password), random: .seeded(1))
    }

    mutating func run() throws(Finding) {
        try take(client.start(at: now))
        for _ in 0..<512 where !choices.isAtEnd {
            try step()
            let later = now.advanced(by: choices.duration())
            try take(try pass(&client, until: later))
            now = later
            try require(!client.isOver || client.deadline == nil, "a client that is over waits for nothing")
        }
    }

    private mutating func step() throws(Finding) {
        switch choices.byte() % 12 {
        case 0: try take(client.receive(choices.bytes().span, at: now))
        case 1, 2, 3: try answer()
        case 4: try take(client.permit(address(), at: now))
        case 5: try take(client.bindChannel(to: endpoint(), at: now))
        case 6: try take(client.send(choices.bytes(), to: endpoint(), at: now))
        case 7: try take(client.receive(indication().span, at: now))
        case 8: try take(client.connect(to: endpoint(), at: now).effects)
        case 9: try connection()
        case 10: client.forget(address())
        default:
            switch choices.byte() {
            case 7: try take(client.release(at: now))
            case 8: try take(client.legClosed())
            default: break
            }
        }
    }

    private mutating func connection() throws(Finding) {
        guard let id = choices.element(of: connections) else { return }
        switch choices.byte() % 4 {
        case 0: try take(client.opened(id, at: now))
        case 1: try take(client.receive(choices.bytes().span, on: id, at: now))
        case 2: try take(client.closed(id))
        default: try take(client.disconnect(id))
        }
    }

    // MARK: What the server sends

    /// One of a few addresses, so that they meet again.
    private mutating func address() -> IPAddress {
        let choice = choices.byte()
        return choice & 0x80 == 0 ? .v4(0x1500_0000 + UInt32(choice & 7)) : .v6(high: 1, low: UInt64(choice & 3))
    }

    private mutating func endpoint() -> Endpoint {
        Endpoint(address(), port: 2000 + UInt16(choices.byte() & 3))
    }

    private mutating func indication() -> [UInt8] {
        let shape = choices.byte()
        if shape & 1 == 0 {
            let data = ChannelData(channel: 0x4000 + UInt16(shape >> 4), data: choices.bytes())
            return (leg == .stream ? data?.framed : data?.datagram) ?? []
        }
        let method: MessageType.Method = shape & 2 == 0 ? .data : .connectionAttempt
        var builder = MessageBuilder(.indication, method, TransactionID(high: 1, low: UInt64(shape)))
        if shape & 4 == 0 { builder.add(.xorAddress(.xorPeerAddress, endpoint())) }
        if shape & 8 == 0 { builder.add(.data(choices.bytes())) }
        if shape & 16 == 0 { builder.add(.connectionID(UInt32(choices.byte()))) }
        if shape & 32 == 0 { builder.add(.unknown(.icmp, choices.bytes())) }
        return builder.finishedWithFingerprint()
    }

    /// An answer to one of the requests, mostly as a server would give it.
    private mutating func answer() throws(Finding) {
        guard let (bytes, id) = choices.element(of: asked.map { $0 }), let request = try? Message(decoding: bytes)
        else {
            return
        }
        let answer = answer(to: request)
        if let id {
            try take(client.receive(answer.span, on: id, at: now))
        } else {
            try take(client.receive(answer.span, at: now))
        }
    }

    private mutating func answer(to request: Message) -> [UInt8] {
        let shape = choices.byte()
        let codes: [ErrorCode] = [
            .staleNonce, .unauthorized, .allocationMismatch, .tryAlternate, .unknownAttribute, .serverError, .forbidden,
            .insufficientCapacity,
        ]
        guard request.hasIntegrity, shape & 0x80 == 0 else {
            var builder = MessageBuilder(.error, request.type.method, request.transaction)
            builder.add(.errorCode(shape & 1 == 0 ? .unauthorized : .staleNonce, reason: ""))
            builder.add(.realm("lab"))
            builder.add(.nonce([shape & 7]))
            return builder.finishedWithFingerprint()
        }
        var builder = MessageBuilder(shape & 1 == 0 ? .success : .error, request.type.method, request.transaction)
        if shape & 1 == 1 { builder.add(.errorCode(codes[Int(shape >> 1 & 7)], reason: "")) }
        if shape & 2 == 0 { builder.add(.xorAddress(.xorRelayedAddress, endpoint())) }
        if shape & 4 == 0 { builder.add(.lifetime(seconds: UInt32(choices.word()))) }
        if shape & 8 == 0 { builder.add(.connectionID(UInt32(choices.byte()))) }
        if shape & 16 != 0 { builder.add(.unknown(AttributeType(rawValue: choices.word()), choices.bytes())) }
        builder.addIntegrity(
            IntegrityKey(longTerm: Self.username, realm: "lab", password: shape & 64 == 0 ? Self.password : ""))
        return builder.finishedWithFingerprint()
    }

    // MARK: What the client does

    private mutating func take(_ effects: [TURNClient.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            if case .ignored = effect { continue }
            try require(!isOver, "nothing follows the end, as \(effect) does")
            switch effect {
            case .send(let bytes): remember(bytes, on: nil)
            case .write(let bytes, let id):
                try require(connections.contains(id), "only open connections are written to")
                remember(bytes, on: id)
            case .open(let id):
                try require(relaysConnections, "connections are opened for a relay of connections")
                connections.append(id)
                try require(connections.count <= 32, "connections are bounded")
            case .close(let id), .connectionFailed(let id, _): connections.removeAll { $0 == id }
            case .allocated(let allocation):
                allocations += 1
                try require(allocations == 1, "an allocation is told once")
                try require((1...2).contains(allocation.relayed.count), "a relay has one or two addresses")
            case .permitted(let address):
                try require(client.isPermitted(address), "who is permitted, is")
            case .ended: isOver = true
            default: break
            }
        }
    }

    private mutating func remember(_ bytes: [UInt8], on id: TURNClient.ConnectionID?) {
        guard let message = try? Message(decoding: bytes), message.type.messageClass == .request else { return }
        asked.append((bytes, id))
        if asked.count > 8 { asked.removeFirst() }
    }
}
