import SansIO
import Testing

@testable import SecureChannel

/// The client of plain TLS, with a server of ours that also wants to know who asks.
@Suite struct TLSClientSessionTests {
    private static let name = "turn.example"
    private static let chain = try! serverChain()
    private static let authority = ServerTrust.authorities(pem: chain.certificates[1].pem)

    private static func serverChain() throws -> CertificateChain {
        // GnuTLS judges dates by the system's clock.
        let author = CertificateAuthor(notBefore: 0, notAfter: 4_000_000_000)
        let authority = CertificateAuthor.Subject(commonName: "An authority", key: Fixture.keys[2], isAuthority: true)
        let server = CertificateAuthor.Subject(commonName: name, key: Fixture.keys[0], isAuthority: false)
        return try CertificateChain([
            author.certify(server, by: authority), author.certify(authority, by: authority),
        ])
    }

    /// What the client was told until nothing was on its way any more.
    private func handshake(name: String, isAddress: Bool = false, trust: ServerTrust) throws -> [TLSClientSession
        .Effect]
    {
        let client = try TLSClientSession(
            with: name, isAddress: isAddress, trusting: ServerAuthorities(trust))
        let server = try SecureSession(
            role: .server, transport: .stream, credentials: Credentials(chain: Self.chain, deviceKey: Fixture.keys[0]),
            expecting: .chain(Fixture.bob.chain), clock: SessionPair.clock)
        _ = server.start(at: .zero)
        var told: [TLSClientSession.Effect] = []
        var effects = client.start()
        while !effects.isEmpty {
            told += effects.filter { if case .send = $0 { false } else { true } }
            let answers = effects.flatMap { effect -> [SecureEffect] in
                if case .send(let bytes) = effect { server.receive(bytes, at: .zero) } else { [] }
            }
            effects = answers.flatMap { answer -> [TLSClientSession.Effect] in
                if case .send(let bytes) = answer { client.receive(bytes) } else { [] }
            }
        }
        return told
    }

    @Test func aServerWithTheNameUnderAKnownAuthorityIsTrusted() throws {
        let told = try handshake(name: Self.name, trust: Self.authority)
        #expect(told.first == .established)
        // The server wants a certificate, which is seen only after the handshake (RFC 8446 §4.4.2.4).
        #expect(told.last == .failed(.alert(116)))
    }

    @Test(arguments: [("other.example", false), ("192.0.2.1", true)])
    func aServerWithAnotherNameIsNot(name: String, isAddress: Bool) throws {
        let told = try handshake(name: name, isAddress: isAddress, trust: Self.authority)
        guard told.count == 1, case .failed(.untrustedServer(let status)) = told[0] else {
            Issue.record("\(told)")
            return
        }
        #expect(status != 0)
    }

    @Test func aServerUnderAnotherAuthorityIsNot() throws {
        let told = try handshake(name: Self.name, trust: .authorities(pem: Fixture.mallory.chain.pem))
        guard told.count == 1, case .failed(.untrustedServer) = told[0] else {
            Issue.record("\(told)")
            return
        }
    }

    @Test func anyServerWillDoWhereThatIsWished() throws {
        #expect(try handshake(name: "other.example", trust: .anyServer).first == .established)
    }

    @Test(arguments: ["", "no certificate at all"]) func nobodyIsTrustedByNothing(pem: String) throws {
        #expect(throws: SecureChannelError.noAuthority) { try ServerAuthorities(.authorities(pem: pem)) }
    }

    @Test func garbageInsteadOfAHandshakeFails() throws {
        var random = RandomSource.seeded(21)
        let authorities = try ServerAuthorities(.anyServer)
        for _ in 0..<200 {
            let client = try TLSClientSession(with: "turn.example", isAddress: false, trusting: authorities)
            #expect(client.start().count == 1)
            var told: [TLSClientSession.Effect] = []
            for _ in 0..<3 { told += client.receive(random.bytes(Int.random(in: 1...2000, using: &random))) }
            for effect in told {
                if effect == .established { Issue.record("established by garbage") }
                if case .received = effect { Issue.record("garbage was delivered") }
            }
        }
    }

    @Test func nothingIsSentBeforeTheHandshakeNorAfterTheEnd() throws {
        let client = try TLSClientSession(
            with: "turn.example", isAddress: false, trusting: ServerAuthorities(.anyServer))
        #expect(client.send([1, 2, 3]).isEmpty)
        #expect(client.receive([1, 2, 3]).isEmpty)
        _ = client.start()
        #expect(client.send([1, 2, 3]).isEmpty)
        #expect(client.close().last == .closed)
        #expect(client.close().isEmpty)
        #expect(client.receive([22, 3, 3]).isEmpty)
    }
}
