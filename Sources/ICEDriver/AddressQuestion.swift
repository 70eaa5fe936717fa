package import SansIO
package import SwiftICE

/// A question of one socket to one host: at which address does it see the socket? To a STUN server, or in another protocol.
package protocol AddressQuestion: Sendable {
    /// Who is asked.
    var host: Endpoint { get }
    /// When the question is repeated or given up; `nil` before its start and after its end.
    var deadline: Instant? { get }
    /// Asks for the first time.
    mutating func start(at now: Instant) -> [BindingRequest.Effect]
    /// Takes a datagram that arrived on the socket.
    mutating func receive(_ datagram: Span<UInt8>, from source: Endpoint, at now: Instant) -> [BindingRequest.Effect]
    /// Repeats the question, or gives it up.
    mutating func advance(to now: Instant) -> [BindingRequest.Effect]
}

extension BindingRequest: AddressQuestion {
    package var host: Endpoint { server }
}
