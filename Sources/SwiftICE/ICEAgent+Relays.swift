public import SansIO

/// An address that a relay is asked to let through, or lets through.
struct RelayPermission: Hashable, Sendable {
    enum State: Hashable, Sendable {
        case asked
        case granted
        case refused
    }

    let base: Endpoint
    let address: IPAddress
    var state: State
}

extension ICEAgent {
    /// Reports that the relay behind a base lets an address through; its pairs may be checked now.
    public mutating func permitted(_ address: IPAddress, on base: Endpoint, at now: Instant) -> [Effect] {
        guard let index = permission(address, on: base) else { return [.ignored(.unknownBase)] }
        permissions[index].state = .granted
        checkList.updateAll { pair in
            if pair.local.endpoint == base, pair.remote.endpoint.address == address { pair.isPermitted = true }
        }
        checkList.unfreeze()
        return pace(at: now)
    }

    /// Reports that the relay behind a base does not let an address through, or no longer: its pairs fail, and no
    /// others.
    public mutating func permissionFailed(_ address: IPAddress, on base: Endpoint, at now: Instant) -> [Effect] {
        guard let index = permission(address, on: base) else { return [.ignored(.unknownBase)] }
        permissions[index].state = .refused
        let pairs = checkList.pairs.filter { $0.local.endpoint == base && $0.remote.endpoint.address == address }
        var effects: [Effect] = []
        for pair in pairs where pair.state != .failed { effects += pairFailed(pair.id, at: now) }
        return effects
    }

    private func permission(_ address: IPAddress, on base: Endpoint) -> Int? {
        permissions.firstIndex { $0.base == base && $0.address == address }
    }

    /// Asks every relayed base to let every remote candidate of its component and family through, each address once, as
    /// soon as it is known: what is sent before the relay agrees is lost (RFC 8656 §9).
    mutating func askForPermissions() -> [Effect] {
        var effects: [Effect] = []
        for base in bases where base.kind == .relayed {
            for remote in remotes where remote.component == base.component {
                let address = remote.endpoint.address
                guard address.family == base.endpoint.address.family,
                    permission(address, on: base.endpoint) == nil
                else { continue }
                guard permissions.count < configuration.permissionLimit else { return effects + [.ignored(.overLimit)] }
                permissions.append(RelayPermission(base: base.endpoint, address: address, state: .asked))
                effects.append(.permit(address, on: base.endpoint))
            }
        }
        return effects
    }

    /// Notes that something came through a relay, which therefore lets its sender through.
    mutating func cameThrough(_ base: Endpoint, from address: IPAddress) {
        if let index = permission(address, on: base) {
            permissions[index].state = .granted
        } else if permissions.count < configuration.permissionLimit {
            permissions.append(RelayPermission(base: base, address: address, state: .granted))
        }
    }

    /// Whether checks from a base to an address may leave: always, but over relays that have not agreed.
    func isPermitted(_ local: Candidate, to address: IPAddress) -> Bool {
        guard local.kind == .relayed, !local.transport.isTCP else { return true }
        return permissions.contains { $0.base == local.endpoint && $0.address == address && $0.state == .granted }
    }
}
