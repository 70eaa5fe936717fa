public import SansIO

/// Where packets to the rest of the world leave: an interface and the next hop on it.
public struct DefaultRoute: Hashable, Sendable {
    /// The interface's name.
    public let interface: String
    /// The next hop, which on a home network is the router that translates addresses.
    public let gateway: IPAddress

    /// The flags of a usable route through a gateway (`RTF_UP`, `RTF_GATEWAY`).
    private static let wantedFlags: UInt16 = 0x3

    /// Reads the kernel's IPv4 default routes, in its order; empty where there is none.
    public static func readAll() -> [DefaultRoute] {
        KernelTable.lines(ofFileAt: "/proc/net/route").compactMap { DefaultRoute(line: $0) }
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
