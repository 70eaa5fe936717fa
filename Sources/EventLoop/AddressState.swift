internal import SansIO

/// What `/proc/net/if_inet6` says about one IPv6 address and `getifaddrs` does not.
struct AddressState {
    private static let temporary: UInt8 = 0x01
    private static let failedDuplicateDetection: UInt8 = 0x08
    private static let deprecated: UInt8 = 0x20
    private static let tentative: UInt8 = 0x40

    private let address: IPAddress
    private let interface: String
    private let flags: UInt8

    var isTemporary: Bool { flags & Self.temporary != 0 }
    var isUsable: Bool { flags & (Self.deprecated | Self.tentative | Self.failedDuplicateDetection) == 0 }

    func matches(_ other: Interfaces.Address) -> Bool {
        address == other.endpoint.address && interface == other.interface
    }

    /// Reads the kernel's table; empty where there is none.
    static func read() -> [AddressState] {
        KernelTable.lines(ofFileAt: "/proc/net/if_inet6").compactMap { AddressState(line: $0) }
    }

    /// Reads `address index prefix scope flags name`, the first five in hexadecimal.
    init?(line: ArraySlice<UInt8>) {
        let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard words.count == 6, let bytes = Hexadecimal.decode(words[0]), let address = IPAddress(bytes: bytes.span),
            let flags = UInt8(words[4], radix: 16)
        else { return nil }
        self.address = address
        self.flags = flags
        interface = words[5]
    }
}
