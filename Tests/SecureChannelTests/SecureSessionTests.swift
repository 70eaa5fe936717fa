import SansIO
import TestVectors
import Testing

@testable import SecureChannel

@Suite struct SecureSessionTests {
    static let transports: [SecureSession.Transport] = [.stream, .datagram(mtu: 1200)]

    @Test func streamsGetTLS13WithTheStockSuite() throws {
        let pair = try SessionPair(.stream)
        pair.start()
        let (client, server) = (SessionPair.facts(pair.clientSaw), SessionPair.facts(pair.serverSaw))
        #expect(client?.chain == Fixture.alice.chain && server?.chain == Fixture.bob.chain)
        #expect(client?.chain.pem == Fixture.alice.chain.pem)
        for facts in [client, server] {
            #expect(facts?.protocolVersion == "TLS1.3")
            #expect(facts?.cipherSuite == "(TLS1.3)-(ECDHE-SECP384R1)-(RSA-PSS-RSAE-SHA384)-(AES-256-GCM)")
        }
        #expect(pair.clientSaw.count == 1 && pair.serverSaw.count == 1)
        #expect(pair.client.deadline == nil && pair.server.deadline == nil)
    }

    @Test func datagramsGetDTLS12AfterACookie() throws {
        let pair = try SessionPair(.datagram(mtu: 600))
        pair.start()
        #expect(pair.areEstablished)
        #expect(SessionPair.facts(pair.serverSaw)?.protocolVersion == "DTLS1.2")
        #expect(SessionPair.facts(pair.serverSaw)?.cipherSuite.contains("AES-256-GCM") == true)
        #expect(pair.largest <= 600)
        #expect(pair.client.deadline == nil && pair.server.deadline == nil)
    }

    @Test(arguments: transports)
    func dataGoesBothWays(transport: SecureSession.Transport) throws {
        let pair = try SessionPair(transport)
        pair.start()
        var random = RandomSource.seeded(8)
        for count in [1, 100, 16_384, 40_000] {
            let (up, down) = (random.bytes(count), random.bytes(count))
            let (before, beforeServer) = (pair.clientSaw.count, pair.serverSaw.count)
            pair.send(up, fromClient: true)
            pair.send(down, fromClient: false)
            #expect(SessionPair.received(Array(pair.serverSaw[beforeServer...])) == up)
            #expect(SessionPair.received(Array(pair.clientSaw[before...])) == down)
        }
        pair.send([], fromClient: true)
        if transport != .stream { #expect(pair.largest <= 1200) }
    }

    @Test(arguments: transports)
    func closingEndsBothSides(transport: SecureSession.Transport) throws {
        let pair = try SessionPair(transport)
        pair.start()
        pair.take(pair.client.close(at: pair.now), fromClient: true)
        pair.exchange()
        #expect(pair.clientSaw.contains(.closed) && pair.serverSaw.contains(.closed))
        #expect(pair.client.send([1], at: pair.now) == [.ignored(.over)])
        #expect(pair.server.receive([1], at: pair.now) == [.ignored(.over)])
        #expect(pair.server.close(at: pair.now) == [.ignored(.over)])
    }

    @Test(arguments: transports)
    func inputOutOfTurnIsIgnored(transport: SecureSession.Transport) throws {
        let pair = try SessionPair(transport)
        #expect(pair.client.send([1], at: pair.now) == [.ignored(.notEstablished)])
        #expect(pair.client.receive([1], at: pair.now) == [.ignored(.notEstablished)])
        #expect(pair.client.advance(to: pair.now).isEmpty)
        pair.start()
        #expect(pair.client.start(at: pair.now) == [.ignored(.over)])
    }

    @Test(arguments: transports)
    func theServersChainMustBeTheExpectedOne(transport: SecureSession.Transport) throws {
        let expectations: [PeerExpectation] = [
            .chain(Fixture.mallory.chain), .device(Fixture.keys[2].publicKey, of: Fixture.alice.accountID),
            .device(Fixture.alice.deviceKey.publicKey, of: Fixture.mallory.accountID),
            .account(Fixture.mallory.accountID),
        ]
        for expectation in expectations {
            let pair = try SessionPair(transport, clientExpects: expectation)
            pair.start()
            #expect(
                SessionPair.failure(pair.clientSaw)
                    == .unexpectedPeer(account: Fixture.alice.accountID, device: Fixture.alice.deviceID))
            // 42 is bad_certificate.
            #expect(SessionPair.failure(pair.serverSaw) == .alert(42))
            #expect(!pair.areEstablished)
        }
    }

