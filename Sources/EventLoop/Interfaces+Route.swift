internal import CLinux
internal import Glibc
public import SansIO

extension Interfaces {
    /// The address of ours from which the kernel would reach an endpoint now; nothing is sent.
    public static func source(towards endpoint: Endpoint) throws(Errno) -> IPAddress {
        let socket = try Descriptor.datagramSocket(endpoint.address.family)
        var form = endpoint.kernelForm(for: endpoint.address.family)
        // The shim reads one address during the call.
        guard unsafe clinux_connect(socket.rawValue, &form) == 0 else { throw .last }
        return try socket.localEndpoint().address
    }
}
