internal import EventLoop
package import SansIO
package import SwiftICE

/// Finds out how the networks before this machine treat it, by asking everybody there is to ask. A diagnosis, never a gate.
///
/// Order of use: create, ``start(told:)``; the result comes once, after ``patience`` at the latest. Loop thread only.
package final class NetworkCheck {
    /// How one family of addresses fares.
    package struct Family: Sendable {
        /// The family.
        package let family: IPAddress.Family
        /// The socket that asked.
        package let local: Endpoint
        /// Where others see it, each teller once, in the order of their answers.
        package fileprivate(set) var views: [(teller: Endpoint, mapped: Endpoint, roundTrip: Duration?)] = []
        /// What a STUN server with two addresses found; `nil` where none was asked.
        package fileprivate(set) var behavior: NATBehavior?
        /// Whether a socket of ours reaches another one by its external address; `nil` without a NAT.
        package fileprivate(set) var hairpins: Bool?
    }

    /// What a TURN server gives.
    package struct Relay: Sendable {
        /// Which of the servers.
        package let server: TURNServer
        /// The relay's addresses; empty where none could be had.
        package let relayed: [Endpoint]
        /// How long it took to get it: some round trips, and looking the name up.
        package let setUp: Duration
        /// The round trip to the server; `nil` where no relay could be had.
        package let roundTrip: Duration?
    }

    /// What was found out.
    package struct Result: Sendable {
        /// IPv4 and IPv6, where the machine has addresses of them.
        package fileprivate(set) var families: [Family] = []
        /// A port that a gateway mapped, to be given back at once.
        package fileprivate(set) var mapping: PortMapping?
        /// A hole in a gateway's firewall for IPv6, to be closed at once.
        package fileprivate(set) var pinhole: PortMapping?
        /// The TURN servers in the order they were given.
        package fileprivate(set) var relays: [Relay] = []
        /// The STUN servers of the machine's families in the order they were given, and how long the quickest answer took;
        /// `nil` where none came.
        package fileprivate(set) var servers: [(endpoint: Endpoint, roundTrip: Duration?)] = []
    }

    /// A discovery with two sockets, for one family of the result.
    private struct Discovery {
        let family: Int
        let sockets: SessionSockets
        let bases: [Endpoint]
        var machine: NATBehaviorDiscovery
    }

    /// How long the check may take.
    package static let patience = Duration.seconds(6)
    /// How long a datagram to ourselves may take through the gateway and back.
    private static let hairpinPatience = Duration.milliseconds(600)
    /// The payload by which a socket knows its neighbour's datagram.
    private static let hairpinMark = Array("swiftlet: is this you?".utf8)

    private let surroundings: Surroundings
    private let loop: EventLoop
    private var sockets: [SessionSockets] = []
    private var questions: [(base: Endpoint, sockets: SessionSockets, asked: any AddressQuestion)] = []
    private var discoveries: [Discovery] = []
    private var relays: [RelayDriver] = []
    private var neighbours: [IPAddress.Family: (local: Endpoint, mapped: Endpoint?, sockets: SessionSockets)] = [:]
    private var mappings: [(driver: MappingDriver, id: PortMapper.MappingID)] = []
    /// What is still waited for beside questions and discoveries.
    private var waits = 0
    private var hasTriedHairpins = false
    private var result = Result()
    private var told: ((Result) -> Void)?
    private lazy var alarm = Alarm(on: loop) { [weak self] in self?.advance() }

    /// Prepares a check that asks whom sessions of these surroundings would ask.
    package init(in surroundings: Surroundings) {
        self.surroundings = surroundings
        loop = surroundings.loop
    }

    /// Asks everybody; legal once.
    package func start(told: @escaping (Result) -> Void) {
        self.told = told
        loop.schedule(at: loop.now.advanced(by: Self.patience)) { [weak self] in self?.finish() }
        for family in IPAddress.Family.allCases { ask(in: family) }
        for family in result.families { askGateway(of: family) }
        for server in surroundings.configuration.turnServers { ask(server) }
        finishIfDone()
    }

    // MARK: - Addresses

    private func ask(in family: IPAddress.Family) {
        let address = surroundings.addresses().first { $0.address.family == family && !$0.address.isLinkLocal }
        guard let address, let (sockets, bases) = open(2, at: address) else { return }
        result.families.append(Family(family: family, local: bases[0]))
        neighbours[family] = (bases[1], nil, sockets)
        for base in bases {
            for question in surroundings.questions(about: base) { questions.append((base, sockets, question)) }
        }
        for index in questions.indices where questions[index].asked.deadline == nil {
            carry(questions[index].asked.start(at: loop.now), index)
        }
        discover(family, at: address)
    }

    /// Opens sockets at an address, all or none.
    private func open(_ count: Int, at address: Endpoint) -> (SessionSockets, [Endpoint])? {
        let sockets = SessionSockets(
            on: loop,
            handlers: SessionSockets.Handlers(
                datagram: { [weak self] bytes, base, source in self?.received(bytes, on: base, from: source) },
                accept: { _, _ in nil }, connected: { _, _ in }, bytes: { _, _ in }, disconnected: { _ in }))
        let bases = (0..<count).compactMap { _ in sockets.openDatagram(at: address, batch: surroundings.batch) }
        guard bases.count == count else {
            sockets.close()
            return nil
        }
        self.sockets.append(sockets)
        return (sockets, bases)
    }

    private func carry(_ effects: [BindingRequest.Effect], _ index: Int) {
        let (base, sockets, host) = (questions[index].base, questions[index].sockets, questions[index].asked.host)
        for effect in effects {
            switch effect {
            case .send(let bytes, let host): sockets.send(bytes, from: base, to: host)
            case .answered(let mapped, let roundTrip): learn(mapped, of: base, from: host, after: roundTrip)
            case .failed, .ignored: break
            }
        }
    }

    private func learn(_ mapped: Endpoint, of base: Endpoint, from teller: Endpoint, after roundTrip: Duration?) {
        let family = base.address.family
        if let index = result.families.firstIndex(where: { $0.local == base }) {
            result.families[index].views.append((teller, mapped, roundTrip))
        } else if case let neighbour? = neighbours[family], neighbour.mapped == nil {
            neighbours[family]?.mapped = mapped
        }
    }

    /// Sends to the neighbour's external address, where that is not its own.
    private func tryHairpins() {
        hasTriedHairpins = true
        for index in result.families.indices {
            let family = result.families[index]
            guard let neighbour = neighbours[family.family], let mapped = neighbour.mapped, mapped != neighbour.local
            else { continue }
            result.families[index].hairpins = false
            for delay in [Duration.zero, Self.hairpinPatience / 3] {
                loop.schedule(at: loop.now.advanced(by: delay)) {
                    neighbour.sockets.send(Self.hairpinMark, from: family.local, to: mapped)
                }
            }
        }
        guard result.families.contains(where: { $0.hairpins != nil }) else { return finishIfDone() }
        waits += 1
        loop.schedule(at: loop.now.advanced(by: Self.hairpinPatience)) { [weak self] in self?.waitEnded() }
    }

    private func received(_ bytes: Span<UInt8>, on base: Endpoint, from source: Endpoint) {
        if [UInt8](bytes) == Self.hairpinMark {
            guard let index = result.families.firstIndex(where: { $0.family == base.address.family }) else { return }
            result.families[index].hairpins = true
            return
        }
        for index in questions.indices where questions[index].base == base && questions[index].asked.host == source {
            let effects = questions[index].asked.receive(bytes, from: source, at: loop.now)
            if case .ignored? = effects.first { continue }
            carry(effects, index)
            return advance()
        }
        for index in discoveries.indices {
            guard let socket = discoveries[index].bases.firstIndex(of: base) else { continue }
            carry(
                discoveries[index].machine.receive(
                    bytes, on: socket == 0 ? .first : .second, from: source, at: loop.now), index)
            return advance()
        }
    }

    // MARK: - Behavior

    private func discover(_ family: IPAddress.Family, at address: Endpoint) {
        let server = surroundings.configuration.stunServers.first { $0.address.family == family }
        guard let server, let (sockets, bases) = open(2, at: address) else { return }
        let machine = NATBehaviorDiscovery(server: server, local: bases[0], random: .system)
        discoveries.append(
            Discovery(family: result.families.count - 1, sockets: sockets, bases: bases, machine: machine))
        let index = discoveries.count - 1
        carry(discoveries[index].machine.start(at: loop.now), index)
    }

    private func carry(_ effects: [NATBehaviorDiscovery.Effect], _ index: Int) {
        let (family, sockets, bases) = (discoveries[index].family, discoveries[index].sockets, discoveries[index].bases)
        for effect in effects {
            switch effect {
            case .send(let bytes, let server, let socket):
                sockets.send(bytes, from: bases[socket == .first ? 0 : 1], to: server)
            case .finished(let behavior): result.families[family].behavior = behavior
            case .failed, .ignored: break
            }
        }
    }

    // MARK: - Gateways and relays

    private func askGateway(of family: Family) {
        guard let driver = surroundings.gateway(of: family.local.address) else { return }
        waits += 1
        var isOpen = true
        let id = driver.map(.udp, port: family.local.port) { [weak self] mapping in
            guard let self, isOpen else { return }
            isOpen = false
            if family.family == .v4 { result.mapping = mapping } else { result.pinhole = mapping }
            waitEnded()
        }
        mappings.append((driver, id))
    }

    private func ask(_ server: TURNServer) {
        let start = loop.now
        waits += 1
        var isOpen = true
        weak var asked: RelayDriver?
        let settled: ([Endpoint]) -> Void = { [weak self] relayed in
            guard let self, isOpen else { return }
            isOpen = false
            result.relays.append(
                Relay(
                    server: server, relayed: relayed, setUp: start.duration(to: loop.now),
                    roundTrip: asked?.roundTrip))
            waitEnded()
        }
        let relay = RelayDriver(
            servers: [server], trusting: surroundings.configuration.turnTrust, on: loop, batch: surroundings.batch,
            handlers: RelayDriver.Handlers(
                allocated: { settled($0.relayed) }, received: { _, _ in }, permitted: { _, _ in }, lost: { _ in },
                failed: { settled([]) }))
        relays.append(relay)
        asked = relay
        relay.start()
    }

    // MARK: - Time and end

    private func waitEnded() {
        waits -= 1
        finishIfDone()
    }

    private func advance() {
        for index in questions.indices { carry(questions[index].asked.advance(to: loop.now), index) }
        for index in discoveries.indices { carry(discoveries[index].machine.advance(to: loop.now), index) }
        finishIfDone()
    }

    private func finishIfDone() {
        guard told != nil else { return }
        let deadlines = questions.compactMap(\.asked.deadline) + discoveries.compactMap(\.machine.deadline)
        alarm.set(deadlines.min())
        guard questions.allSatisfy({ $0.asked.deadline == nil }) else { return }
        if !hasTriedHairpins { return tryHairpins() }
        if deadlines.isEmpty, waits == 0 { finish() }
    }

    private func servers() -> [(endpoint: Endpoint, roundTrip: Duration?)] {
        surroundings.configuration.stunServers.compactMap { server in
            guard let family = result.families.first(where: { $0.family == server.address.family }) else { return nil }
            return (server, family.views.filter { $0.teller == server }.compactMap(\.roundTrip).min())
        }
    }

    private func finish() {
        guard let told else { return }
        self.told = nil
        alarm.set(nil)
        for opened in sockets { opened.close() }
        for relay in relays { relay.close() }
        for mapping in mappings { mapping.driver.unmap(mapping.id) }
        let order = surroundings.configuration.turnServers
        let place = { (relay: Relay) in order.firstIndex(of: relay.server) ?? order.count }
        result.relays.sort { place($0) < place($1) }
        result.servers = servers()
        told(result)
    }
}
