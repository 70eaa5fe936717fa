internal import CLinux
internal import Glibc
public import SansIO

extension Interfaces {
    /// An interface through which groups can be reached.
    public struct MulticastLink: Hashable, Sendable {
        /// The interface's name.
        public var name: String
        /// The kernel's number of the interface.
        public var index: UInt32
        /// Its addresses, of both families.
        public var addresses: [IPAddress]
    }

    /// How many interfaces are listed at most.
    public static let multicastLinkLimit = 16

    /// Lists the running interfaces that carry multicast, in the kernel's order, without loopback and tunnels.
    public static func multicastLinks() throws(Errno) -> [MulticastLink] {
        var list: UnsafeMutablePointer<ifaddrs>?
        // `list` is the C library's until it is freed below; nothing of it is kept.
        guard unsafe getifaddrs(&list) == 0 else { throw .last }
        defer { unsafe freeifaddrs(list) }
        var links: [MulticastLink] = []
        var next = unsafe list
        while let entry = unsafe next?.pointee {
            unsafe next = entry.ifa_next
            guard let (name, address) = unsafe multicastAddress(entry) else { continue }
            if let index = links.firstIndex(where: { $0.name == name }) {
                links[index].addresses.append(address)
            } else if links.count < multicastLinkLimit {
                // The name lives across the call; 0 says that the interface has just gone.
                let number = unsafe if_nametoindex(name)
                if number != 0 { links.append(MulticastLink(name: name, index: number, addresses: [address])) }
            }
        }
        return links
    }

    /// The interface and address of an entry of `getifaddrs`; `nil` when no group can be reached through it.
    private static func multicastAddress(_ entry: ifaddrs) -> (name: String, address: IPAddress)? {
        let flags = unsafe Int32(truncatingIfNeeded: entry.ifa_flags)
        let wanted = Int32(IFF_UP) | Int32(IFF_RUNNING) | Int32(IFF_MULTICAST)
        let unwanted = Int32(IFF_LOOPBACK) | Int32(IFF_POINTOPOINT)
        // An entry without an address has a nil pointer, which the shim turns into no family.
        guard flags & (wanted | unwanted) == wanted, let name = unsafe entry.ifa_name,
            let endpoint = unsafe Endpoint(clinux_unpack(entry.ifa_addr, Address.length(of: entry)))
        else { return nil }
        return (unsafe String(cString: name), endpoint.address)
    }
}
