package import SansIO
package import SwiftICE

/// What an ICE session asks of its sockets.
package enum NetworkAction: Hashable, Sendable {
    /// Send a datagram from the socket bound to `from`, or the relay there.
    case send([UInt8], from: Endpoint, to: Endpoint)
    /// Open a TCP connection from a local address.
    case connect(ICEAgent.ConnectionID, from: Endpoint, to: Endpoint)
    /// Write bytes to a connection, in order.
    case write([UInt8], on: ICEAgent.ConnectionID)
    /// Close a connection.
    case disconnect(ICEAgent.ConnectionID)
    /// Have the relay behind the base `on` let an address through, and report it with ``NodeCore/found(_:for:at:)``.
    case permit(IPAddress, on: Endpoint)
    /// Data will travel over the relay at `from`, which can be told to carry them at little cost.
    case prefer(from: Endpoint, to: Endpoint)

    /// What is to be done for data that will travel over a pair.
    static func preferring(_ pair: ICEAgent.SelectedPair) -> [NetworkAction] {
        guard pair.local.kind == .relayed, case .datagram(let base, let peer) = pair.path else { return [] }
        return [.prefer(from: base, to: peer)]
    }
}
