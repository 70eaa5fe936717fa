internal import SansIO

/// Addresses that one party is likely to hold together: a /24 of IPv4, a /56 of IPv6.
///
/// Only addresses of the Internet have one: loopback and private networks are as small as they are.
struct AddressPrefix: Hashable, Sendable {
    private let family: IPAddress.Family
    private let bits: UInt64

    init?(_ address: IPAddress) {
        guard address.isGlobal else { return nil }
        family = address.family
        bits =
            switch address {
            case .v4(let word): UInt64(word >> 8)
            case .v6(let high, _): high >> 8
            }
    }
}

extension IPAddress {
    /// Whether the address is one of the Internet's, not of a loopback interface, a link or a private network
    /// (RFC 1918, RFC 6598, RFC 4193).
    var isGlobal: Bool {
        guard !isLoopback, !isLinkLocal else { return false }
        return switch self {
        case .v4(let word): word >> 24 != 10 && word >> 20 != 0xAC1 && word >> 16 != 0xC0A8 && word >> 22 != 0x191
        case .v6(let high, _): high >> 57 != 0x7E
        }
    }
}
