import SansIO
import Testing

@testable import Swiftlet

@Suite struct CallRequestTests {
    @Test func aRequestIsAnArrayOfNumberAndBytes() throws {
        let request = CallRequest(id: 0x0102_0304_0506_0708, descriptions: [0xAA, 0xBB])
        #expect(request.encoded == [0x92, 0xCF, 1, 2, 3, 4, 5, 6, 7, 8, 0xC4, 2, 0xAA, 0xBB])
        #expect(try CallRequest(decoding: request.encoded) == request)
    }

    @Test func theBytesMayBeAnArrayOfNumbers() throws {
        let request = try CallRequest(decoding: [0x92, 5, 0x93, 1, 2, 3])
        #expect(request == CallRequest(id: 5, descriptions: [1, 2, 3]))
    }

    @Test(
        arguments: [
            [], [0x91, 5], [0x93, 5, 0xC4, 0, 0], [0x92, 0xFF, 0xC4, 0], [0x92, 5, 0xC4, 9, 1],
            [0x92, 5, 0x93, 1, 0xCD, 1, 0, 3],
        ] as [[UInt8]])
    func whatIsNoRequestIsRefused(bytes: [UInt8]) {
        #expect(throws: WireError.self) { try CallRequest(decoding: bytes) }
    }

    @Test func descriptionsHaveALimit() throws {
        let largest = CallRequest(id: 1, descriptions: [UInt8](repeating: 0, count: CallRequest.sizeLimit))
        #expect(try CallRequest(decoding: largest.encoded) == largest)
        let larger = CallRequest(id: 1, descriptions: [UInt8](repeating: 0, count: CallRequest.sizeLimit + 1))
        #expect(throws: WireError.self) { try CallRequest(decoding: larger.encoded) }
    }

    @Test func damageIsAnErrorAtWorst() {
        var random = RandomSource.seeded(1)
        let whole = CallRequest(id: .max, descriptions: random.bytes(300)).encoded
        for _ in 0..<3000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<min(20, bytes.count), using: &random)] = UInt8(
                    truncatingIfNeeded: random.next())
            }
            bytes.removeLast(Int.random(in: 0...bytes.count / 2, using: &random))
            _ = try? CallRequest(decoding: bytes)
        }
    }
}

@Suite struct DeviceAnnouncementTests {
    private let device = [UInt8](0..<20)

    @Test func anAnnouncementNamesDeviceAndKey() throws {
        let announcement = DeviceAnnouncement(device: device, publicKey: [1, 2, 3])
        #expect(
            announcement.encoded == [0x82, 0xA3] + Array("dev".utf8) + [0xC4, 20] + device
                + [0xA2] + Array("pk".utf8) + [0xC4, 3, 1, 2, 3])
        #expect(try DeviceAnnouncement(decoding: announcement.encoded) == announcement)
    }

    @Test func theFirstJamiNamedNoKey() throws {
        let announcement = DeviceAnnouncement(device: device, publicKey: nil)
        #expect(try DeviceAnnouncement(decoding: announcement.encoded) == announcement)
    }

    @Test func otherFieldsArePassedOver() throws {
        let bytes = [0x82, 0xA1, UInt8(ascii: "x"), 0x92, 1, 2, 0xA3] + Array("dev".utf8) + [0xC4, 20] + device
        #expect(try DeviceAnnouncement(decoding: bytes).device == device)
    }

    @Test func aDeviceHasTwentyBytes() {
        for count in [0, 19, 21] {
            let bytes = DeviceAnnouncement(device: [UInt8](repeating: 1, count: count), publicKey: nil).encoded
            #expect(throws: WireError.self) { try DeviceAnnouncement(decoding: bytes) }
        }
        #expect(throws: WireError.self) { try DeviceAnnouncement(decoding: [0x80]) }
    }
}

@Suite struct BootstrapTests {
    @Test(
        arguments: [
            ("bootstrap.jami.net", "bootstrap.jami.net", 4222), ("example.org:5000", "example.org", 5000),
            ("192.0.2.1", "192.0.2.1", 4222), ("192.0.2.1:1", "192.0.2.1", 1), ("2001:db8::1", "2001:db8::1", 4222),
            ("[2001:db8::1]", "2001:db8::1", 4222), ("[2001:db8::1]:65535", "2001:db8::1", 65535),
        ] as [(String, String, UInt16)])
    func aHostMayHaveAPort(text: String, host: String, port: UInt16) throws {
        let bootstrap = try #require(Node.Configuration.Bootstrap(text))
        #expect(bootstrap.host == host)
        #expect(bootstrap.port == port)
        #expect(Node.Configuration.Bootstrap(bootstrap.description) == bootstrap)
    }

    @Test(arguments: [
        "", ":", ":4222", "host:", "host:0", "host:65536", "host:-1", "ho st", "[]", "[]:1", "[::1]:x", "[::1",
    ])
    func whatIsNoHostIsRefused(text: String) { #expect(Node.Configuration.Bootstrap(text) == nil) }
}
