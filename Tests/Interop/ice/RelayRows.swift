import EventLoop
import SansIO
import SwiftICE

/// What is tried with a TURN server. Each row throws what did not happen.
struct RelayRows {
    let loop: EventLoop
    let server: Endpoint
    let leg: STUNClient.Leg
    /// Our addresses, on which peers live, too.
    let own: [IPAddress]
    var password = "pass"

    private func stage(_ request: TURNClient.Request = TURNClient.Request(), username: String = "user") -> RelayStage {
        RelayStage(on: loop, server: server, leg: leg, request: request, username: username, password: password)
    }

    private var local: IPAddress {
        get throws {
            guard let address = own.first(where: { $0.family == server.address.family }) else {
                throw Disappointment(what: "no address of the server's family")
            }
            return address
        }
    }

    private func peerAddress(_ family: IPAddress.Family) throws -> IPAddress {
        guard let address = own.first(where: { $0.family == family }) else {
            throw Disappointment(what: "no address for a peer")
        }
        return address
    }

    private func permit(_ peer: Endpoint, on stage: RelayStage) async throws {
        await stage.drive { $0.permit(peer.address, at: $1) }
        try await stage.effect("no permission") { $0 == .permitted(peer.address) }
    }

    private func exchange(_ word: String, with peer: Endpoint, on stage: RelayStage) async throws {
        let bytes = Array(word.utf8)
        await stage.drive { $0.send(bytes, to: peer, at: $1) }
        try await stage.effect("\(word) did not come back") { $0 == .received(bytes + [0x21], from: peer) }
    }

    private func release(_ stage: RelayStage) async throws {
        await stage.drive { $0.release(at: $1) }
        try await stage.effect("not released") { $0 == .ended(.released) }
        await stage.close()
    }

    /// Indications, a channel, hours of refreshes, and the end.
    func datagrams() async throws -> String {
        let stage = stage()
        try await stage.start(from: local)
        let allocation = try await stage.allocation()
        let peer = try await stage.addPeer(at: peerAddress(.v4))
        try await permit(peer, on: stage)
        try await exchange("indication", with: peer, on: stage)
        await stage.drive { $0.bindChannel(to: peer, at: $1) }
        try await stage.effect("no channel") { $0 == .bound(channel: 0x4000, to: peer) }
        for word in ["channel", "odd", "evenly"] { try await exchange(word, with: peer, on: stage) }
        for _ in 0..<60 {
            await stage.skip(.seconds(60))
            try await Task.sleep(for: .milliseconds(10))
        }
        try await exchange("an hour later", with: peer, on: stage)
        let requests = await stage.requests
        let (refreshes, binds) = (requests.count { $0 == .refresh }, requests.count { $0 == .channelBind })
        guard refreshes >= 6, binds >= 14 else {
            throw Disappointment(what: "\(refreshes) refreshes, \(binds) binds in an hour")
        }
        try await release(stage)
        return "relayed \(allocation.relayed[0]), \(refreshes) refreshes, \(binds) bindings in a skipped hour"
    }

    func families(_ families: TURNClient.Request.Families) async throws -> String {
        var request = TURNClient.Request()
        request.families = families
        let stage = stage(request)
        try await stage.start(from: local)
        let allocation = try await stage.allocation()
        let expected = families == .both ? 2 : 1
        guard allocation.relayed.count == expected else {
            throw Disappointment(what: "relayed: \(allocation.relayed)")
        }
        for relayed in allocation.relayed {
            let peer = try await stage.addPeer(at: peerAddress(relayed.address.family))
            try await permit(peer, on: stage)
            try await exchange("over \(relayed.address.family)", with: peer, on: stage)
        }
        try await release(stage)
        return "relayed " + allocation.relayed.map(\.description).joined(separator: " and ")
    }

    func evenPort() async throws -> String {
        var request = TURNClient.Request()
        request.port = .even
        let stage = stage(request)
        try await stage.start(from: local)
        let allocation = try await stage.allocation()
        guard allocation.relayed[0].port.isMultiple(of: 2) else { throw Disappointment(what: "an odd port") }
        try await release(stage)
        return "relayed \(allocation.relayed[0])"
    }

