package import SansIO
package import SwiftICE

/// What an ICE session asks of its sockets.
package enum NetworkAction: Hashable, Sendable {
    /// Send a datagram from the socket bound to `from`.
    case send([UInt8], from: Endpoint, to: Endpoint)
    /// Open a TCP connection from a local address.
    case connect(ICEAgent.ConnectionID, from: Endpoint, to: Endpoint)
    /// Write bytes to a connection, in order.
    case write([UInt8], on: ICEAgent.ConnectionID)
    /// Close a connection.
    case disconnect(ICEAgent.ConnectionID)
}
