public import SansIO

/// A port of a gateway that leads to one of ours.
public struct PortMapping: Hashable, Sendable {
    /// What is mapped.
    public enum Transport: UInt8, Hashable, Sendable, CaseIterable {
        /// TCP connections.
        case tcp = 6
        /// UDP datagrams.
        case udp = 17
    }

    /// How the gateway was asked, best first.
    public enum Method: Int, Hashable, Sendable, CaseIterable {
        /// The Port Control Protocol (RFC 6887).
        case pcp
        /// Its predecessor (RFC 6886).
        case natPMP
        /// UPnP's Internet Gateway Device.
        case igd
    }

    /// What is mapped.
    public let transport: Transport
    /// Our own port.
    public let internalPort: UInt16
    /// Where the gateway can be reached.
    public let external: Endpoint
    /// How long it stands without a renewal; `nil` when for ever.
    public let lifetime: Duration?
    /// How the gateway was asked.
    public let method: Method

    /// Whether the gateway itself is behind a NAT, so that the address alone leads nowhere.
    ///
    /// Such a mapping helps only where a STUN server sees the very same address.
    public var isBehindAnotherNAT: Bool { !external.address.isGlobal }
}

/// A mapping as it is asked for: the transport and our own port.
struct MappingKey: Hashable, Sendable {
    let transport: PortMapping.Transport
    let port: UInt16
}

extension IPAddress {
    /// Whether the address may be reached from the whole Internet.
    ///
    /// Excluded are private (RFC 1918, RFC 4193), carrier (RFC 6598), protocol (192.0.0.0/24), link-local, loopback,
    /// multicast, reserved and unspecified addresses.
    public var isGlobal: Bool {
        if isUnspecified || isLoopback || isLinkLocal || isMulticast { return false }
        switch self {
        case .v4(let word):
            let isPrivate = word >> 24 == 10 || word >> 20 == 0xAC1 || word >> 16 == 0xC0A8
            return !isPrivate && word >> 22 != 0x191 && word >> 8 != 0xC00000 && word >> 24 != 0 && word >> 28 != 0xF
        case .v6(let high, _): return high >> 57 != 0x7E
        }
    }
}
