internal import EventLoop
internal import SansIO
internal import SwiftICE

/// What stands between a session and the rest of the world: relays and gateways.
extension ICESession {
    /// Asks TURN servers for a relay of each component.
    func startRelays() {
        guard configuration.usesUDP, !configuration.turnServers.isEmpty else { return }
        for component in 1...agent.components {
            let relay = RelayDriver(
                servers: configuration.turnServers, trusting: configuration.turnTrust, on: loop, batch: batch,
                handlers: RelayDriver.Handlers(
                    allocated: { [unowned self] in allocated($0.relayed, component) },
                    received: { [unowned self] bytes, peer in relayed(bytes, from: peer, component) },
                    permitted: { [unowned self] in permitted($0, $1, component) },
                    lost: { [unowned self] in lostRelay($0, component) },
                    failed: { [unowned self] in finishGatheringIfDone() },
                    distrusted: { [unowned self] _ in counters.distrustedServers += 1 }))
            relays.append(relay)
            relay.start()
        }
    }

    private func allocated(_ relayed: [Endpoint], _ component: Int) {
        for endpoint in relayed {
            let base = ICEAgent.Base(component: component, endpoint: endpoint, transport: .udp, kind: .relayed)
            addLate(endpoint) { $0.addBase(base, at: $1) }
        }
        finishGatheringIfDone()
        setAlarm()
    }

    /// The relay a base belongs to.
    func relay(at base: Endpoint) -> RelayDriver? { relays.first { $0.relayed.contains(base) } }

    /// Has a relay let an address through, and tells the agent what became of it.
    func permit(_ address: IPAddress, on base: Endpoint) {
        guard let relay = relay(at: base) else {
            return perform(agent.permissionFailed(address, on: base, at: loop.now))
        }
        relay.permit(address)
    }

    private func permitted(_ address: IPAddress, _ isPermitted: Bool, _ component: Int) {
        let relayed = relays[component - 1].relayed.first { $0.address.family == address.family }
        guard let relayed else { return }
        perform(
            isPermitted
                ? agent.permitted(address, on: relayed, at: loop.now)
                : agent.permissionFailed(address, on: relayed, at: loop.now))
    }

    /// The relay is gone, and with it the paths over it.
    private func lostRelay(_ relayed: [Endpoint], _ component: Int) {
        for endpoint in relayed {
            let base = ICEAgent.Base(component: component, endpoint: endpoint, transport: .udp, kind: .relayed)
            perform(agent.removeBase(base, at: loop.now))
        }
    }

    private func relayed(_ bytes: [UInt8], from peer: Endpoint, _ component: Int) {
        guard let base = relays[component - 1].relayed.first(where: { $0.address.family == peer.address.family }) else {
            return
        }
        if ICEAgent.isSTUN(bytes.span) {
            perform(agent.receive(bytes.span, on: base, from: peer, at: loop.now))
        } else if agent.isPeer(peer) {
            deliver(bytes.span, component)
        } else {
            strangerSpoke()
        }
    }

    /// Asks the gateways of our addresses to map the ports of our sockets.
    func startMappings() {
        guard configuration.mapsPorts else { return }
        let routes = DefaultRoute.readAll()
        let interfaces = (try? Interfaces.addresses()) ?? []
        let bases = gathering.bases
        for address in interfaces where address.endpoint.address.family == .v4 {
            let own = bases.filter { $0.endpoint.address == address.endpoint.address }
            guard !own.isEmpty, let route = routes.first(where: { $0.interface == address.interface }),
                let driver = MappingDriver(
                    from: address.endpoint, gateway: route.gateway, on: loop, batch: batch,
                    mapped: { [unowned self] in mapped($0, at: address.endpoint.address) })
            else { continue }
            mappings.append(driver)
            driver.start(
                own.map { base -> (PortMapping.Transport, UInt16) in
                    (base.transport == .udp ? .udp : .tcp, base.endpoint.port)
                })
        }
    }

    /// A gateway that is itself translated leads nowhere, and a STUN server tells the rest.
    private func mapped(_ mapping: PortMapping, at address: IPAddress) {
        let base = gathering.bases.first {
            $0.endpoint.address == address && $0.endpoint.port == mapping.internalPort
                && ($0.transport == .udp) == (mapping.transport == .udp)
        }
        if let base, !mapping.isBehindAnotherNAT { learn(mapping.external, of: base) }
        finishGatheringIfDone()
    }

    func closeHelpers() {
        for relay in relays { relay.close() }
        for mapping in mappings { mapping.close() }
        (relays, mappings) = ([], [])
    }
}
