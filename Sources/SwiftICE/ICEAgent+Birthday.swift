public import SansIO

/// The search for a meeting of one component at ports drawn at random.
struct BirthdaySearch: Hashable, Sendable {
    /// What this side does for it.
    enum Part: Hashable, Sendable {
        /// Our NAT draws a port for each of these sockets: one check leaves each, and opens it for the peer.
        case opening(sockets: [Endpoint], next: Int)
        /// The peer's NAT does, so its ports are tried in an order of our own.
        case probing(PortOrder, count: Int)
    }

    let base: Endpoint
    /// The peer's outer address; its port means nothing to the side that probes.
    let peer: Endpoint
    var part: Part
}

/// All ports a NAT may draw, each once, in an order given by a first one and a stride.
struct PortOrder: Hashable, Sendable {
    /// A NAT draws none of the ports of well-known services (RFC 4787 §4.2.2).
    static let ports = 1024...65_535

    private let first: Int
    private let stride: Int

    init(random: inout RandomSource) {
        first = Int.random(in: 0..<Self.ports.count, using: &random)
        // Prime to the number of ports, which has the factors 2, 3 and 7, so that no port comes twice.
        let strides = (0..<64).map { _ in Int.random(in: 1..<Self.ports.count, using: &random) }
        stride = strides.first { $0 % 2 != 0 && $0 % 3 != 0 && $0 % 7 != 0 } ?? 1
    }

    subscript(index: Int) -> UInt16 { UInt16(Self.ports.lowerBound + (first + index * stride) % Self.ports.count) }
}

/// A direct path between a NAT that gives each flow a port drawn at random and one whose filter looks at ports, where both
/// sides agreed to look for it and no relay is at hand.
///
/// Neither side can know the port the other one will be seen at, but with 256 sockets open on one side, and ports of its NAT
/// tried by the other one, some two meet soon, as birthdays do in a class. Every packet is an ordinary check: the first one
/// that gets through makes the other side check back, and all else is ICE.
extension ICEAgent {
    /// Reports the sockets that ``Effect/openSockets(beside:count:)`` asked for; fewer, or none, where no more could be had.
    public mutating func opened(_ sockets: [Endpoint], beside base: Endpoint, at now: Instant) -> [Effect] {
        let component = bases.first { $0.endpoint == base && $0.transport == .udp }?.component
        guard let component, isSearching(component), let search = birthdays[component - 1], search.base == base,
            case .opening(let known, _) = search.part, known.isEmpty
        else { return sockets.isEmpty ? [] : [.closeSockets(sockets)] }
        birthdays[component - 1]?.part = .opening(
            sockets: Array(sockets.prefix(configuration.birthdaySocketLimit)), next: 0)
        return searchAtRandom(component, at: now)
    }

    /// Begins to search where nothing else has led anywhere, or goes on with it: one packet at a time.
    mutating func searchAtRandom(_ component: Int, at now: Instant) -> [Effect] {
        guard isSearching(component), checkList.bestValid(component: component) == nil else { return [] }
        guard let search = birthdays[component - 1] else { return beginSearch(component, at: now) }
        switch search.part {
        case .opening(let sockets, let next):
            guard next < sockets.count else { return [] }
            birthdays[component - 1]?.part = .opening(sockets: sockets, next: next + 1)
            armSearch(component, at: now)
            return probe(from: sockets[next], of: search, to: search.peer)
        case .probing(let order, let count):
            guard count < configuration.birthdayProbeLimit else { return [] }
            birthdays[component - 1]?.part = .probing(order, count: count + 1)
            armSearch(component, at: now)
            return probe(from: search.base, of: search, to: search.peer.with(port: order[count]))
        }
    }

    /// All components together send one packet an interval.
    private mutating func armSearch(_ component: Int, at now: Instant) {
        arm(.birthday(component: component), after: configuration.birthdayInterval * components, at: now)
    }

