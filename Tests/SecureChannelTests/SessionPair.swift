import SansIO
import TestVectors

@testable import SecureChannel

/// A client and a server joined by memory, and everything they said.
final class SessionPair {
    let client: SecureSession
    let server: SecureSession
    /// What is left of a piece of output on its way; `nil` loses it.
    var alter: (_ fromClient: Bool, [UInt8]) -> [[UInt8]] = { [$1] }
    private(set) var clientSaw: [SecureEffect] = []
    private(set) var serverSaw: [SecureEffect] = []
    private var flying: [(toServer: Bool, bytes: [UInt8])] = []
    private(set) var sentCount = 0
    private(set) var largest = 0
    var now = Instant.zero

    static let aliceCredentials = try! Credentials(Fixture.alice)
    static let bobCredentials = try! Credentials(Fixture.bob)
    static let clock = WallClock(epochOffset: Fixture.now * 1_000_000_000)

    /// Bob calls alice unless told otherwise.
    init(
        _ transport: SecureSession.Transport, client clientCredentials: Credentials = bobCredentials,
        server serverCredentials: Credentials = aliceCredentials,
        clientExpects: PeerExpectation = .chain(Fixture.alice.chain),
        serverExpects: PeerExpectation = .chain(Fixture.bob.chain)
    ) throws {
        client = try SecureSession(
            role: .client, transport: transport, credentials: clientCredentials, expecting: clientExpects,
            clock: Self.clock)
        server = try SecureSession(
            role: .server, transport: transport, credentials: serverCredentials, expecting: serverExpects,
            clock: Self.clock)
    }

    func start() {
        take(server.start(at: now), fromClient: false)
        take(client.start(at: now), fromClient: true)
        exchange()
    }

    func take(_ effects: [SecureEffect], fromClient: Bool) {
        for effect in effects {
            guard case .send(let bytes) = effect else {
                if fromClient { clientSaw.append(effect) } else { serverSaw.append(effect) }
                continue
            }
            sentCount += 1
            largest = max(largest, bytes.count)
            flying += alter(fromClient, bytes).map { (fromClient, $0) }
        }
    }

    /// Delivers until nothing is on its way.
    func exchange() {
        var budget = 10_000
        while !flying.isEmpty, budget > 0 {
            let (toServer, bytes) = flying.removeFirst()
            let effects = toServer ? server.receive(bytes, at: now) : client.receive(bytes, at: now)
            take(effects, fromClient: !toServer)
            budget -= 1
        }
    }

    func send(_ bytes: [UInt8], fromClient: Bool) {
        take(fromClient ? client.send(bytes, at: now) : server.send(bytes, at: now), fromClient: fromClient)
        exchange()
    }

    var areEstablished: Bool { Self.facts(clientSaw) != nil && Self.facts(serverSaw) != nil }

    /// Lets the time pass that missing records are waited for, gap after gap.
    func giveUpGaps() {
        while client.deadline != nil || server.deadline != nil {
            now = now.advanced(by: RecordOrder.patience)
            take(client.advance(to: now), fromClient: true)
            take(server.advance(to: now), fromClient: false)
            exchange()
        }
    }

    static func facts(_ effects: [SecureEffect]) -> PeerFacts? {
        for case .established(let facts) in effects { return facts }
        return nil
    }

    static func failure(_ effects: [SecureEffect]) -> SecureChannelError? {
        for case .failed(let error) in effects { return error }
        return nil
    }

    static func received(_ effects: [SecureEffect]) -> [UInt8] {
        effects.flatMap { effect in
            if case .received(let bytes) = effect { bytes } else { [UInt8]() }
        }
    }
}
