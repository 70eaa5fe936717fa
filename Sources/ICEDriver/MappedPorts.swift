internal import SansIO
internal import SwiftICE

/// The ports that gateways map to the sockets of an outlet, or open in their firewalls for them. Lives on the loop's thread.
final class MappedPorts {
    private let transport: PortMapping.Transport
    private let surroundings: Surroundings
    /// Is told where a gateway makes a socket reachable.
    private let mapped: (_ external: Endpoint, _ base: Endpoint) -> Void
    /// Is told when a gateway has answered.
    private let progressed: () -> Void
    private var mappings: [(base: Endpoint, driver: MappingDriver, id: PortMapper.MappingID)] = []
    /// Who is still to answer, once for each mapping.
    private var awaited: [MappingDriver] = []
    private var isClosed = false

    init(
        _ transport: PortMapping.Transport, in surroundings: Surroundings,
        mapped: @escaping (_ external: Endpoint, _ base: Endpoint) -> Void, progressed: @escaping () -> Void
    ) {
        self.transport = transport
        self.surroundings = surroundings
        self.mapped = mapped
        self.progressed = progressed
    }

    /// Until when a session that began at `start` waits for gateways; `nil` when all have answered.
    func deadline(since start: Instant) -> Instant? {
        awaited.filter(surroundings.mayNeed)
            .map { $0.deadline(since: start, patience: surroundings.configuration.mappingPatience) }.max()
    }

    /// Has the gateway of a socket's address map a port to it. One that is itself translated leads nowhere, and others tell
    /// the rest.
    func map(_ base: Endpoint) {
        guard let driver = surroundings.gateway(of: base.address), surroundings.mayNeed(driver) else { return }
        // A hole in a firewall changes no address, so nobody waits for it.
        if base.address.family == .v4 { awaited.append(driver) }
        var isOpen = true
        let id = driver.map(transport, port: base.port) { [weak self] mapping in
            guard let self, !isClosed else { return }
            if isOpen, let index = awaited.firstIndex(where: { $0 === driver }) { awaited.remove(at: index) }
            isOpen = false
            if let mapping, !mapping.isBehindAnotherNAT, mapping.external.address != base.address {
                mapped(mapping.external, base)
            }
            progressed()
        }
        mappings.append((base, driver, id))
    }

    /// Has ports mapped to sockets by the gateways there are now; returns the sockets whose earlier mappings count no more.
    func renew(for bases: [Endpoint]) -> [Endpoint] {
        let void = mappings.filter { mapping in
            !bases.contains(mapping.base) || surroundings.gateway(of: mapping.base.address) !== mapping.driver
        }
        for mapping in void { mapping.driver.unmap(mapping.id) }
        mappings.removeAll { mapping in void.contains { $0.id == mapping.id && $0.driver === mapping.driver } }
        awaited.removeAll { driver in !mappings.contains { $0.driver === driver } }
        for base in bases where !mappings.contains(where: { $0.base == base }) { map(base) }
        return void.map(\.base)
    }

    /// Gives every mapping back.
    func close() {
        isClosed = true
        for mapping in mappings { mapping.driver.unmap(mapping.id) }
        mappings = []
    }
}
