import SansIO
import SwiftICE
import Testing

@Suite struct TURNServerURITests {
    @Test func everyPartIsRead() throws {
        let server = try #require(TURNServer(uri: "turn:ring:pass@turn.example.org:3479?transport=tcp"))
        #expect(server.host == .name("turn.example.org"))
        #expect(server.port == 3479)
        #expect(server.transport == .tcp)
        #expect(server.username == "ring")
        #expect(server.password == "pass")
    }

    @Test func whatIsLeftOutIsUsual() throws {
        let server = try #require(TURNServer(uri: "turn:user@192.0.2.1", password: "elsewhere"))
        #expect(server.host == .address(.v4(0xC000_0201)))
        #expect(server.port == 3478)
        #expect(server.transport == .udp)
        #expect(server.password == "elsewhere")
        let secure = try #require(TURNServer(uri: "turns:[2001:db8::1]"))
        #expect(secure.transport == .tls)
        #expect(secure.port == 5349)
        #expect(secure.username.isEmpty)
    }

    @Test func whatWouldEndAPartIsEscaped() throws {
        let server = try #require(TURNServer(uri: "turn:a%3Ab:c%40d%25@host"))
        #expect(server.username == "a:b")
        #expect(server.password == "c@d%")
    }

    @Test(arguments: [
        "", "turn:", "stun:host", "turn:user@", "turn:host:0", "turn:host:70000", "turn:host?transport=tls",
        "turns:host?transport=udp", "turn:host?x", "turn:%zz@host", "turn:a%@host", "turn:%FF@host", "turn:ho st",
    ])
    func anythingElseIsNone(_ text: String) { #expect(TURNServer(uri: text) == nil) }
}