    /// A connection the relay makes to a peer (RFC 6062).
    func connect() async throws -> String {
        var request = TURNClient.Request()
        request.transport = .tcp
        let stage = stage(request)
        try await stage.start(from: local)
        _ = try await stage.allocation()
        let peer = try await stage.addListener(at: peerAddress(.v4))
        guard let id = await stage.connect(to: peer) else { throw Disappointment(what: "not asked") }
        try await stage.effect("not connected") { $0 == .connected(id, peer: peer) }
        try await stage.write(Array("hello".utf8), on: id)
        try await stage.effect("nothing came back") { $0 == .piped(Array("hello!".utf8), on: id) }
        try await release(stage)
        return "connected to \(peer)"
    }

    /// A connection a peer makes to the relay (RFC 6062).
    func accept() async throws -> String {
        var request = TURNClient.Request()
        request.transport = .tcp
        let stage = stage(request)
        try await stage.start(from: local)
        let allocation = try await stage.allocation()
        let address = try peerAddress(.v4)
        try await permit(Endpoint(address, port: 0), on: stage)
        try await stage.addCaller(to: allocation.relayed[0], from: address, saying: Array("it is me".utf8))
        let connected = try await stage.effect("nobody connected") {
            if case .connected = $0 { true } else { false }
        }
        guard case .connected(let id, let peer) = connected else { throw Disappointment(what: "nobody") }
        try await stage.effect("no word") { $0 == .piped(Array("it is me".utf8), on: id) }
        try await stage.write(Array("welcome".utf8), on: id)
        try await stage.effect("nothing came back") { $0 == .piped(Array("welcome!".utf8), on: id) }
        try await release(stage)
        return "connected from \(peer)"
    }

    /// The server must be one whose nonces get stale within a few seconds.
    func staleNonce() async throws -> String {
        let stage = stage()
        try await stage.start(from: local)
        _ = try await stage.allocation()
        try await Task.sleep(for: .seconds(4))
        let peer = try await stage.addPeer(at: peerAddress(.v4))
        try await permit(peer, on: stage)
        try await exchange("renewed", with: peer, on: stage)
        let errors = await stage.errors
        guard errors.contains(.staleNonce) else { throw Disappointment(what: "errors: \(errors.map(\.rawValue))") }
        try await release(stage)
        return "errors on the way: " + errors.map { "\($0.rawValue)" }.joined(separator: ", ")
    }

    func wrongPassword() async throws -> String {
        let stage = stage()
        try await stage.start(from: local)
        try await stage.effect("not refused") { $0 == .ended(.refused(.unauthorized)) }
        await stage.close()
        return "refused after " + (await stage.errors).map { "\($0.rawValue)" }.joined(separator: ", ")
    }

    /// The server must be one that grants a user two allocations.
    func quota() async throws -> String {
        var stages: [RelayStage] = []
        for number in 1...3 {
            let stage = stage()
            stages.append(stage)
            try await stage.start(from: local)
            if number < 3 {
                _ = try await stage.allocation()
            } else {
                try await stage.effect("not refused") {
                    $0 == .ended(.refused(.rejected(.allocationQuotaReached)))
                }
            }
        }
        for stage in stages.prefix(2) { try await release(stage) }
        return "the third of three is refused (486)"
    }

    func forbiddenPeer() async throws -> String {
        let stage = stage()
        try await stage.start(from: local)
        _ = try await stage.allocation()
        let loopback = IPAddress.loopback(.v4)
        await stage.drive { $0.permit(loopback, at: $1) }
        try await stage.effect("not refused") { $0 == .permissionFailed(loopback, .rejected(.forbidden)) }
        let peer = try await stage.addPeer(at: peerAddress(.v4))
        try await permit(peer, on: stage)
        try await exchange("another peer", with: peer, on: stage)
        try await release(stage)
        return "403 for loopback, another peer unharmed"
    }
}
