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

    /// An address as the kernel prints it: the machine's own reading of the bytes.
    private static func word(_ address: UInt32) -> String {
        let text = String(address.bigEndian, radix: 16, uppercase: true)
        return String(repeating: "0", count: 8 - text.count) + text
    }
}
