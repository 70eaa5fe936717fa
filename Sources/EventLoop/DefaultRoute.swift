internal import Glibc
public import SansIO

/// Where packets to the rest of the world leave: an interface and the next hop on it.
public struct DefaultRoute: Hashable, Sendable {
    /// The interface's name.
    public let interface: String
    /// The next hop, which on a home network is the router that translates addresses.
    public let gateway: IPAddress

    /// The flags of a usable route through a gateway (`RTF_UP`, `RTF_GATEWAY`).
    private static let wantedFlags: UInt16 = 0x3

    /// The next hop with the link it is on, which an IPv6 address of a link needs; port 0.
    public var nextHop: Endpoint {
        guard gateway.family == .v6 else { return Endpoint(gateway, port: 0) }
        // The name lives across the call; 0 says that the interface has just gone.
        return Endpoint(gateway, port: 0, scope: unsafe if_nametoindex(interface))
    }

    /// Reads the kernel's default routes through gateways, those of IPv4 first, each family's best ones first; empty where
    /// there is none.
    public static func readAll() -> [DefaultRoute] {
        let v6 = KernelTable.lines(ofFileAt: "/proc/net/ipv6_route").compactMap { readIPv6(line: $0) }
        return KernelTable.lines(ofFileAt: "/proc/net/route").compactMap { DefaultRoute(line: $0) }
            + v6.sorted { $0.metric < $1.metric }.map(\.route)
    }

    /// Reads `destination length source length next-hop metric … flags interface`, blanks between, all in hexadecimal.
    static func readIPv6(line: ArraySlice<UInt8>) -> (route: DefaultRoute, metric: UInt32)? {
        let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        let none = String(repeating: "0", count: 32)
        guard words.count >= 10, words[0] == none, words[1] == "00", words[3] == "00", words[4].utf8.count == 32,
            let high = UInt64(words[4].prefix(16), radix: 16), let low = UInt64(words[4].suffix(16), radix: 16),
            let metric = UInt32(words[5], radix: 16), let flags = UInt32(words[8], radix: 16),
            words[4] != none, UInt16(truncatingIfNeeded: flags) & wantedFlags == wantedFlags
        else { return nil }
        return (DefaultRoute(interface: words[9], gateway: .v6(high: high, low: low)), metric)
    }

    private init(interface: String, gateway: IPAddress) {
        self.interface = interface
        self.gateway = gateway
    }

    /// Reads `interface destination gateway flags …`, tabs between, numbers in hexadecimal and addresses in the
    /// machine's own byte order.
    init?(line: ArraySlice<UInt8>) {
        let words = line.split(separator: UInt8(ascii: "\t")).map { String(decoding: $0, as: UTF8.self) }
        guard words.count >= 8, words[1] == "00000000", words[7] == "00000000",
            let gateway = UInt32(words[2], radix: 16), gateway != 0,
            let flags = UInt16(words[3], radix: 16), flags & Self.wantedFlags == Self.wantedFlags
        else { return nil }
        interface = words[0]
        self.gateway = .v4(UInt32(bigEndian: gateway))
    }
}
