import SansIO
import SwiftICE

// Spans cannot stand inside the macros of the tests; arrays can.

extension STUNClient {
    mutating func receive(_ bytes: [UInt8], at now: Instant) -> [Effect] { receive(bytes.span, at: now) }
}

extension TURNClient {
    mutating func receive(_ bytes: [UInt8], at now: Instant) -> [Effect] { receive(bytes.span, at: now) }

    mutating func receive(_ bytes: [UInt8], on id: ConnectionID, at now: Instant) -> [Effect] {
        receive(bytes.span, on: id, at: now)
    }
}

extension RelayRace {
    mutating func receive(_ bytes: [UInt8], on id: LegID, at now: Instant) -> [Effect] {
        receive(bytes.span, on: id, at: now)
    }
}

extension PortMapper {
    mutating func receive(_ datagram: [UInt8], from source: Endpoint, at now: Instant) -> [Effect] {
        receive(datagram.span, from: source, at: now)
    }

    mutating func receive(_ bytes: [UInt8], on id: ConnectionID, at now: Instant) -> [Effect] {
        receive(bytes.span, on: id, at: now)
    }
}

extension NATBehaviorDiscovery {
    mutating func receive(_ datagram: [UInt8], on socket: Socket, from source: Endpoint, at now: Instant) -> [Effect] {
        receive(datagram.span, on: socket, from: source, at: now)
    }
}
