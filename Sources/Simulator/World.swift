package import SansIO

/// A network of hosts in virtual time: what happens depends on the seed and on nothing else.
///
/// Events happen one after another, each at its instant; nothing waits and no clock is read. Use it from one thread.
package final class World {
    /// What a host that is woken too often does wrong.
    private struct Diligence {
        var second: Int64 = 0
        var wakes = 0
    }

    /// How often a host may be woken in one virtual second; more is a timer that does not move.
    package static let wakeLimit = 20_000

    /// What the world's chance comes from.
    package let seed: UInt64
    /// Where the world's time lies in civil time.
    package let clock: WallClock
    /// The present.
    package private(set) var now = Instant.zero
    /// The way between any two hosts that have none of their own.
    package var link = Link()
    /// What happened.
    package private(set) var trace = Trace()
    /// Rules that were broken; a run stops at the first.
    package private(set) var violations: [String] = []

    var random: RandomSource
    var links: [Path: Link] = [:]
    /// The delay drawn for each way.
    var delays: [Path: Duration] = [:]
    var cutPaths: Set<Path> = []
    var unreachable: Set<HostID> = []
    var owners: [IPAddress: HostID] = [:]
    var datagramHandlers: [Endpoint: (_ bytes: [UInt8], _ source: Endpoint) -> Void] = [:]
    var listeners: [Endpoint: (ByteStream) -> Void] = [:]
    var openStreams = 0

    private var queue = EventQueue()
    private var hosts: [any Host] = []
    private var wakes: [Instant?] = []
    private var diligence: [Diligence] = []
    private var lastPorts: [UInt16] = []

    /// Makes an empty world.
    ///
    /// - Parameter clock: where the world's time lies in civil time; by default it begins on 2027-01-15.
    package init(seed: UInt64, clock: WallClock = WallClock(epochOffset: 1_800_000_000 * 1_000_000_000)) {
        self.seed = seed
        self.clock = clock
        random = .seeded(seed)
    }

    /// Puts a host into the world; its addresses must be nobody else's.
    @discardableResult
    package func add(_ host: any Host) -> HostID {
        let id = HostID(rawValue: hosts.count)
        hosts.append(host)
        wakes.append(nil)
        diligence.append(Diligence())
        lastPorts.append(20_000)
        for address in host.addresses {
            precondition(owners[address] == nil, "two hosts share an address")
            owners[address] = id
        }
        return id
    }

    /// Gives a host other addresses, which must be nobody else's.
    func move(_ id: HostID, from former: [IPAddress], to addresses: [IPAddress]) {
        for address in former { owners[address] = nil }
        for address in addresses {
            precondition(owners[address] == nil, "two hosts share an address")
            owners[address] = id
        }
    }

    /// Splits a source of chance off for a host.
    package func splitRandom() -> RandomSource { random.split() }

    /// A port of a host that was not used before.
    func freePort(of host: HostID) -> UInt16 {
        lastPorts[host.rawValue] += 1
        return lastPorts[host.rawValue]
    }

    func record(_ event: Trace.Event) { trace.record(event, at: now) }

    /// Adds a line of a host to the trace.
    package func note(_ text: String, by host: String) { record(.note(host: host, text)) }

    /// Reports a broken rule, which ends the run.
    package func violate(_ rule: String) {
        violations.append(rule)
        note(rule, by: "BROKEN")
    }

    // MARK: - Time

    /// Does something at an instant, at once if that is past.
    package func schedule(at time: Instant, _ action: @escaping () -> Void) {
        queue.insert(at: max(time, now), action)
    }

    /// Does something later.
    package func schedule(after delay: Duration, _ action: @escaping () -> Void) {
        queue.insert(at: now.advanced(by: max(delay, .zero)), action)
    }

    /// Runs until `isDone` holds, a rule is broken, or the time is over; returns whether `isDone` held.
    @discardableResult
    package func run(until end: Instant, _ isDone: () -> Bool = { false }) -> Bool {
        if isDone() { return true }
        while violations.isEmpty, let event = queue.popFirst(until: end) {
            now = event.time
            event.action()
            if isDone() { return true }
        }
        if violations.isEmpty { now = max(now, end) }
        return false
    }

    /// Runs for a time.
    package func run(for duration: Duration) { run(until: now.advanced(by: duration)) }

    /// Looks at a host's deadline again; to be called after every input to it.
    package func attend(to id: HostID) {
        guard let deadline = hosts[id.rawValue].deadline else { return }
        if let wake = wakes[id.rawValue], wake <= deadline { return }
        let time = max(deadline, now)
        wakes[id.rawValue] = time
        schedule(at: time) { [unowned self] in wake(id, at: time) }
    }

    private func wake(_ id: HostID, at time: Instant) {
        // An earlier deadline made this wake stale.
        guard wakes[id.rawValue] == time else { return }
        wakes[id.rawValue] = nil
        let host = hosts[id.rawValue]
        if let deadline = host.deadline, deadline <= now {
            guard isDiligent(id) else { return violate("\(host.name) is busy without getting on") }
            host.advance(to: now)
        }
        attend(to: id)
    }

    private func isDiligent(_ id: HostID) -> Bool {
        let second = now.nanoseconds / 1_000_000_000
        if diligence[id.rawValue].second != second { diligence[id.rawValue] = Diligence(second: second) }
        diligence[id.rawValue].wakes += 1
        return diligence[id.rawValue].wakes <= Self.wakeLimit
    }
}
