public import SansIO

extension ICEAgent {
    /// What gathering found out about the way between a session and the world.
    public enum Finding: Hashable, Sendable {
        /// A socket is bound, or a relay stands.
        case base(Base)
        /// Others see a base at this address.
        case mapped(Endpoint, base: Base)
        /// Others see the connections of a base come from this address, whatever their ports.
        case seen(IPAddress, base: Base)
        /// Connections that leave from the port of a TCP base itself are seen at this address (RFC 6544 §5.2).
        case seenFromPort(Endpoint, base: Base)
        /// A base is gone, and the paths from it.
        case gone(Base)
        /// The relay behind a base lets an address through.
        case permitted(IPAddress, on: Endpoint)
        /// The relay behind a base does not let an address through.
        case refused(IPAddress, on: Endpoint)
    }

    /// Takes up what was found; see the methods for each.
    public mutating func take(_ finding: Finding, at now: Instant) -> [Effect] {
        switch finding {
        case .base(let base): addBase(base, at: now)
        case .mapped(let mapped, let base): addMapped(mapped, base: base, at: now)
        case .seen(let address, let base):
            addMapped(Endpoint(address, port: Candidate.discardPort), base: base, tcp: .active, at: now)
        case .seenFromPort(let mapped, let base): addSeen(mapped, base: base, at: now)
        case .gone(let base): removeBase(base, at: now)
        case .permitted(let address, let base): permitted(address, on: base, at: now)
        case .refused(let address, let base): permissionFailed(address, on: base, at: now)
        }
    }

    /// A NAT that lets everybody in leads connections there to the listener, every other one those only that cross ours.
    private mutating func addSeen(_ mapped: Endpoint, base: Base, at now: Instant) -> [Effect] {
        let passive = addMapped(mapped, base: base, at: now)
        guard configuration.opensSimultaneously else { return passive }
        return passive + addMapped(mapped, base: base, tcp: .simultaneousOpen, at: now)
    }
}
