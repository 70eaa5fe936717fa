internal import SansIO
internal import SecureChannel
internal import SwiftICE
internal import Swiftlet

/// The sockets of one ICE session.
struct SessionPorts {
    let components: [Int]
    /// Sockets and listeners, in the order they were opened.
    var bases: [ICEAgent.Base] = []
    var streams: [ICEAgent.ConnectionID: ByteStream] = [:]
    /// Connections in the order they were made, for everything whose order shows.
    var order: [ICEAgent.ConnectionID] = []

    init(components: [Int]) { self.components = components }

    mutating func remove(_ connection: ICEAgent.ConnectionID) -> ByteStream? {
        order.removeAll { $0 == connection }
        return streams.removeValue(forKey: connection)
    }
}

extension NodeHost {
    // MARK: - Opening and closing

    func gather(_ session: SessionID, components: [Int]) {
        if case .media(let call, _) = session, hasEnded(call) {
            world.violate("\(name): sockets wanted for call \(call.rawValue) after its end")
        }
        sessions[session] = SessionPorts(components: components)
        openBases(for: session)
        let findings = (sessions[session]?.bases ?? []).map { ICEAgent.Finding.base($0) }
        input { $0.gathered(findings, for: session, at: $1) }
    }

    /// Opens the sockets of a session at the addresses there are now.
    private func openBases(for session: SessionID) {
        let transport: ICEAgent.Base.Transport = session.transport == .tcp ? .tcp : .udp
        for address in addresses {
            for component in sessions[session]?.components ?? [] {
                guard let endpoint = open(Endpoint(address, port: 0), for: session) else { continue }
                sessions[session]?.bases.append(
                    ICEAgent.Base(component: component, endpoint: endpoint, transport: transport))
            }
        }
    }

    private func open(_ address: Endpoint, for session: SessionID) -> Endpoint? {
        switch session.transport {
        case .udp:
            var base = address
            let bound = world.bind(address) { [weak self] bytes, source in
                self?.received(bytes, for: session, on: base, from: source)
            }
            base = bound ?? address
            return bound
        case .tcp: return world.listen(address) { [weak self] stream in self?.accept(stream, for: session) }
        }
    }

    func close(_ base: ICEAgent.Base) {
        if base.transport == .udp { world.unbind(base.endpoint) } else { world.stopListening(base.endpoint) }
    }

    /// Moves a session to the addresses there are now: as with a real machine, what has come is told before what is gone.
    func follow(_ session: SessionID) {
        guard let ports = sessions[session] else { return }
        for connection in ports.order { ports.streams[connection]?.vanish() }
        openBases(for: session)
        for base in sessions[session]?.bases.dropFirst(ports.bases.count) ?? [] {
            input { $0.found(.base(base), for: session, at: $1) }
        }
        for base in ports.bases {
            sessions[session]?.bases.removeAll { $0 == base }
            close(base)
            input { $0.found(.gone(base), for: session, at: $1) }
        }
    }

    func release(_ session: SessionID) {
        guard let ports = sessions.removeValue(forKey: session) else {
            return world.violate("\(name): \(session) released twice or never gathered")
        }
        for base in ports.bases { close(base) }
        for connection in ports.order { ports.streams[connection]?.close() }
    }

    // MARK: - Datagrams

    /// Media goes straight to its session; everything else is the core's.
    private func received(_ bytes: [UInt8], for session: SessionID, on base: Endpoint, from source: Endpoint) {
        if case .media(let call, _) = session, !ICEAgent.isSTUN(bytes.span) {
            audio[call]?.receive(bytes)
        } else {
            input { $0.receive(bytes, for: session, on: base, from: source, at: $1) }
        }
    }

    // MARK: - Connections

