import SansIO
import Testing

@Suite struct HostTextTests {
    @Test(
        arguments: [
            ("host", "host", nil), ("host:1", "host", 1), ("[2001:db8::1]:53", "2001:db8::1", 53),
            ("[::1]", "::1", nil), ("2001:db8::1", "2001:db8::1", nil), ("192.0.2.1:65535", "192.0.2.1", 65_535),
        ] as [(String, String, UInt16?)])
    func isRead(_ text: String, _ host: String, _ port: UInt16?) throws {
        let read = try #require(HostText.read(text))
        #expect(read.host == host)
        #expect(read.port == port)
    }

    @Test(arguments: ["", ":1", "host:0", "host:x", "host:65536", "a b", "[::1", "[]:1", "]:1"])
    func isRefused(_ text: String) { #expect(HostText.read(text) == nil) }

    @Test func isWrittenAsItIsRead() {
        for text in ["host:1", "[2001:db8::1]:53"] {
            let read = HostText.read(text)
            #expect(read.map { HostText.write($0.host, $0.port ?? 0) } == text)
        }
    }
}
