import SansIO
import Testing

@testable import EventLoop

@Suite struct DefaultRouteTests {
    @Test func aDefaultRouteIsRead() throws {
        let line = Array("eth0\t00000000\t\(Self.word(0xC0A8_0101))\t0003\t0\t0\t100\t00000000\t0\t0\t0 ".utf8)
        let route = try #require(DefaultRoute(line: line[...]))
        #expect(route.interface == "eth0")
        #expect(route.gateway == .v4(0xC0A8_0101))
    }

    @Test(arguments: [
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",  // the head
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",  // a network without a gateway
        "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0",  // a default route without one
        "eth0\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0",  // a route that is down
        "eth0\t00000000\tnowhere\t0003\t0\t0\t0\t00000000\t0\t0\t0", "", "\t\t\t\t\t\t\t",
    ])
    func otherLinesAreNone(line: String) { #expect(DefaultRoute(line: Array(line.utf8)[...]) == nil) }

    private static let none = String(repeating: "0", count: 32)
    private static let router = "fe80000000000000000000fffe000001"

    @Test func aDefaultRouteOfIPv6IsRead() throws {
        let line = "\(Self.none) 00 \(Self.none) 00 \(Self.router) 00000400 00000001 00000000 00000003     eth0"
        let (route, metric) = try #require(DefaultRoute.readIPv6(line: Array(line.utf8)[...]))
        #expect(route.interface == "eth0" && metric == 0x400)
        #expect(route.gateway == .v6(high: 0xFE80_0000_0000_0000, low: 0x00FF_FE00_0001))
    }

    @Test(arguments: [
        "\(none) 40 \(none) 00 \(router) 00000400 00000001 00000000 00000003 eth0",  // a network
        "\(none) 00 \(none) 00 \(none) ffffffff 00000001 00000000 00200200 lo",  // a route to nowhere
        "\(none) 00 \(none) 00 \(router) 00000400 00000001 00000000 00000002 eth0",  // a route that is down
        "\(none) 00 \(none) 00 fe80 00000400 00000001 00000000 00000003 eth0", "", "         ",
    ])
    func otherLinesOfIPv6AreNone(line: String) { #expect(DefaultRoute.readIPv6(line: Array(line.utf8)[...]) == nil) }

    /// An address as the kernel prints it: the machine's own reading of the bytes.
    private static func word(_ address: UInt32) -> String {
        let text = String(address.bigEndian, radix: 16, uppercase: true)
        return String(repeating: "0", count: 8 - text.count) + text
    }
}
