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
    /// How many outlets of each transport are kept ready for the next sessions.
    private let reserve: [(transport: ICEAgent.Base.Transport, count: Int)]
    private var ready: [Outlet] = []
    private var gateways: [IPAddress: MappingDriver] = [:]
    /// What the kernel said of ways out when a gateway was last looked for.
    private var ways: (out: [WayOut], readAt: Instant)?
    private var random = RandomSource.system
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
    ///   - questions: what a socket asks others than the STUN servers.
    package init(
        _ configuration: ICESession.Configuration, on loop: EventLoop, batch: DatagramBatch,
        addresses: @escaping () -> [Endpoint], reserve: [(transport: ICEAgent.Base.Transport, count: Int)] = [],
        questions: @escaping (_ base: Endpoint) -> [any AddressQuestion] = { _ in [] }
    ) {
        self.configuration = configuration
        self.loop = loop
        self.batch = batch
        self.addresses = addresses
        self.reserve = reserve
        furtherQuestions = questions
    }

    // MARK: - Outlets

    /// An outlet for a session: one that is ready, or a new one.
    func takeOutlet(_ transport: ICEAgent.Base.Transport) -> Outlet {
        keepReady(after: Self.refillDelay)
        if let index = ready.firstIndex(where: { $0.transport == transport }) { return ready.remove(at: index) }
        let outlet = Outlet(transport, in: self)
        outlet.open()
        return outlet
    }

    /// Makes outlets ready for the next sessions, and keeps them so for a while.
    package func keepReady() { keepReady(after: .zero) }

    private func keepReady(after delay: Duration) {
        guard !isClosed, !reserve.isEmpty else { return }
        readyUntil = loop.now.advanced(by: Self.readyTime)
        alarm.set(loop.now.advanced(by: delay))
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

    /// The machine's addresses or networks changed: what is ready, and what gateways said, counts no more.
    package func networkChanged() {
        drain()
        closeGateways()
        guard readyUntil != nil else { return }
        findGateways()
        keepReady()
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
