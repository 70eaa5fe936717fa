internal import EventLoop
internal import SansIO
internal import SwiftICE

/// Does what a ``RelayRace`` decides: opens legs to TURN servers and carries what passes them.
final class RelayDriver {
    /// What the driver tells its session.
    struct Handlers {
        /// A relay stands.
        var allocated: (TURNClient.Allocation) -> Void
        /// Data of a peer came through the relay.
        var received: ([UInt8], _ peer: Endpoint) -> Void
        /// A peer's address is let through, or not.
        var permitted: (IPAddress, _ isPermitted: Bool) -> Void
        /// The relay that stood at these addresses is gone.
        var lost: ([Endpoint]) -> Void
        /// No server gives a relay, for now.
        var failed: () -> Void
    }

    private enum Leg {
        case datagram(DatagramSocket, server: Endpoint)
        case stream(StreamSocket)
    }

    private let loop: EventLoop
    private let batch: DatagramBatch
    private let handlers: Handlers
    private var race: RelayRace
    private var resolver: Resolver?
    private var legs: [RelayRace.LegID: Leg] = [:]
    private var waiting: [RelayRace.Effect] = []
    private var isPerforming = false
    private var isClosing = false
    /// The addresses of the relay in use; the race knows them no more when it is lost.
    private(set) var relayed: [Endpoint] = []
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        guard let self else { return }
        perform(race.advance(to: loop.now))
    }

    /// Whether a relay stands, or none can be had.
    private(set) var isSettled = false

    init(servers: [TURNServer], on loop: EventLoop, batch: DatagramBatch, handlers: Handlers) {
        self.loop = loop
        self.batch = batch
        self.handlers = handlers
        var request = TURNClient.Request()
        // A peer may have one family only, whatever ours are (RFC 8656 §7.1).
        request.families = .both
        race = RelayRace(servers: servers, request: request, random: .system)
    }

    func start() { perform(race.start(at: loop.now)) }

    /// Lets a peer's address through.
    func permit(_ address: IPAddress) { perform(race.permit(address, at: loop.now)) }

    /// Has data of a peer travel on a channel from now on.
    func bindChannel(to peer: Endpoint) { relay { $0.bindChannel(to: peer, at: $1) } }

    /// Sends to a permitted peer.
    func send(_ bytes: [UInt8], to peer: Endpoint) { relay { $0.send(bytes, to: peer, at: $1) } }

    /// Gives the relay back; the driver lives until the server knows, or did not answer.
    func close() {
        guard !isClosing else { return }
        isClosing = true
        loop.schedule(at: loop.now.advanced(by: race.configuration.releasePatience + .milliseconds(100))) {
            // The race ends earlier; this only outlives it.
            withExtendedLifetime(self) {}
        }
        perform(race.close(at: loop.now))
    }

    private func relay(_ body: (inout TURNClient, Instant) -> [TURNClient.Effect]) {
        perform(race.relay(body, at: loop.now))
    }

    // MARK: - Effects

    private func perform(_ effects: [RelayRace.Effect]) {
        waiting += effects
        guard !isPerforming else { return }
        isPerforming = true
        var next = 0
        while next < waiting.count {
            perform(waiting[next])
            next += 1
        }
        waiting.removeAll()
        isPerforming = false
        alarm.set(race.deadline)
    }

    private func perform(_ effect: RelayRace.Effect) {
        switch effect {
        case .resolve(let server, let host, _): resolve(host, server)
        case .open(let id, let transport, let endpoint, _): open(id, transport, endpoint)
        case .send(let bytes, let id): send(bytes, on: id)
        case .close(let id): close(id)
        case .selected(_, _, let allocation):
            isSettled = true
            relayed = allocation.relayed
            if !isClosing { handlers.allocated(allocation) }
        case .relay(let effect): perform(effect)
        case .lost:
            let gone = relayed
            relayed = []
            if !isClosing { handlers.lost(gone) }
        case .failed:
            isSettled = true
            if !isClosing { handlers.failed() }
        case .closed:
            resolver?.shutdown()
            resolver = nil
        case .ignored: break
        }
    }

    private func perform(_ effect: TURNClient.Effect) {
        switch effect {
        case .permitted(let address): if !isClosing { handlers.permitted(address, true) }
        case .permissionFailed(let address, _): if !isClosing { handlers.permitted(address, false) }
        case .received(let bytes, let peer): if !isClosing { handlers.received(bytes, peer) }
        default: break
        }
    }

    // MARK: - Legs

    private func resolve(_ host: TURNServer.Host, _ server: Int) {
        guard case .name(let name) = host else { return later { self.race.resolved(server, [], at: $0) } }
        if resolver == nil { resolver = try? Resolver(for: loop) }
        guard let resolver else { return later { self.race.resolved(server, [], at: $0) } }
        let port = race.servers[server].port
        resolver.resolve(name, port: port) { [weak self] result in
            guard let self else { return }
            perform(race.resolved(server, (try? result.get()) ?? [], at: loop.now))
        }
    }

    private func open(_ id: RelayRace.LegID, _ transport: TURNServer.Transport, _ server: Endpoint) {
        let isOpen =
            switch transport {
            case .udp: openDatagram(id, server)
            case .tcp: openStream(id, server)
            case .tls: false
            }
        if !isOpen { later { self.race.closed(id, at: $0) } }
    }

    private func openDatagram(_ id: RelayRace.LegID, _ server: Endpoint) -> Bool {
        guard let socket = try? DatagramSocket(bindingTo: Endpoint(.unspecified(server.address.family), port: 0)),
            (try? socket.receive(
                on: loop, into: batch,
                { [weak self] bytes, source in
                    guard let self, source == server else { return }
                    perform(race.receive(bytes, on: id, at: loop.now))
                })) != nil
        else { return false }
        legs[id] = .datagram(socket, server: server)
        later { self.race.opened(id, at: $0) }
        return true
    }

    private func openStream(_ id: RelayRace.LegID, _ server: Endpoint) -> Bool {
        guard let stream = try? StreamSocket(connectingTo: server, on: loop) else { return false }
        let ended: () -> Void = { [weak self] in
            guard let self, legs[id] != nil else { return }
            perform(race.closed(id, at: loop.now))
        }
        let started: Void? = try? stream.start(
            StreamSocket.Handlers(
                connected: { [weak self] in
                    guard let self else { return }
                    perform(race.opened(id, at: loop.now))
                },
                received: { [weak self] bytes in
                    guard let self else { return }
                    perform(race.receive(bytes, on: id, at: loop.now))
                },
                ended: ended, closed: { _ in ended() }))
        guard started != nil else { return false }
        legs[id] = .stream(stream)
        return true
    }

    private func send(_ bytes: [UInt8], on id: RelayRace.LegID) {
        switch legs[id] {
        case .datagram(let socket, let server):
            do throws(Errno) {
                try socket.send(bytes, to: server)
            } catch .networkUnreachable, .hostUnreachable {
                // There is no way to the server's family; anything else may be better next time.
                later { self.race.closed(id, at: $0) }
            } catch {}
        case .stream(let stream):
            // A server that reads so slowly is as good as gone.
            if (try? stream.write(bytes)) == nil { later { self.race.closed(id, at: $0) } }
        case nil: break
        }
    }

    private func close(_ id: RelayRace.LegID) {
        switch legs.removeValue(forKey: id) {
        case .datagram(let socket, _): socket.close()
        case .stream(let stream): stream.close()
        case nil: break
        }
    }

    /// Tells the race something after the effects that are being carried out.
    private func later(_ tell: @escaping (Instant) -> [RelayRace.Effect]) {
        loop.schedule(at: loop.now) { [self] in perform(tell(loop.now)) }
    }
}