    @Test(arguments: transports)
    func theClientsChainMustBeTheExpectedOne(transport: SecureSession.Transport) throws {
        let pair = try SessionPair(transport, serverExpects: .chain(Fixture.alice.chain))
        pair.start()
        #expect(
            SessionPair.failure(pair.serverSaw)
                == .unexpectedPeer(account: Fixture.bob.accountID, device: Fixture.bob.deviceID))
        #expect(SessionPair.failure(pair.clientSaw) == .alert(42))
        #expect(SessionPair.facts(pair.serverSaw) == nil)
    }

    @Test(arguments: transports)
    func theOtherExpectationsAreMet(transport: SecureSession.Transport) throws {
        let pair = try SessionPair(
            transport, clientExpects: .device(Fixture.alice.deviceKey.publicKey, of: Fixture.alice.accountID),
            serverExpects: .account(Fixture.bob.accountID))
        pair.start()
        #expect(pair.areEstablished)
    }

    @Test(arguments: transports)
    func expiredChainsAreRefusedByEitherSide(transport: SecureSession.Transport) throws {
        let credentials = try Credentials(Fixture.expired)
        let server = try SessionPair(transport, server: credentials, clientExpects: .chain(Fixture.expired.chain))
        server.start()
        #expect(SessionPair.failure(server.clientSaw) == .untrusted(.expired(level: 0)))
        #expect(SessionPair.failure(server.serverSaw) == .alert(42))
        let client = try SessionPair(transport, client: credentials, serverExpects: .chain(Fixture.expired.chain))
        client.start()
        #expect(SessionPair.failure(client.serverSaw) == .untrusted(.expired(level: 0)))
        #expect(SessionPair.failure(client.clientSaw) == .alert(42))
    }

    @Test func credentialsMustFitTogether() {
        #expect(throws: SecureChannelError.self) {
            try Credentials(chain: Fixture.alice.chain, deviceKey: Fixture.bob.deviceKey)
        }
    }

    @Test func capturedStockCredentialsWork() throws {
        let names = ["alice", "bob"]
        let chains = try names.map { try CertificateChain(pem: Fixture.text("jami/account/\($0)-device-chain.pem")) }
        let keys = try names.map { try PrivateKey(pem: Fixture.text("jami/account/\($0)-device-key.pem")) }
        let credentials = try zip(chains, keys).map { try Credentials(chain: $0, deviceKey: $1) }
        let clock = WallClock(epochOffset: (chains[0].device.notBefore + 3600) * 1_000_000_000)
        let client = try SecureSession(
            role: .client, transport: .stream, credentials: credentials[1], expecting: .chain(chains[0]), clock: clock)
        let server = try SecureSession(
            role: .server, transport: .stream, credentials: credentials[0], expecting: .chain(chains[1]), clock: clock)
        _ = server.start(at: .zero)
        var (toServer, toClient) = (client.start(at: .zero), [SecureEffect]())
        var established = 0
        for _ in 0..<10 {
            (toServer, toClient) = (
                Self.deliver(toClient, to: client, &established), Self.deliver(toServer, to: server, &established)
            )
        }
        #expect(established == 2)
    }

    private static func deliver(
        _ effects: [SecureEffect], to session: SecureSession, _ established: inout Int
    ) -> [SecureEffect] {
        var answers: [SecureEffect] = []
        for case .send(let bytes) in effects { answers += session.receive(bytes, at: .zero) }
        for case .established in answers { established += 1 }
        return answers
    }

    @Test func stockClientHelloIsAnswered() throws {
        struct Handshake: Decodable { let client_hello_record: String }
        let hello = hex(try TestVectors.json("jami/tls-handshake.json", as: Handshake.self).client_hello_record)
        let pair = try SessionPair(.stream)
        _ = pair.server.start(at: .zero)
        guard case .send(let answer)? = pair.server.receive(hello, at: .zero).first else {
            Issue.record("no answer")
            return
        }
        // A ServerHello with TLS_AES_256_GCM_SHA384 behind the 32-byte session id.
        #expect(answer.starts(with: [22, 3, 3]) && answer[5] == 2)
        #expect(answer[76] == 0x13 && answer[77] == 0x02)
    }
}
