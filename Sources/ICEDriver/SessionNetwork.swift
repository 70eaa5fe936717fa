package import EventLoop
package import SansIO
package import SwiftICE

/// Everything between one ICE session and the world: an ``Outlet`` for each component, and the patience with which it is
/// waited for what they learn. Lives on the loop's thread.
package final class SessionNetwork {
    /// What the network tells its owner; nothing after ``close()``.
    package struct Handlers {
        /// Something became known, before or after `gathered`.
        package var found: (ICEAgent.Finding) -> Void
        /// Everything is known, or took too long.
        package var gathered: () -> Void
        /// What sockets and relays hear.
        package var sockets: SessionSockets.Handlers

        /// Names the handlers.
        package init(
            found: @escaping (ICEAgent.Finding) -> Void, gathered: @escaping () -> Void,
            sockets: SessionSockets.Handlers
        ) {
            self.found = found
            self.gathered = gathered
            self.sockets = sockets
        }
    }

    private enum Phase {
        case idle
        case gathering(since: Instant)
        case gathered
        case closed
    }

    private let surroundings: Surroundings
    private let components: [Int]
    private let transports: [ICEAgent.Base.Transport]
    private let handlers: Handlers
    private var phase = Phase.idle
    private var outlets: [(component: Int, outlet: Outlet)] = []
    /// Which outlet each base belongs to, as every datagram sent asks.
    private var places: [Endpoint: Int] = [:]
    private lazy var alarm = Alarm(on: surroundings.loop) { [weak self] in self?.finishIfDone() }

    /// Prepares the network of a session with these components.
    package init(
        components: [Int], transports: [ICEAgent.Base.Transport], in surroundings: Surroundings, handlers: Handlers
    ) {
        self.components = components
        self.transports = transports
        self.surroundings = surroundings
        self.handlers = handlers
    }

    // MARK: - Gathering

    /// Whether ``gather()`` was called.
    var hasBegun: Bool { if case .idle = phase { false } else { true } }

    /// Whether `gathered` was told.
    var hasGathered: Bool { if case .gathered = phase { true } else { false } }

    /// Opens the sockets, or takes those that are ready, and looks for the addresses they are seen at; legal once.
    package func gather() {
        guard case .idle = phase else { return }
        phase = .gathering(since: surroundings.loop.now)
        for component in components {
            for transport in transports { outlets.append((component, surroundings.takeOutlet(transport))) }
        }
        // Nothing may be told as gathered before everything that is known by now is told.
        for place in outlets.indices { outlets[place].outlet.serve(owner(at: place)) }
        finishIfDone()
    }

    private func owner(at place: Int) -> Outlet.Owner {
        Outlet.Owner(
            found: { [weak self] finding in
                guard let self, !isClosed else { return }
                note(finding, at: place)
                handlers.found(finding.of(outlets[place].component))
            },
            progressed: { [weak self] in self?.finishIfDone() },
            sockets: handlers.sockets)
    }

    private func note(_ finding: ICEAgent.Finding, at place: Int) {
        switch finding {
        case .base(let base): places[base.endpoint] = places[base.endpoint] ?? place
        case .gone(let base): if places[base.endpoint] == place { places[base.endpoint] = nil }
        case .mapped, .seen, .seenFromPort, .permitted, .refused: break
        }
    }

    private var isClosed: Bool { if case .closed = phase { true } else { false } }

    private func finishIfDone() {
        guard case .gathering(let start) = phase else { return }
        let now = surroundings.loop.now
        var deadlines = outlets.compactMap { $0.outlet.gatewayDeadline(since: start) }
        if outlets.contains(where: { $0.outlet.awaitsServers }) { deadlines.append(start.advanced(by: patience)) }
        deadlines.removeAll { $0 <= now }
        guard deadlines.isEmpty else { return alarm.set(deadlines.min()) }
        phase = .gathered
        alarm.set(nil)
        handlers.gathered()
    }

    /// How long to wait for servers: less once there is a relay, through which every peer can be reached, and less once
    /// every socket knows one of its addresses where no relay is to come.
    private var patience: Duration {
        let configuration = surroundings.configuration
        let outlets = outlets.map(\.outlet)
        if outlets.contains(where: \.hasRelay) { return configuration.patienceWithRelay }
        let awaitsRelay = outlets.contains { $0.relay.map { !$0.isSettled } ?? false }
        guard !awaitsRelay, outlets.allSatisfy(\.knowsAddresses) else { return configuration.gatheringPatience }
        return configuration.patienceWithAddress
    }

    // MARK: - Using

    /// Sends a datagram from a base: a socket, or a relay.
    package func send(_ bytes: [UInt8], from base: Endpoint, to peer: Endpoint) {
        outlet(at: base)?.send(bytes, from: base, to: peer)
    }

    /// The socket bound to `base`, for those who send much.
    package func datagramSocket(at base: Endpoint) -> DatagramSocket? {
        outlet(at: base)?.datagramSocket(at: base)
    }

    /// Has the relay behind a base let an address through; the answer is a finding.
    package func permit(_ address: IPAddress, on base: Endpoint) {
        guard let outlet = outlet(at: base), outlet.relays(base) else {
            return handlers.found(.refused(address, on: base))
        }
        outlet.relay?.permit(address)
    }

    /// Opens further UDP sockets at the address of a base, as many as can be had; nobody is asked about them.
    func openSockets(_ count: Int, beside base: Endpoint) -> [Endpoint] {
        guard let place = places[base] else { return [] }
        let opened = outlets[place].outlet.openSockets(count, beside: base)
        for socket in opened { places[socket] = place }
        return opened
    }

    /// Closes such sockets.
    func closeSockets(_ sockets: [Endpoint]) {
        for (_, outlet) in outlets { outlet.closeSockets(sockets) }
        for socket in sockets { places[socket] = nil }
    }

    /// Data will travel on this path: over a relay from now on with four bytes instead of 36 a packet (RFC 8656 §12.4).
    package func prefer(_ base: Endpoint, to peer: Endpoint) {
        guard let outlet = outlet(at: base), outlet.relays(base) else { return }
        outlet.relay?.bindChannel(to: peer)
    }

    /// Opens a connection from the address of `base`.
    package func connect(_ connection: ICEAgent.ConnectionID, from base: Endpoint, to peer: Endpoint) {
        let relaying = outlets.first { $0.outlet.relays(connectionsFrom: base) }
        (relaying ?? outlets.first { $0.outlet.transport == .tcp })?.outlet.connect(connection, from: base, to: peer)
    }

    /// Writes to a connection.
    package func write(_ bytes: [UInt8], on connection: ICEAgent.ConnectionID) {
        for (_, outlet) in outlets { outlet.write(bytes, on: connection) }
    }

    /// Closes a connection.
    package func disconnect(_ connection: ICEAgent.ConnectionID) {
        for (_, outlet) in outlets { outlet.disconnect(connection) }
    }

    /// Closes every socket, and gives relays and mappings back.
    package func close() {
        phase = .closed
        alarm.set(nil)
        for (_, outlet) in outlets { outlet.close() }
        (outlets, places) = ([], [:])
    }

    /// The component a base belongs to.
    func component(of base: Endpoint) -> Int? { places[base].map { outlets[$0].component } }

    private func outlet(at base: Endpoint) -> Outlet? { places[base].map { outlets[$0].outlet } }
}

extension ICEAgent.Finding {
    /// The same of another component.
    fileprivate func of(_ component: Int) -> ICEAgent.Finding {
        func placed(_ base: ICEAgent.Base) -> ICEAgent.Base {
            var base = base
            base.component = component
            return base
        }
        return switch self {
        case .base(let base): .base(placed(base))
        case .mapped(let mapped, let base): .mapped(mapped, base: placed(base))
        case .seen(let address, let base): .seen(address, base: placed(base))
        case .seenFromPort(let mapped, let base): .seenFromPort(mapped, base: placed(base))
        case .gone(let base): .gone(placed(base))
        case .permitted, .refused: self
        }
    }
}
