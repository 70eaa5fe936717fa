/// An IPv4 or IPv6 address, as words in network order.
public enum IPAddress: Hashable, Sendable {
    /// An IPv4 address; the first octet is the most significant.
    case v4(UInt32)
    /// An IPv6 address in two halves.
    case v6(high: UInt64, low: UInt64)

    /// The address family.
    public enum Family: Hashable, Sendable, CaseIterable {
        /// IPv4.
        case v4
        /// IPv6.
        case v6
    }

    /// The family the address belongs to.
    public var family: Family {
        switch self {
        case .v4: .v4
        case .v6: .v6
        }
    }

    /// Reads 4 or 16 network-order bytes; `nil` for any other count.
    public init?(bytes: Span<UInt8>) {
        var reader = ByteReader(bytes)
        switch bytes.count {
        case 4:
            guard let word: UInt32 = try? reader.read() else { return nil }
            self = .v4(word)
        case 16:
            guard let high: UInt64 = try? reader.read(), let low: UInt64 = try? reader.read() else { return nil }
            self = .v6(high: high, low: low)
        default: return nil
        }
    }

    /// The 4 or 16 bytes in network order.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 16)
        switch self {
        case .v4(let word): writer.write(word)
        case .v6(let high, let low):
            writer.write(high)
            writer.write(low)
        }
        return writer.bytes
    }

    /// The unspecified address of a family (`0.0.0.0`, `::`).
    public static func unspecified(_ family: Family) -> IPAddress {
        switch family {
        case .v4: .v4(0)
        case .v6: .v6(high: 0, low: 0)
        }
    }

    /// The loopback address of a family (`127.0.0.1`, `::1`).
    public static func loopback(_ family: Family) -> IPAddress {
        switch family {
        case .v4: .v4(0x7F00_0001)
        case .v6: .v6(high: 0, low: 1)
        }
    }

    /// Whether the address is `0.0.0.0` or `::`.
    public var isUnspecified: Bool { self == .unspecified(family) }

    /// Whether the address is in 127.0.0.0/8 or `::1`.
    public var isLoopback: Bool {
        switch self {
        case .v4(let word): word >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    /// Whether the address is valid on its link only (169.254.0.0/16, fe80::/10).
    public var isLinkLocal: Bool {
        switch self {
        case .v4(let word): word >> 16 == 0xA9FE
        case .v6(let high, _): high >> 54 == 0x3FA
        }
    }

    /// Whether the address names a group (224.0.0.0/4, ff00::/8).
    public var isMulticast: Bool {
        switch self {
        case .v4(let word): word >> 28 == 0xE
        case .v6(let high, _): high >> 56 == 0xFF
        }
    }

    /// The IPv4 address inside an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`), or the address itself.
    public var unmapped: IPAddress {
        guard case .v6(0, let low) = self, low >> 32 == 0xFFFF else { return self }
        return .v4(UInt32(truncatingIfNeeded: low))
    }
}
