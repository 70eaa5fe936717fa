internal import CLinux
internal import Glibc
public import SansIO

/// Multicast: one datagram for everybody on a link who joined a group.
extension DatagramSocket {
    /// How far datagrams to groups go: no router passes them on.
    public static let multicastHopLimit: Int32 = 1

    /// Binds a socket to a group's own address and port, shared with every other program that listens to the group.
    ///
    /// It hears what is sent to the group on the interfaces it joins, and nothing else: datagrams for another program's
    /// socket on the same port never end up here.
    public convenience init(hearing group: Endpoint) throws(Errno) {
        try self.init(bindingTo: group, sharesPort: true)
        // Groups joined by other sockets of this machine are not ours to hear; older kernels cannot tell them apart.
        switch group.address.family {
        case .v4: try? descriptor?.set(clinux_ip_multicast_all, at: Int32(IPPROTO_IP), to: 0)
        case .v6: try? descriptor?.set(clinux_ipv6_multicast_all, at: Int32(IPPROTO_IPV6), to: 0)
        }
    }

    /// Joins a group on one interface.
    /// - Throws: `.addressInUse` when it was joined already, and whatever else the kernel says.
    public func join(_ group: IPAddress, on interface: UInt32) throws(Errno) {
        try changeMembership(of: group, on: interface, joins: true)
    }

    /// Leaves a group on one interface. An interface that is gone was left with it, which throws.
    public func leave(_ group: IPAddress, on interface: UInt32) throws(Errno) {
        try changeMembership(of: group, on: interface, joins: false)
    }

    /// Sends one datagram to a group through one interface. Members on this machine hear it, too.
    public func send(_ bytes: [UInt8], toGroup group: Endpoint, on interface: UInt32) throws(Errno) {
        let family = group.address.family
        let result = clinux_multicast_interface(try number(), family.kernelForm, interface)
        guard result == 0 else { throw .last }
        let (level, hops, loop) =
            family == .v4
            ? (Int32(IPPROTO_IP), IP_MULTICAST_TTL, IP_MULTICAST_LOOP)
            : (Int32(IPPROTO_IPV6), IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP)
        try descriptor?.set(hops, at: level, to: Self.multicastHopLimit)
        try descriptor?.set(loop, at: level, to: 1)
        try send(bytes, to: group)
    }

    private func changeMembership(of group: IPAddress, on interface: UInt32, joins: Bool) throws(Errno) {
        var form = Endpoint(group, port: 0).kernelForm(for: group.family)
        // The shim reads one address during the call.
        guard unsafe clinux_membership(try number(), joins ? 1 : 0, &form, interface) == 0 else { throw .last }
    }
}