    private func isSearching(_ component: Int) -> Bool {
        peer.probesRandomPorts && isChecking && currentSelection(component) == nil
            && !bases.contains { $0.kind == .relayed && $0.component == component }
            && !remotes.contains { $0.kind == .relayed && $0.component == component }
    }

    /// The side that two servers see at two ports opens sockets, and the other one probes. Where both sides are seen so, or
    /// neither, there is nothing to be won.
    private mutating func beginSearch(_ component: Int, at now: Instant) -> [Effect] {
        let ours = reflexive(locals.map(\.candidate), component)
        let theirs = reflexive(remotes.filter { !predictions.contains($0) }, component)
        guard let mine = ours.first, let base = mine.related, let other = theirs.first else { return [] }
        switch (isDrawn(ours), isDrawn(theirs)) {
        case (true, false):
            birthdays[component - 1] = BirthdaySearch(
                base: base, peer: other.endpoint, part: .opening(sockets: [], next: 0))
            return [.openSockets(beside: base, count: configuration.birthdaySocketLimit)]
        case (false, true):
            birthdays[component - 1] = BirthdaySearch(
                base: base, peer: other.endpoint, part: .probing(PortOrder(random: &random), count: 0))
            return searchAtRandom(component, at: now)
        default: return []
        }
    }

    /// The reflexive candidates that are nearest to the best one: those of one address of one family, best first.
    private func reflexive(_ candidates: [Candidate], _ component: Int) -> [Candidate] {
        let all = candidates.filter {
            $0.component == component && $0.transport == .udp && $0.kind == .serverReflexive
                && $0.endpoint.address.family == .v4
        }.sorted { $0.priority > $1.priority }
        return all.filter { $0.endpoint.address == all[0].endpoint.address && $0.related == all[0].related }
    }

    /// Whether one socket is seen at several ports.
    private func isDrawn(_ candidates: [Candidate]) -> Bool {
        candidates.contains { $0.endpoint.port != candidates[0].endpoint.port }
    }

    /// A check whose answer is not waited for: one that gets through is followed by one of the peer's.
    private mutating func probe(from socket: Endpoint, of search: BirthdaySearch, to peer: Endpoint) -> [Effect] {
        guard let local = locals.first(where: { $0.candidate.endpoint == search.base && $0.base == search.base }) else {
            return []
        }
        let id = TransactionID(random: &random)
        guard let key = current.remoteKey, var check = unprotectedCheck(id, from: local.candidate, of: current) else {
            return []
        }
        check.addIntegrity(key)
        return [.send(check.finishedWithFingerprint(), from: socket, to: peer)]
    }

    /// The base behind a socket that was opened for a search.
    func searchingBase(at endpoint: Endpoint) -> Base? {
        for (index, search) in birthdays.enumerated() {
            guard case .opening(let sockets, _)? = search?.part, sockets.contains(endpoint) else { continue }
            return Base(component: index + 1, endpoint: endpoint, transport: .udp)
        }
        return nil
    }

    /// Makes a socket that was opened for a search a base of its own, as the peer's check came through to it.
    mutating func adopt(_ endpoint: Endpoint) {
        guard let base = searchingBase(at: endpoint), currentSelection(base.component) == nil,
            case .opening(let sockets, let next)? = birthdays[base.component - 1]?.part,
            let place = sockets.firstIndex(of: endpoint), addSocket(base)
        else { return }
        birthdays[base.component - 1]?.part = .opening(
            sockets: sockets.filter { $0 != endpoint }, next: place < next ? next - 1 : next)
    }

    /// Ends the search for a component, and gives back the sockets that met nobody.
    mutating func endSearch(_ component: Int) -> [Effect] {
        timers.cancel(.birthday(component: component))
        guard let search = birthdays[component - 1] else { return [] }
        birthdays[component - 1] = nil
        guard case .opening(let sockets, _) = search.part, !sockets.isEmpty else { return [] }
        return [.closeSockets(sockets)]
    }
}