    func perform(_ action: NetworkAction, of session: SessionID) {
        guard let ports = sessions[session] else {
            return world.violate("\(name): \(action) on sockets of \(session) that are released")
        }
        switch action {
        case .send(let bytes, let base, let peer):
            let isOwn = ports.bases.contains { $0.endpoint == base }
            if !isOwn { world.violate("\(name): sends from \(base), not its own") }
            world.send(bytes, from: base, to: peer)
        case .connect(let connection, let base, let peer): connect(connection, of: session, from: base, to: peer)
        case .write(let bytes, let connection): ports.streams[connection]?.write(bytes)
        case .disconnect(let connection): sessions[session]?.remove(connection)?.close()
        case .permit(_, let base), .prefer(let base, _): world.violate("\(name): \(base) is no relay")
        }
    }

    private func accept(_ stream: ByteStream, for session: SessionID) {
        let connection = core.accept(for: session, on: stream.local, from: stream.remote, at: world.now)
        guard let connection else {
            stream.close()
            return world.attend(to: id)
        }
        keep(stream, as: connection, of: session)
        world.attend(to: id)
    }

    private func connect(
        _ connection: ICEAgent.ConnectionID, of session: SessionID, from base: Endpoint, to peer: Endpoint
    ) {
        guard let stream = world.connect(from: base, to: peer) else {
            return world.schedule(after: .zero) { [weak self] in
                self?.input { $0.disconnected(connection, for: session, at: $1) }
            }
        }
        keep(stream, as: connection, of: session)
    }

    private func keep(_ stream: ByteStream, as connection: ICEAgent.ConnectionID, of session: SessionID) {
        sessions[session]?.streams[connection] = stream
        sessions[session]?.order.append(connection)
        stream.start(
            ByteStream.Handlers(
                connected: { [weak self, unowned stream] in
                    self?.input { $0.connected(connection, for: session, local: stream.local, at: $1) }
                },
                received: { [weak self] bytes in
                    self?.input { $0.receive(bytes, for: session, on: connection, at: $1) }
                },
                ended: { [weak self] in
                    _ = self?.sessions[session]?.remove(connection)
                    self?.input { $0.disconnected(connection, for: session, at: $1) }
                }))
    }

    // MARK: - TLS and DTLS

    func secure(
        _ link: LinkID, as role: ControlLink.SecureRole, over transport: SessionTransport,
        expecting peer: PeerExpectation
    ) {
        let session: any SecureTransport
        switch transport {
        case .udp:
            session = ClearTransport(isClient: role == .client, chain: credentials.chain, expecting: peer)
        case .tcp:
            do throws(SecureChannelError) {
                session = try SecureSession(
                    role: role == .client ? .client : .server, transport: .stream, credentials: credentials,
                    expecting: peer, trust: trust, clock: world.clock)
            } catch { return input { $0.secureOutput([.failed(error)], for: link, at: $1) } }
        }
        let channel = LinkChannel(session, in: world) { [weak self] in
            self?.drawWorkTime() ?? .zero
        } output: { [weak self] effects in
            self?.input { $0.secureOutput(effects, for: link, at: $1) }
        }
        channels[link] = channel
        channel.start()
    }

    func closeChannel(_ link: LinkID) {
        let farewell = channels.removeValue(forKey: link)?.close() ?? [.closed]
        input { $0.secureOutput(farewell, for: link, at: $1) }
    }

    // MARK: - Media

    func startAudio(_ plan: MediaPlan, of call: CallID) {
        if let running = audio[call] {
            if !running.move(to: plan) { world.violate("\(name): call \(call.rawValue) cannot move") }
            return
        }
        let plane = try? CallAudio(
            plan, in: world,
            send: { [weak self] bytes, path, session in
                guard let self, sessions[.media(call, session)] != nil else { return }
                world.send(bytes, from: path.local, to: path.remote)
            },
            heard: { [weak self] in self?.tell(.call(call, .firstAudio)) })
        guard let plane else { return world.violate("\(name): no media for call \(call.rawValue)") }
        audio[call] = plane
        plane.start()
    }

    func stopAudio(of call: CallID) {
        guard let plane = audio.removeValue(forKey: call) else { return }
        plane.stop()
        sound[call] = Sound(statistics: plane.statistics, loudest: plane.loudest)
        tell(.call(call, .statistics(plane.statistics)))
    }
}
