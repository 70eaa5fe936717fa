internal import ICEDriver
internal import SansIO
internal import SwiftDHT
internal import SwiftICE

/// Asks a node of the DHT where it sees a socket, as one asks a STUN server: what makes sessions work without any server.
///
/// Stock nodes tell the address and not the port. Then the port is taken for our own, which is true behind the many NATs that
/// keep ports (RFC 4787 §4.2.1), and costs a few checks behind others.
struct DHTAddressQuestion: AddressQuestion {
    private let local: Endpoint
    private var request: AddressRequest

    init(of local: Endpoint, to node: Endpoint, configuration: SwiftDHT.Configuration, random: inout RandomSource) {
        self.local = local
        request = AddressRequest(asking: node, configuration: configuration, random: &random)
    }

    var host: Endpoint { request.node }

    var deadline: Instant? { request.deadline }

    mutating func start(at now: Instant) -> [BindingRequest.Effect] { translate(request.start(at: now)) }

    mutating func receive(
        _ datagram: Span<UInt8>, from source: Endpoint, at now: Instant
    ) -> [BindingRequest.Effect] {
        translate(request.receive(datagram, from: source, at: now))
    }

    mutating func advance(to now: Instant) -> [BindingRequest.Effect] { translate(request.advance(to: now)) }

    private func translate(_ effects: [AddressRequest.Effect]) -> [BindingRequest.Effect] {
        effects.map { effect in
            switch effect {
            case .send(let bytes, let node): .send(bytes, to: node)
            case .answered(let address, let port, let roundTrip):
                .answered(mapped: Endpoint(address, port: port ?? local.port), roundTrip: roundTrip)
            case .failed: .failed(.noAnswer)
            case .ignored: .ignored(nil)
            }
        }
    }
}
