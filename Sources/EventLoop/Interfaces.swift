internal import CLinux
internal import Glibc
public import SansIO

/// The addresses of this machine that a peer may reach.
public enum Interfaces {
    /// What kind of link an address belongs to, from the most useful to the least.
    public enum Link: Int, Hashable, Sendable, Comparable {
        /// A network card, or something that looks like one.
        case direct
        /// A tunnel or VPN.
        case tunnel
        /// A bridge to containers or virtual machines on this machine.
        case bridge
        /// The machine itself.
        case loopback

        /// Orders by usefulness, the most useful first.
        public static func < (left: Link, right: Link) -> Bool { left.rawValue < right.rawValue }
    }

    /// One usable address.
    public struct Address: Hashable, Sendable {
        /// The interface's name.
        public var interface: String
        /// The address with port 0, and for a link-local IPv6 address with its scope.
        public var endpoint: Endpoint
        /// The kind of link.
        public var link: Link
        /// Whether it is a temporary IPv6 address (RFC 8981), made to be shown in public.
        public var isTemporary = false
    }

    /// What to list.
    public struct Options: OptionSet, Hashable, Sendable {
        /// The bits.
        public let rawValue: UInt8
        /// Creates a set from bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// List loopback addresses too, after all others; for demonstrations on one machine.
        public static let loopbackToo = Options(rawValue: 1)
    }

    /// How many addresses are listed at most.
    public static let limit = 8

    /// Lists the usable addresses of running interfaces, the most useful first, both families taking turns.
    ///
    /// Left out: multicast, unspecified, site-local, IPv4-compatible, IPv4-mapped, deprecated and tentative addresses,
    /// loopback unless asked for, and a permanent IPv6 address where a temporary one has the same prefix.
    public static func addresses(_ options: Options = [], limit: Int = limit) throws(Errno) -> [Address] {
        order(try all(), options, limit: limit)
    }

    /// Chooses from `all` and orders the choice.
    static func order(_ all: [Address], _ options: Options, limit: Int) -> [Address] {
        let usable = all.filter {
            isUsable($0.endpoint.address) && ($0.link != .loopback || options.contains(.loopbackToo))
        }
        let shown = usable.filter { address in !usable.contains { $0.replaces(address) } }
        var ordered: [Address] = []
        for link in [Link.direct, .tunnel, .bridge] {
            ordered += interleave(shown.filter { $0.link == link && !$0.endpoint.address.isLinkLocal })
        }
        ordered += interleave(shown.filter { $0.link != .loopback && $0.endpoint.address.isLinkLocal })
        ordered += interleave(shown.filter { $0.link == .loopback })
        return Array(ordered.prefix(max(limit, 0)))
    }

    /// IPv6 and IPv4 in turns, so that one broken family costs each peer every second check only.
    private static func interleave(_ addresses: [Address]) -> [Address] {
        let v6 = addresses.filter { $0.endpoint.address.family == .v6 }
        let v4 = addresses.filter { $0.endpoint.address.family == .v4 }
        return (0..<max(v6.count, v4.count)).flatMap { index in
            [v6, v4].compactMap { index < $0.count ? $0[index] : nil }
        }
    }

    private static func isUsable(_ address: IPAddress) -> Bool {
        guard !address.isUnspecified, !address.isMulticast else { return false }
        switch address {
        case .v4: return true
        case .v6(let high, let low):
            let isSiteLocal = high >> 54 == 0x3FB
            // ::/96 holds IPv4-compatible addresses and ::1; ::ffff:0:0/96 the mapped ones.
            let embedsIPv4 = high == 0 && (low >> 32 == 0 || low >> 32 == 0xFFFF)
            return !isSiteLocal && (!embedsIPv4 || address.isLoopback)
        }
    }

    // MARK: What the kernel says

    /// Whether a running interface has an address, be it one that is not to be used for anything new.
    public static func hold(_ address: IPAddress) throws(Errno) -> Bool {
        try running().contains { $0.endpoint.address == address }
    }

    private static func all() throws(Errno) -> [Address] {
        let states = AddressState.read()
        return try running().compactMap { address in
            let state = states.first { $0.matches(address) }
            guard state?.isUsable ?? true else { return nil }
            var usable = address
            usable.isTemporary = state?.isTemporary ?? false
            return usable
        }
    }

    private static func running() throws(Errno) -> [Address] {
        var list: UnsafeMutablePointer<ifaddrs>?
        // `list` is the C library's until it is freed below; nothing of it is kept.
        guard unsafe getifaddrs(&list) == 0 else { throw .last }
        defer { unsafe freeifaddrs(list) }
        var addresses: [Address] = []
        var next = unsafe list
        while let entry = unsafe next?.pointee {
            unsafe next = entry.ifa_next
            if let address = unsafe Address(entry) { addresses.append(address) }
        }
        return addresses
    }
}

extension Interfaces.Address {
    /// Reads an entry of `getifaddrs`; `nil` when it is no IP address of a running interface.
    fileprivate init?(_ entry: ifaddrs) {
        let flags = unsafe Int32(truncatingIfNeeded: entry.ifa_flags)
        let wanted = Int32(IFF_UP) | Int32(IFF_RUNNING)
        // An entry without an address has a nil pointer, which the shim turns into no family.
        let form = unsafe clinux_unpack(entry.ifa_addr, Self.length(of: entry))
        guard flags & wanted == wanted, let endpoint = Endpoint(form), let name = unsafe entry.ifa_name else {
            return nil
        }
        interface = unsafe String(cString: name)
        // The kernel gives a scope to every IPv6 address; it means something for link-local ones only.
        let scope = endpoint.address.isLinkLocal ? endpoint.scope : 0
        self.endpoint = Endpoint(endpoint.address, port: 0, scope: scope)
        if flags & Int32(IFF_LOOPBACK) != 0 || endpoint.address.isLoopback {
            link = .loopback
        } else {
            let isPointToPoint = flags & Int32(IFF_POINTOPOINT) != 0
            link = isPointToPoint ? .tunnel : Interfaces.Link(interface: interface)
        }
    }

    static func length(of entry: ifaddrs) -> socklen_t {
        switch unsafe (entry.ifa_addr?.pointee.sa_family).map(Int32.init) {
        case AF_INET: socklen_t(MemoryLayout<sockaddr_in>.size)
        case AF_INET6: socklen_t(MemoryLayout<sockaddr_in6>.size)
        default: 0
        }
    }

    /// Whether this temporary address stands for the permanent `other` of the same /64 on the same interface.
    fileprivate func replaces(_ other: Self) -> Bool {
        guard isTemporary, !other.isTemporary, interface == other.interface,
            case .v6(let ours, _) = endpoint.address, case .v6(let theirs, _) = other.endpoint.address
        else { return false }
        return ours == theirs
    }
}

extension Interfaces.Link {
    /// Guesses from the names that Linux and common software give.
    init(interface name: String) {
        let bridges = [
            "docker", "br-", "virbr", "veth", "cni", "lxc", "lxd", "podman", "flannel", "cali", "vmnet", "vboxnet",
        ]
        let tunnels = ["tun", "tap", "wg", "ppp", "tailscale", "utun", "ipsec", "vti", "gre", "sit", "zt", "nordlynx"]
        if bridges.contains(where: name.hasPrefix) {
            self = .bridge
        } else if tunnels.contains(where: name.hasPrefix) {
            self = .tunnel
        } else {
            self = .direct
        }
    }
}
