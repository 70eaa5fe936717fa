package import SansIO

/// Datagrams: delayed, reordered, lost and doubled as the ways say.
extension World {
    /// Opens a UDP socket; port 0 takes a free one. `nil` when the endpoint is taken or nobody's.
    package func bind(
        _ endpoint: Endpoint, _ received: @escaping (_ bytes: [UInt8], _ source: Endpoint) -> Void
    ) -> Endpoint? {
        guard let owner = owners[endpoint.address] else { return nil }
        let bound = endpoint.port == 0 ? endpoint.with(port: freePort(of: owner)) : endpoint
        guard datagramHandlers[bound] == nil else { return nil }
        datagramHandlers[bound] = received
        return bound
    }

    /// Closes a UDP socket.
    package func unbind(_ endpoint: Endpoint) { datagramHandlers[endpoint] = nil }

    /// The UDP sockets and listeners that are open at a host's addresses, in order.
    package func openPorts(of host: any Host) -> [Endpoint] {
        let endpoints = Array(datagramHandlers.keys) + Array(listeners.keys)
        return endpoints.filter { host.addresses.contains($0.address) }
            .sorted { ($0.port, $0.description) < ($1.port, $1.description) }
    }

    /// Sends a datagram; what nobody listens for vanishes.
    package func send(_ bytes: [UInt8], from source: Endpoint, to target: Endpoint) {
        guard let path = path(source.address, target.address) else { return }
        let link = link(on: path)
        var copies = 1
        var fate = Trace.Fate.delivered
        if isCut(path) {
            (copies, fate) = (0, .cut)
        } else if isDrawn(percent: link.lossPercent) {
            (copies, fate) = (0, .lost)
        } else if isDrawn(percent: link.duplicatePercent) {
            (copies, fate) = (2, .duplicated)
        }
        record(.datagram(from: source, to: target, count: bytes.count, fate))
        for _ in 0..<copies {
            schedule(after: drawDelay(on: path)) { [unowned self] in
                datagramHandlers[target]?(bytes, source)
            }
        }
    }

    // MARK: - Ways

    /// Gives the way between two hosts its own behaviour.
    package func setLink(_ link: Link, between one: HostID, and other: HostID) {
        links[Path(one, other)] = link
        delays[Path(one, other)] = nil
    }

    /// Cuts the way between two hosts, or joins it again.
    package func setCut(_ isCut: Bool, between one: HostID, and other: HostID) {
        if isCut { cutPaths.insert(Path(one, other)) } else { cutPaths.remove(Path(one, other)) }
    }

    /// Takes a host off the network without a word, or puts it back.
    package func setReachable(_ isReachable: Bool, _ host: HostID) {
        if isReachable { unreachable.remove(host) } else { unreachable.insert(host) }
    }

    func path(_ source: IPAddress, _ target: IPAddress) -> Path? {
        guard source.family == target.family, let from = owners[source], let to = owners[target] else { return nil }
        return Path(from, to)
    }

    func link(on path: Path) -> Link { links[path] ?? link }

    func isCut(_ path: Path) -> Bool {
        cutPaths.contains(path) || unreachable.contains(path.lower) || unreachable.contains(path.upper)
    }

    func isDrawn(percent: Int) -> Bool { percent > 0 && Int.random(in: 0..<100, using: &random) < percent }

    /// How long one datagram takes.
    func drawDelay(on path: Path) -> Duration {
        let link = link(on: path)
        let base = delays[path] ?? random.duration(in: link.delay)
        delays[path] = base
        return base + random.duration(in: .zero...max(link.jitter, .zero))
    }
}
