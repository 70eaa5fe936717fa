internal import CLinux
internal import Glibc
internal import SansIO

extension Endpoint {
    /// The form the kernel shim takes. For a socket of family v6, an IPv4 address is mapped into `::ffff:0:0/96`.
    func kernelForm(for family: IPAddress.Family) -> clinux_address {
        switch (address, family) {
        case (.v4(let word), .v4):
            clinux_address(family: AF_INET, port: port, scope: 0, high: 0, low: UInt64(word))
        case (.v4(let word), .v6):
            clinux_address(family: AF_INET6, port: port, scope: 0, high: 0, low: 0xFFFF_0000_0000 | UInt64(word))
        case (.v6(let high, let low), _):
            clinux_address(family: AF_INET6, port: port, scope: scope, high: high, low: low)
        }
    }

    /// Reads what the kernel shim filled in; `nil` for a family other than IPv4 and IPv6.
    init?(_ kernelForm: clinux_address) {
        switch kernelForm.family {
        case AF_INET:
            self.init(.v4(UInt32(truncatingIfNeeded: kernelForm.low)), port: kernelForm.port)
        case AF_INET6:
            let address = IPAddress.v6(high: kernelForm.high, low: kernelForm.low)
            self = Endpoint(address, port: kernelForm.port, scope: kernelForm.scope).unmapped
        default: return nil
        }
    }
}

extension IPAddress.Family {
    /// `AF_INET` or `AF_INET6`.
    var kernelForm: Int32 {
        switch self {
        case .v4: AF_INET
        case .v6: AF_INET6
        }
    }
}

extension Descriptor {
    /// Binds the socket; an IPv6 socket takes no IPv4 traffic unless `dualStack`.
    func bind(to endpoint: Endpoint, dualStack: Bool = false) throws(Errno) {
        if endpoint.address.family == .v6 { try set(IPV6_V6ONLY, at: Int32(IPPROTO_IPV6), to: dualStack ? 0 : 1) }
        var form = endpoint.kernelForm(for: endpoint.address.family)
        // The shim reads one address during the call.
        guard unsafe clinux_bind(rawValue, &form) == 0 else { throw .last }
    }

    /// The address the socket is bound to.
    func localEndpoint() throws(Errno) -> Endpoint {
        var form = clinux_address()
        // The shim fills in one address during the call.
        guard unsafe clinux_local_address(rawValue, &form) == 0 else { throw .last }
        guard let endpoint = Endpoint(form) else { throw .familyNotSupported }
        return endpoint
    }

    /// The address the socket is connected to.
    func remoteEndpoint() throws(Errno) -> Endpoint {
        var form = clinux_address()
        // The shim fills in one address during the call.
        guard unsafe clinux_remote_address(rawValue, &form) == 0 else { throw .last }
        guard let endpoint = Endpoint(form) else { throw .familyNotSupported }
        return endpoint
    }
}
