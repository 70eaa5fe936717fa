package import EventLoop
package import SansIO
package import SecureChannel
package import SwiftICE

/// What the sessions of one node share: whom they ask for their addresses, the gateways, and outlets that are ready for the
/// next session, so that gathering for a call takes no time. Lives on the loop's thread.
package final class Surroundings {
    private typealias WayOut = (local: Endpoint, gateway: Endpoint)

    let loop: EventLoop
    let batch: DatagramBatch
    /// What new sessions use; servers may become known later.
    package var configuration: ICESession.Configuration
    /// Is told of TURN servers whose certificate did not hold, or that TLS failed on in another way.
    package var distrusted: (SecureChannelError) -> Void = { _ in }
    /// The local addresses to use, best first; their ports are ignored.
    let addresses: () -> [Endpoint]
    /// Questions about a socket to others than the STUN servers.
    private let furtherQuestions: (_ base: Endpoint) -> [any AddressQuestion]
    /// Whether others see a local address as it is, so that no gateway translates it.
    private let isUntranslated: (IPAddress) -> Bool
    /// How many outlets of each transport are kept ready for the next sessions.
    private let reserve: [(transport: ICEAgent.Base.Transport, count: Int)]
    private var ready: [Outlet] = []
    /// What sessions have.
    private var taken: [Taken] = []
    private var gateways: [IPAddress: MappingDriver] = [:]
    /// What the kernel said of ways out when a gateway was last looked for.
    private var ways: (out: [WayOut], readAt: Instant)?
    private var random = RandomSource.system
    private struct Taken {
        weak var outlet: Outlet?
    }

    /// Until when outlets are kept ready.
    private var readyUntil: Instant?
    private var isClosed = false
    private lazy var alarm = Alarm(on: loop) { [weak self] in self?.tend() }

    /// The time between two rounds of questions of an outlet that waits: shorter than any NAT forgets (RFC 4787 §4.3 allows
    /// two minutes, and many take thirty seconds).
    let upkeepInterval = Duration.seconds(20)
    /// How long what the kernel said of ways out is taken for true: for as long as a session opens its sockets.
    private static let waysLifetime = Duration.seconds(1)
    /// How long after the last session outlets are kept ready.
    private static let readyTime = Duration.seconds(600)
    /// How long after a session took its outlets others are made ready: its own beginning comes first.
    private static let refillDelay = Duration.seconds(1)

    /// - Parameters:
    ///   - reserve: how many outlets of each transport are to be kept ready while ``keepReady()`` was called lately.
    ///   - isUntranslated: whether others see a local address as it is: then nobody waits for a gateway that has not
    ///     answered.
    ///   - questions: what a socket asks others than the STUN servers.
    package init(
        _ configuration: ICESession.Configuration, on loop: EventLoop, batch: DatagramBatch,
        addresses: @escaping () -> [Endpoint], reserve: [(transport: ICEAgent.Base.Transport, count: Int)] = [],
        isUntranslated: @escaping (IPAddress) -> Bool = { _ in false },
        questions: @escaping (_ base: Endpoint) -> [any AddressQuestion] = { _ in [] }
    ) {
        self.configuration = configuration
        self.loop = loop
        self.batch = batch
        self.addresses = addresses
        self.reserve = reserve
        furtherQuestions = questions
        self.isUntranslated = isUntranslated
    }

    // MARK: - Outlets

    /// An outlet for a session: one that is ready, or a new one.
    func takeOutlet(_ transport: ICEAgent.Base.Transport) -> Outlet {
        refillLater()
        taken.removeAll { $0.outlet == nil }
        let outlet = readyOutlet(transport) ?? openOutlet(transport)
        taken.append(Taken(outlet: outlet))
        return outlet
    }

    private func readyOutlet(_ transport: ICEAgent.Base.Transport) -> Outlet? {
        ready.firstIndex { $0.transport == transport }.map { ready.remove(at: $0) }
    }

    private func openOutlet(_ transport: ICEAgent.Base.Transport) -> Outlet {
        let outlet = Outlet(transport, in: self)
        outlet.open()
        return outlet
    }

    /// Makes outlets ready for the next sessions, and keeps them so for a while. To be called again when there is somebody
    /// new to ask for their addresses: a session that begins at once waits for the answers.
    package func keepReady() {
        if extendReadiness() { tend() }
    }

    private func refillLater() {
        if extendReadiness() { alarm.set(loop.now.advanced(by: Self.refillDelay)) }
    }

    /// Begins the time anew for which outlets are kept ready; `false` where none are.
    private func extendReadiness() -> Bool {
        guard !isClosed, !reserve.isEmpty else { return false }
        readyUntil = loop.now.advanced(by: Self.readyTime)
        return true
    }

    private func tend() {
        guard let readyUntil else { return }
        guard readyUntil > loop.now else { return drain() }
        for outlet in ready { outlet.askIfUnknown() }
        for (transport, count) in reserve {
            while ready.count(where: { $0.transport == transport }) < count {
                let outlet = Outlet(transport, in: self)
                ready.append(outlet)
                outlet.open()
                outlet.keepReady()
            }
        }
        alarm.set(readyUntil)
    }

    private func drain() {
        for outlet in ready { outlet.close() }
        ready = []
    }

    // MARK: - Helpers

    /// What a socket at `base` asks: the STUN servers of its family, and others.
    func questions(about base: Endpoint) -> [any AddressQuestion] {
        let servers = configuration.stunServers.filter { $0.address.family == base.address.family }
        let requests = servers.map { server in
            BindingRequest(server: server, timing: configuration.stunTiming, random: &random)
        }
        return requests + furtherQuestions(base)
    }

    /// What a listener at `base` asks over TCP, from its own port: STUN servers of its family.
    func connectedQuestions(about base: Endpoint) -> [BindingRequest] {
        let servers = configuration.stunServers.filter { $0.address.family == base.address.family }
        let total = configuration.gatheringPatience
        return servers.prefix(Self.connectedServers).map { server in
            let timing = Retransmission(initial: total, attempts: 1, lastWaitFactor: 1)
            return BindingRequest(server: server, timing: timing, random: &random)
        }
    }

    /// How many STUN servers each listener asks: a second one is for the case that the first does not take connections.
    private static let connectedServers = 2

    /// Finds the gateways, so that they are known when a session wants ports mapped.
    package func findGateways() {
        for address in addresses() { _ = gateway(of: address.address) }
    }

    /// Who speaks with the gateway of a local address, if there is one: to map ports of an IPv4 address, or to open its
    /// firewall for an IPv6 address of the Internet.
    func gateway(of address: IPAddress) -> MappingDriver? {
        guard configuration.mapsPorts, !isClosed, Self.mayBeBehindGateway(address) else { return nil }
        if let known = gateways[address] { return known }
        guard let way = waysOut().first(where: { $0.local.address == address }),
            let driver = MappingDriver(from: way.local, gateway: way.gateway, on: loop, batch: batch)
        else { return nil }
        gateways[address] = driver
        return driver
    }

    /// Whether a gateway may be needed: not where others see an IPv4 address as it is, unless it answers anyway. Firewalls of
    /// IPv6 leave addresses as they are.
    func mayNeed(_ gateway: MappingDriver) -> Bool {
        gateway.isAvailable || gateway.address.family == .v6 || !isUntranslated(gateway.address)
    }

    private static func mayBeBehindGateway(_ address: IPAddress) -> Bool {
        switch address.family {
        case .v4: !address.isLoopback && !address.isLinkLocal
        case .v6: address.isGlobal
        }
    }

    /// The next hop of each local address, read once for all the sockets of a session.
    private func waysOut() -> [WayOut] {
        if let ways, ways.readAt.duration(to: loop.now) < Self.waysLifetime { return ways.out }
        let routes = DefaultRoute.readAll()
        let out = ((try? Interfaces.addresses()) ?? []).compactMap { address -> WayOut? in
            let route = routes.first {
                $0.interface == address.interface && $0.gateway.family == address.endpoint.address.family
            }
            return route.map { (address.endpoint, $0.nextHop) }
        }
        ways = (out, loop.now)
        return out
    }

    /// The machine's addresses or networks changed: what is ready counts no more, gateways are left that were left behind,
    /// and running sessions move to the addresses there are now.
    package func networkChanged() {
        guard !isClosed else { return }
        drain()
        leaveGateways()
        for outlet in taken.compactMap(\.outlet) { outlet.followNetwork() }
        guard readyUntil != nil else { return }
        findGateways()
        keepReady()
    }

    /// Parts from the gateways that our addresses do not lead to any more.
    private func leaveGateways() {
        ways = nil
        let out = waysOut()
        for (address, driver) in gateways
        where !out.contains(where: { $0.local.address == address && $0.gateway == driver.gateway }) {
            driver.close()
            gateways[address] = nil
        }
    }

    private func closeGateways() {
        for gateway in gateways.values { gateway.close() }
        (gateways, ways) = ([:], nil)
    }

    /// Gives everything back.
    package func close() {
        isClosed = true
        alarm.set(nil)
        drain()
        closeGateways()
    }
}
