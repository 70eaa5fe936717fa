internal import CLinux
internal import Glibc
public import SansIO

/// Where packets to the rest of the world leave: an interface and the next hop on it.
public struct DefaultRoute: Hashable, Sendable {
    /// The interface's name.
    public let interface: String
    /// The next hop, which on a home network is the router that translates addresses.
    public let gateway: IPAddress

    private static let sizeLimit = 64 << 10
    /// The flags of a usable route through a gateway (`RTF_UP`, `RTF_GATEWAY`).
    private static let wantedFlags: UInt16 = 0x3

    /// Reads the kernel's IPv4 default routes, in its order; empty where there is none.
    public static func readAll() -> [DefaultRoute] {
        // The path is a constant.
        guard let file = try? Descriptor(checking: unsafe clinux_open_for_reading("/proc/net/route")) else { return [] }
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while text.count < sizeLimit {
            // The kernel writes at most what `piece` holds.
            let count = unsafe Glibc.read(file.rawValue, &piece, piece.count)
            guard count > 0 else { break }
            text += piece[..<count]
        }
        return text.split(separator: UInt8(ascii: "\n")).compactMap { DefaultRoute(line: $0) }
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
