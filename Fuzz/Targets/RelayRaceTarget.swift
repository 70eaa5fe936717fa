import SansIO
import SwiftICE

extension FuzzTarget {
    /// A race for a relay: the bytes choose servers, what names lead to, what servers answer, and the clock.
    static let relayRace = FuzzTarget(name: "relay-race") { bytes throws(Finding) in
        var fuzz = RelayRaceFuzz(Choices(bytes))
        try fuzz.run()
    }
}

private struct RelayRaceFuzz {
    private static let (username, password) = ("user", "pass")

    /// A leg as its driver knows it.
    private struct Leg {
        let id: RelayRace.LegID
        let endpoint: Endpoint
        /// Requests to be answered, the last ones.
        var asked: [[UInt8]] = []
    }

    private var choices: Choices
    private var race: RelayRace
    private var now = Instant.zero
    private var legs: [Leg] = []
    private var resolving: [Int] = []
    private var selected: RelayRace.LegID?
    private var isClosed = false

    init(_ choices: Choices) {
        self.choices = choices
        var request = TURNClient.Request()
        let shape = self.choices.byte()
        request.families = shape & 1 == 0 ? .v4 : .both
        if shape & 2 != 0 { request.transport = .tcp }
        var servers: [TURNServer] = []
        for _ in 0..<shape >> 4 {
            let kind = self.choices.byte()
            let host: TURNServer.Host =
                switch kind & 3 {
                case 0: .name("turn\(kind >> 4).test")
                case 1: .domain("test")
                default: .address(Self.address(kind >> 4))
                }
            servers.append(
                TURNServer(
                    host, transport: [.udp, .tcp, .tls][Int(kind >> 2 & 3) % 3], username: Self.username,
                    password: Self.password))
        }
        race = RelayRace(servers: servers, request: request, random: .seeded(1))
    }

    mutating func run() throws(Finding) {
        try take(race.start(at: now))
        for _ in 0..<512 where !choices.isAtEnd {
            try step()
            let later = now.advanced(by: choices.duration())
            try take(try pass(&race, until: later))
            now = later
            try check()
        }
        try take(race.close(at: now))
        try take(try pass(&race, until: now.advanced(by: .seconds(60))))
        try require(isClosed && legs.isEmpty, "a race that is closed ends, and leaves no leg")
        try require(race.deadline == nil, "a race that has ended waits for nothing")
    }

    private mutating func check() throws(Finding) {
        try require(
            legs.count <= 4 * race.configuration.concurrency + race.configuration.serverLimit,
            "legs are bounded, also those that are leaving")
        if race.allocation != nil { try require(selected != nil, "a relay that stands was told") }
    }

    private mutating func step() throws(Finding) {
        switch choices.byte() % 10 {
        case 0:
            guard let server = choices.element(of: resolving) else { return }
            let count = choices.byte() & 7
            var found: [Endpoint] = []
            for _ in 0..<count { found.append(endpoint()) }
            resolving.removeAll { $0 == server }
            try take(race.resolved(server, found, at: now))
        case 1:
            guard let leg = choices.element(of: legs) else { return }
            try take(race.opened(leg.id, at: now))
        case 2, 3, 4, 5: try answer()
        case 6:
            guard let leg = choices.element(of: legs) else { return }
            try take(race.receive(choices.bytes().span, on: leg.id, at: now))
        case 7:
            guard let leg = choices.element(of: legs) else { return }
            try take(race.closed(leg.id, at: now))
        case 8:
            let address = Self.address(choices.byte())
            if choices.byte() & 1 == 0 { try take(race.permit(address, at: now)) } else { race.forget(address) }
        default:
            let (bytes, peer) = (choices.bytes(), endpoint())
            try take(race.relay({ $0.send(bytes, to: peer, at: $1) }, at: now))
        }
    }

    // MARK: What servers do

    /// One of a few addresses, so that they meet again.
    private static func address(_ choice: UInt8) -> IPAddress {
        choice & 8 == 0 ? .v4(0x1400_0000 + UInt32(choice & 7)) : .v6(high: 1, low: UInt64(choice & 3))
    }

    private mutating func endpoint() -> Endpoint {
        Endpoint(Self.address(choices.byte()), port: 3478 + UInt16(choices.byte() & 3))
    }

    private mutating func answer() throws(Finding) {
        guard let leg = choices.element(of: legs), let bytes = choices.element(of: leg.asked),
            let request = try? Message(decoding: bytes)
        else { return }
        try take(race.receive(answer(to: request).span, on: leg.id, at: now))
    }

    private mutating func answer(to request: Message) -> [UInt8] {
        let shape = choices.byte()
        guard request.hasIntegrity else {
            var builder = MessageBuilder(.error, request.type.method, request.transaction)
            builder.add(.errorCode(shape & 1 == 0 ? .unauthorized : .tryAlternate, reason: ""))
            if shape & 2 == 0 { builder.add(.realm("lab")) }
            builder.add(.nonce([shape & 7]))
            if shape & 1 == 1 { builder.add(.address(.alternateServer, endpoint())) }
            return builder.finishedWithFingerprint()
        }
        let codes: [ErrorCode] = [.staleNonce, .allocationMismatch, .tryAlternate, .serverError]
        var builder = MessageBuilder(shape & 1 == 0 ? .success : .error, request.type.method, request.transaction)
        if shape & 1 == 1 {
            builder.add(.errorCode(codes[Int(shape >> 1 & 3)], reason: ""))
            builder.add(.address(.alternateServer, endpoint()))
            builder.add(.nonce([shape]))
            builder.add(.realm("lab"))
        } else {
            builder.add(.xorAddress(.xorRelayedAddress, endpoint()))
            builder.add(.lifetime(seconds: UInt32(choices.word())))
        }
        builder.addIntegrity(IntegrityKey(longTerm: Self.username, realm: "lab", password: Self.password))
        return builder.finishedWithFingerprint()
    }

    // MARK: What the race does

    private mutating func take(_ effects: [RelayRace.Effect]) throws(Finding) {
        try require(effects.count <= effectLimit, "the effects of an input are bounded")
        for effect in effects {
            if case .ignored = effect { continue }
            try require(!isClosed, "nothing follows the end, as \(effect) does")
            switch effect {
            case .resolve(let server, _, _): resolving.append(server)
            case .open(let id, _, let endpoint, _):
                try require(!legs.contains { $0.id == id }, "a leg is opened once")
                legs.append(Leg(id: id, endpoint: endpoint))
            case .send(let bytes, let id): try remember(bytes, on: id)
            case .close(let id):
                try require(legs.contains { $0.id == id }, "what is closed was open")
                legs.removeAll { $0.id == id }
            case .selected(let id, _, _):
                try require(selected == nil, "one relay is in use at a time")
                try require(legs.contains { $0.id == id }, "the relay in use has a leg")
                selected = id
            case .relay: try require(selected != nil, "a relay that tells something stands")
            case .lost:
                try require(selected != nil, "what is lost was there")
                selected = nil
            case .failed: try require(selected == nil, "a race with a relay has not failed")
            case .closed: isClosed = true
            case .ignored: break
            }
        }
    }

    private mutating func remember(_ bytes: [UInt8], on id: RelayRace.LegID) throws(Finding) {
        guard let index = legs.firstIndex(where: { $0.id == id }) else {
            throw Finding(fact: "only open legs are written to")
        }
        guard let message = try? Message(decoding: bytes), message.type.messageClass == .request else { return }
        legs[index].asked.append(bytes)
        if legs[index].asked.count > 4 { legs[index].asked.removeFirst() }
    }
}
