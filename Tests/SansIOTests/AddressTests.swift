import SansIO
import TestVectors
import Testing

@Suite("IP address")
struct IPAddressTests {
    @Test(
        "RFC 5952 text",
        arguments: [
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:0db8::0001", "2001:db8::1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:DB8::ABCD", "2001:db8::abcd"), ("::", "::"),
            ("0:0:0:0:0:0:0:1", "::1"), ("1::", "1::"), ("1:0:0:0:0:0:0:0", "1::"), ("0:0:1::", "0:0:1::"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
            ("::ffff:c000:201", "::ffff:192.0.2.1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255", "255.255.255.255"),
            ("0000:0000:0000:0000:0000:ffff:255.255.255.255", "::ffff:255.255.255.255"),
        ])
    func canonical(text: String, expected: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == expected)
        #expect(IPAddress(expected) == address)
    }

    @Test(
        "other text is refused",
        arguments: [
            "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "01.2.3.4", "1.2.3.", ".1.2.3", "1..2.3",
            "1.2.3.-4",
            "1.2.3.+4", "0x1.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.1000", "١.2.3.4", ":", ":::", "::1::", "1::2::3",
            "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", ":1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8:", "12345::", "g::", "+1::", "-1::", "::1.2.3", "::1.2.3.4.5", "1.2.3.4::", "1.2.3.4::1",
            "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "fe80::1%eth0", "[::1]", "::1/64", "::\0",
            "0000:0000:0000:0000:0000:ffff:255.255.255.2555",
        ])
    func refused(text: String) { #expect(IPAddress(text) == nil) }

    @Test("bytes and text round trip")
    func roundTrip() {
        var random = RandomSource.seeded(5952)
        for round in 0..<2000 {
            // Many zero groups, so that the rules on `::` matter.
            func group() -> UInt64 { random.next() & 3 == 0 ? random.next() & 0xFFFF : random.next() & 1 }
            func half() -> UInt64 { (0..<4).reduce(0) { word, _ in word << 16 | group() } }
            let address: IPAddress =
                round.isMultiple(of: 4)
                ? .v4(UInt32(truncatingIfNeeded: random.next())) : .v6(high: half(), low: half())
            #expect(IPAddress(address.description) == address)
            #expect(IPAddress(bytes: address.bytes.span) == address)
            #expect(address.bytes.count == (address.family == .v4 ? 4 : 16))
        }
    }

    @Test("only 4 and 16 bytes are addresses", arguments: [0, 1, 3, 5, 8, 15, 17])
    func wrongSize(count: Int) {
        #expect(IPAddress(bytes: [UInt8](repeating: 1, count: count).span) == nil)
    }

    @Test("mutated text never traps")
    func mutation() {
        var random = RandomSource.seeded(1)
        let alphabet = Array("0123456789abcdefFx:.:%[]+- ".utf8)
        for _ in 0..<5000 {
            let count = Int(random.next() % 24)
            let text = (0..<count).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
            let string = String(decoding: text, as: UTF8.self)
            if let address = IPAddress(string) { #expect(IPAddress(address.description) == address) }
            if let endpoint = Endpoint(string) { #expect(Endpoint(endpoint.description) == endpoint) }
        }
    }

    @Test("kinds of addresses")
    func kinds() throws {
        func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
        for text in ["127.0.0.1", "127.255.255.255", "::1"] { #expect(try address(text).isLoopback) }
        for text in ["126.0.0.1", "128.0.0.1", "::2", "::"] { #expect(try !address(text).isLoopback) }
        for text in ["169.254.0.1", "fe80::1", "febf::1"] { #expect(try address(text).isLinkLocal) }
        for text in ["169.253.0.1", "fec0::1", "fe7f::1"] { #expect(try !address(text).isLinkLocal) }
        for text in ["224.0.0.1", "239.1.2.3", "ff02::1"] { #expect(try address(text).isMulticast) }
        for text in ["223.0.0.1", "240.0.0.1", "fe00::1"] { #expect(try !address(text).isMulticast) }
        for family in IPAddress.Family.allCases {
            #expect(IPAddress.unspecified(family).isUnspecified && IPAddress.loopback(family).isLoopback)
            #expect(IPAddress.unspecified(family).family == family && IPAddress.loopback(family).family == family)
        }
        #expect(try address("::ffff:10.0.0.1").unmapped == .v4(0x0A00_0001))
        #expect(try address("::fffe:10.0.0.1").unmapped == address("::fffe:10.0.0.1"))
        #expect(try address("1::ffff:10.0.0.1").unmapped == address("1::ffff:10.0.0.1"))
        #expect(IPAddress.v4(1).unmapped == .v4(1))
    }
}

@Suite("Endpoint")
struct EndpointTests {
    @Test(
        "text round trips",
        arguments: ["192.0.2.1:4222", "0.0.0.0:0", "[2001:db8::1]:65535", "[::]:1", "[fe80::1%2]:5060"])
    func text(text: String) throws {
        let endpoint = try #require(Endpoint(text))
        #expect(endpoint.description == text)
    }

    @Test(
        "other text is refused",
        arguments: [
            "", ":", "192.0.2.1", "192.0.2.1:", ":80", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:+1",
            "192.0.2.1: 1",
            "2001:db8::1:80", "[2001:db8::1]", "[2001:db8::1]80", "[192.0.2.1]:80", "[::1:80", "::1]:80", "host:80",
            "[fe80::1%]:1", "[fe80::1%+2]:1", "[fe80::1%eth0]:1", "[fe80::1%0]:1", "[%2]:1", "[fe80::1%4294967296]:1",
        ])
    func refused(text: String) { #expect(Endpoint(text) == nil) }

    @Test("the port and the mapping change, the rest stays")
    func changes() throws {
        let endpoint = Endpoint(.v6(high: 0xFE80 << 48, low: 1), port: 1, scope: 7)
        #expect(endpoint.with(port: 9) == Endpoint(endpoint.address, port: 9, scope: 7))
        #expect(endpoint.unmapped == endpoint)
        #expect(try #require(Endpoint("[::ffff:1.2.3.4]:5")).unmapped == Endpoint(.v4(0x0102_0304), port: 5))
        #expect(endpoint != Endpoint(endpoint.address, port: 1, scope: 8))
    }
}
