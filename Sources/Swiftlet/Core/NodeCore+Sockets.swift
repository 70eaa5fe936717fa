package import SansIO
package import SwiftICE

/// What the sockets of sessions did.
extension NodeCore {
    /// The driver opened sockets for a session and found out what it could in short time; nothing where that was not
    /// possible.
    package mutating func gathered(
        _ findings: [ICEAgent.Finding], for session: SessionID, at now: Instant
    ) -> [Effect] {
        switch session {
        case .control(let link, let transport):
            return introduce(
                links[link]?.machine.gathered(findings, for: transport, at: now) ?? [], of: link, at: now)
        case .media(let call, let number):
            return introduce(calls[call]?.gathered(findings, session: number, at: now) ?? [], of: call, at: now)
        }
    }

    /// The driver found out more about the network of a session that is gathered.
    package mutating func found(_ finding: ICEAgent.Finding, for session: SessionID, at now: Instant) -> [Effect] {
        switch session {
        case .control(let link, let transport):
            return introduce(links[link]?.machine.found(finding, for: transport, at: now) ?? [], of: link, at: now)
        case .media(let call, let number):
            return introduce(calls[call]?.found(finding, session: number, at: now) ?? [], of: call, at: now)
        }
    }

    /// Takes a datagram of a session; of media sessions only what is STUN.
    package mutating func receive(
        _ datagram: [UInt8], for session: SessionID, on base: Endpoint, from peer: Endpoint, at now: Instant
    ) -> [Effect] {
        switch session {
        case .control(let link, _):
            let effects = links[link]?.machine.receive(datagram, on: base, from: peer, at: now)
            return introduce(effects ?? [], of: link, at: now)
        case .media(let call, let number):
            let effects = calls[call]?.receive(datagram, session: number, on: base, from: peer, at: now)
            return introduce(effects ?? [], of: call, at: now)
        }
    }

    /// Takes a connection accepted for a session; `nil` when it is not wanted.
    package mutating func accept(
        for session: SessionID, on base: Endpoint, from peer: Endpoint, at now: Instant
    ) -> ICEAgent.ConnectionID? {
        guard case .control(let link, .tcp) = session else { return nil }
        return links[link]?.machine.accept(on: base, from: peer, at: now)
    }

    package mutating func connected(
        _ connection: ICEAgent.ConnectionID, for session: SessionID, local: Endpoint, at now: Instant
    ) -> [Effect] {
        guard case .control(let link, .tcp) = session else { return [] }
        return introduce(
            links[link]?.machine.connected(connection, local: local, at: now) ?? [], of: link, at: now)
    }

    package mutating func disconnected(
        _ connection: ICEAgent.ConnectionID, for session: SessionID, at now: Instant
    ) -> [Effect] {
        guard case .control(let link, .tcp) = session else { return [] }
        return introduce(links[link]?.machine.disconnected(connection, at: now) ?? [], of: link, at: now)
    }

    package mutating func receive(
        _ bytes: [UInt8], for session: SessionID, on connection: ICEAgent.ConnectionID, at now: Instant
    ) -> [Effect] {
        guard case .control(let link, .tcp) = session else { return [] }
        return introduce(links[link]?.machine.receive(bytes, on: connection, at: now) ?? [], of: link, at: now)
    }
}
