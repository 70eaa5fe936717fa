internal import EventLoop
internal import SansIO
internal import SecureChannel
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
        /// A connection with a peer stands: one asked for, or one of the peer's.
        var connected: (TURNClient.ConnectionID, _ peer: Endpoint) -> Void = { _, _ in }
        /// Bytes of a peer came on a connection.
        var piped: ([UInt8], TURNClient.ConnectionID) -> Void = { _, _ in }
        /// A connection ended, or there will be none; may be told of one that is known to have ended.
        var disconnected: (TURNClient.ConnectionID) -> Void = { _ in }
        /// A server's certificate did not hold, or TLS failed in another way.
        var distrusted: (SecureChannelError) -> Void = { _ in }
    }

    /// A server as it was reached.
    struct Place {
        let transport: TURNServer.Transport
        let endpoint: Endpoint
        let host: TURNServer.Host
    }

    private enum Leg {
        case datagram(DatagramSocket)
        case stream(ServerStream)
    }

    let loop: EventLoop
    private let batch: DatagramBatch
    let handlers: Handlers
    private var race: RelayRace
    private var resolver: Resolver?
    private var legs: [RelayRace.LegID: (place: Place, leg: Leg)] = [:]
    /// The server of the relay in use.
    private var place: Place?
    /// The address of ours that led there when the relay was taken.
    private var source: IPAddress?
    /// Connections to that server which become ones to peers (RFC 6062).
    var connections: [TURNClient.ConnectionID: ServerStream] = [:]
    private let trust: ServerTrust
    private lazy var authorities = trust == .system ? ServerAuthorities.system : try? ServerAuthorities(trust)
    private var waiting: [RelayRace.Effect] = []
    private var isPerforming = false
    private(set) var isClosing = false
    /// The addresses of the relay in use; the race knows them no more when it is lost.
    private(set) var relayed: [Endpoint] = []
    private lazy var alarm = Alarm(on: loop) { [weak self] in
        guard let self else { return }
        perform(race.advance(to: loop.now))
    }

    /// The round trip to the server of the relay in use.
    var roundTrip: Duration? { race.roundTrip }

    /// Whether a relay stands, or none can be had.
    private(set) var isSettled = false

    /// Prepares a relay at one of the servers, best first.
    ///
    /// - Parameters:
    ///   - transport: how the relay talks to peers. For connections a connection to the server is needed, which servers
    ///     that are told for UDP take at the same port.
    ///   - trust: which servers are talked to under TLS.
    init(
        servers: [TURNServer], relaying transport: TURNClient.Request.RelayedTransport = .udp,
        trusting trust: ServerTrust = .system, on loop: EventLoop, batch: DatagramBatch, handlers: Handlers
    ) {
        self.loop = loop
        self.batch = batch
        self.trust = trust
        self.handlers = handlers
        var request = TURNClient.Request()
        // A peer may have one family only, whatever ours are (RFC 8656 §7.1).
        request.families = .both
        request.transport = transport
        race = RelayRace(
            servers: transport == .udp ? servers : Self.byConnection(servers), request: request, random: .system)
    }

    /// The same servers reached by connections, each way once.
    private static func byConnection(_ servers: [TURNServer]) -> [TURNServer] {
        var found: [TURNServer] = []
        for var server in servers {
            if server.transport == .udp { server.transport = .tcp }
            if !found.contains(server) { found.append(server) }
        }
        return found
    }

    func start() { perform(race.start(at: loop.now)) }

    /// Whether, after a change of the network, there is no relay that could still be spoken with: servers know us by the
    /// address we have had (RFC 8656 §5).
    var isStranded: Bool {
        guard let place, !relayed.isEmpty else { return true }
        return source != (try? Interfaces.source(towards: place.endpoint))
    }

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
        for stream in connections.values { stream.close() }
        connections = [:]
        loop.schedule(at: loop.now.advanced(by: race.configuration.releasePatience + .milliseconds(100))) {
            // The race ends earlier; this only outlives it.
            withExtendedLifetime(self) {}
        }
        perform(race.close(at: loop.now))
    }

    func relay(_ body: (inout TURNClient, Instant) -> [TURNClient.Effect]) {
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
        case .open(let id, let transport, let endpoint, let host):
            open(id, Place(transport: transport, endpoint: endpoint, host: host))
        case .send(let bytes, let id): send(bytes, on: id)
        case .close(let id): close(id)
        case .selected(let id, _, let allocation):
            isSettled = true
            relayed = allocation.relayed
            place = legs[id]?.place
            source = place.flatMap { try? Interfaces.source(towards: $0.endpoint) }
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
        case .open(let id): openConnection(id, to: place)
        case .write(let bytes, let id): write(bytes, on: id)
        case .close(let id), .connectionFailed(let id, _): connectionEnded(id)
        default: if !isClosing { tell(effect) }
        }
    }

    private func tell(_ effect: TURNClient.Effect) {
        switch effect {
        case .permitted(let address): handlers.permitted(address, true)
        case .permissionFailed(let address, _): handlers.permitted(address, false)
        case .received(let bytes, let peer): handlers.received(bytes, peer)
        case .connected(let id, let peer): handlers.connected(id, peer)
        case .piped(let bytes, let id): handlers.piped(bytes, id)
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

    private func open(_ id: RelayRace.LegID, _ place: Place) {
        let isOpen = place.transport == .udp ? openDatagram(id, place) : openStream(id, place)
        if !isOpen { later { self.race.closed(id, at: $0) } }
    }

    private func openDatagram(_ id: RelayRace.LegID, _ place: Place) -> Bool {
        let server = place.endpoint
        guard let socket = try? DatagramSocket(bindingTo: Endpoint(.unspecified(server.address.family), port: 0)),
            (try? socket.receive(
                on: loop, into: batch,
                { [weak self] bytes, source in
                    guard let self, source == server else { return }
                    perform(race.receive(bytes, on: id, at: loop.now))
                })) != nil
        else { return false }
        legs[id] = (place, .datagram(socket))
        later { self.race.opened(id, at: $0) }
        return true
    }

    private func openStream(_ id: RelayRace.LegID, _ place: Place) -> Bool {
        let stream = stream(
            to: place,
            ServerStream.Handlers(
                connected: { [weak self] in
                    guard let self else { return }
                    perform(race.opened(id, at: loop.now))
                },
                received: { [weak self] bytes in
                    guard let self else { return }
                    perform(race.receive(bytes, on: id, at: loop.now))
                },
                ended: { [weak self] error in
                    guard let self else { return }
                    if let error, !isClosing { handlers.distrusted(error) }
                    perform(race.closed(id, at: loop.now))
                }))
        guard let stream else { return false }
        legs[id] = (place, .stream(stream))
        return true
    }

    /// Begins to connect to a server; `nil` where that cannot be.
    func stream(to place: Place, _ handlers: ServerStream.Handlers) -> ServerStream? {
        var session: TLSClientSession?
        if place.transport == .tls {
            do throws(SecureChannelError) {
                guard let authorities else { throw .noAuthority }
                session = try TLSClientSession(with: place.host, trusting: authorities)
            } catch {
                if !isClosing { self.handlers.distrusted(error) }
                return nil
            }
        }
        return try? ServerStream(to: place.endpoint, under: session, on: loop, handlers: handlers)
    }

    private func send(_ bytes: [UInt8], on id: RelayRace.LegID) {
        guard let (place, leg) = legs[id] else { return }
        switch leg {
        case .datagram(let socket):
            do throws(Errno) {
                try socket.send(bytes, to: place.endpoint)
            } catch .networkUnreachable, .hostUnreachable {
                // There is no way to the server's family; anything else may be better next time.
                later { self.race.closed(id, at: $0) }
            } catch {}
        case .stream(let stream):
            if !stream.write(bytes) { later { self.race.closed(id, at: $0) } }
        }
    }

    private func close(_ id: RelayRace.LegID) {
        switch legs.removeValue(forKey: id)?.leg {
        case .datagram(let socket): socket.close()
        case .stream(let stream): stream.close()
        case nil: break
        }
    }

    /// Tells the race something after the effects that are being carried out.
    private func later(_ tell: @escaping (Instant) -> [RelayRace.Effect]) {
        loop.schedule(at: loop.now) { [self] in perform(tell(loop.now)) }
    }
}

extension TLSClientSession {
    /// A session with a server the user named: its certificate must hold that name, whatever address it led to.
    fileprivate convenience init(
        with host: TURNServer.Host, trusting authorities: ServerAuthorities
    ) throws(SecureChannelError) {
        switch host {
        case .address(let address):
            try self.init(with: "\(address)", isAddress: true, trusting: authorities)
        case .name(let name), .domain(let name): try self.init(with: name, isAddress: false, trusting: authorities)
        }
    }
}

extension ServerAuthorities {
    /// The system's, read when they are first needed; `nil` where it has none.
    fileprivate static let system = try? ServerAuthorities(.system)
}
