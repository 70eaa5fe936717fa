internal import SansIO
internal import SwiftDHT

/// Thousands of DHT nodes in virtual time, coming and going, on lines with delay and loss.
///
/// Leaner than ``World``: no trace, no streams, no closures. What happens depends on the plan and on nothing else.
public final class Population {
    /// A node and where it lives.
    private struct Resident {
        var dht: DHT
        let endpoint: Endpoint
        let region: Int
        /// What the line to its home adds.
        let line: Duration
        /// The deadline that is in the agenda.
        var wake: Instant?
        var lastOperation: UInt64 = 0
        /// Its gets under way, by operation.
        var lookups: [OperationID: Lookup] = [:]
    }

    private enum Step: Int {
        case enter, put, replace, lookUp, check
    }

    private let plan: PopulationPlan
    private let clock = WallClock(epochOffset: 1_800_000_000 * 1_000_000_000)
    private var random: RandomSource
    private var now = Instant.zero
    private var agenda = Agenda()
    private var residents: [Resident] = []
    /// The place of each address; those of nodes that vanished lead nowhere.
    private var places: [IPAddress: Int] = [:]
    private var lastAddress: UInt32 = 0x0A00_0000
    private var keys: [InfoHash] = []
    private var finished: [(lookup: Lookup, end: Instant)] = []
    private var isMeasuring = false
    private var checked = 0
    private var sent = (datagrams: 0, bytes: 0)
    private var report = PopulationReport()

    /// Prepares a run.
    public init(_ plan: PopulationPlan) {
        self.plan = plan
        random = .seeded(plan.seed)
    }

    /// Goes through the whole plan.
    public func run() -> PopulationReport {
        enterAll()
        putAll()
        change()
        check()
        let known = residents.reduce(0) { $0 + $1.dht.goodNodes(.v4, limit: .max, at: now).count }
        report.knownNodes = Double(known) / Double(max(1, residents.count))
        return report
    }

    // MARK: The plan

    private func enterAll() {
        for index in 0..<plan.nodes {
            schedule(.enter, at: now.advanced(by: plan.entry * index / max(1, plan.nodes)))
        }
        run(for: plan.entry + .seconds(60))
    }

    private func putAll() {
        let pause = Duration.seconds(120)
        for index in 0..<plan.values {
            schedule(.put, at: now.advanced(by: pause * index / max(1, plan.values)))
        }
        run(for: pause + .seconds(30))
    }

    private func change() {
        let replacements = Int(Double(plan.nodes * plan.churnPercentPerHour) / 100 * plan.duration.seconds / 3600)
        for index in 0..<replacements {
            schedule(.replace, at: now.advanced(by: plan.duration * index / max(1, replacements)))
        }
        for index in 0..<plan.lookups {
            schedule(.lookUp, at: now.advanced(by: plan.duration * index / max(1, plan.lookups)))
        }
        (isMeasuring, sent) = (true, (0, 0))
        run(for: plan.duration)
        isMeasuring = false
        let nodeHours = Double(plan.nodes) * plan.duration.seconds / 3600
        report.datagramsPerNodeHour = Double(sent.datagrams) / nodeHours
        report.bytesPerNodeHour = Double(sent.bytes) / nodeHours
        run(for: .seconds(40))
        report.lookups = finished.count
        let found = finished.filter { $0.lookup.found != nil }
        report.found = found.count
        report.hops = .init(found.compactMap { $0.lookup.hops.map(Double.init) })
        report.messages = .init(found.map { Double($0.lookup.messages) })
        report.bytes = .init(found.map { Double($0.lookup.bytes) })
        report.firstValue = .init(
            found.compactMap { item in item.lookup.found.map { item.lookup.started.duration(to: $0).milliseconds } })
        report.completion = .init(found.map { $0.lookup.started.duration(to: $0.end).milliseconds })
        finished = []
    }

    private func check() {
        for index in keys.indices { schedule(.check, at: now.advanced(by: .milliseconds(50 * index))) }
        run(for: .milliseconds(50 * keys.count) + .seconds(40))
        report.lost = keys.count - Set(finished.filter { $0.lookup.found != nil }.map(\.lookup.key)).count
    }

    private func take(_ step: Step) {
        switch step {
        case .enter: enter()
        case .put:
            let key = InfoHash.random(using: &random)
            let value = Value(id: .random(using: &random), data: random.bytes(100))
            let owner = keys.count % max(1, min(plan.owners, residents.count))
            keys.append(key)
            let operation = next(owner)
            perform(residents[owner].dht.put(value, at: key, permanently: true, as: operation, at: now), by: owner)
        case .replace:
            let stable = min(plan.owners, residents.count)
            guard residents.count > stable else { return }
            replace(Int.random(in: stable..<residents.count, using: &random))
        case .lookUp: if let key = keys.randomElement(using: &random) { lookUp(key) }
        case .check:
            lookUp(keys[checked])
            checked += 1
        }
    }

    private func lookUp(_ key: InfoHash) {
        // Owners know their values: the others ask.
        let first = min(plan.owners, residents.count - 1)
        let place = Int.random(in: first..<residents.count, using: &random)
        let operation = next(place)
        residents[place].lookups[operation] = Lookup(key: key, started: now)
        perform(residents[place].dht.get(key, as: operation, at: now), by: place)
    }

    private func next(_ place: Int) -> OperationID {
        residents[place].lastOperation += 1
        return OperationID(residents[place].lastOperation)
    }

    // MARK: Coming and going

    private func newcomer() -> Resident {
        lastAddress += 1
        var chance = random.split()
        let id = NodeID.random(using: &chance)
        return Resident(
            dht: DHT(id: id, clock: clock, random: chance), endpoint: Endpoint(.v4(lastAddress), port: 4222),
            region: LatencyTable.region(using: &random),
            line: random.duration(in: .milliseconds(1)...(.milliseconds(15))))
    }

    private func enter() {
        residents.append(newcomer())
        settle(residents.count - 1)
    }

    private func replace(_ place: Int) {
        places[residents[place].endpoint.address] = nil
        residents[place] = newcomer()
        report.replaced += 1
        settle(place)
    }

    /// Lets a newcomer in through two nodes that live.
    private func settle(_ place: Int) {
        places[residents[place].endpoint.address] = place
        var contacts: [Endpoint] = []
        for _ in 0..<min(2, residents.count - 1) {
            contacts.append(residents[Int.random(in: 0..<residents.count, using: &random)].endpoint)
        }
        perform(residents[place].dht.bootstrap(contacts, at: now), by: place)
    }

    // MARK: Time and datagrams

    private func schedule(_ step: Step, at time: Instant) { agenda.insert(.step(step.rawValue), at: time) }

    private func run(for duration: Duration) {
        let end = now.advanced(by: duration)
        while let (time, event) = agenda.popFirst(until: end) {
            now = time
            switch event {
            case .step(let number): if let step = Step(rawValue: number) { take(step) }
            case .wake(let place): wake(place)
            case .arrival(let bytes, let source, let target): arrive(bytes, from: source, at: target)
            }
        }
        now = end
    }

    private func wake(_ place: Int) {
        guard let wake = residents[place].wake, wake <= now else { return }
        residents[place].wake = nil
        perform(residents[place].dht.advance(to: now), by: place)
    }

    private func arrive(_ bytes: [UInt8], from source: Endpoint, at target: Endpoint) {
        guard let place = places[target.address] else { return }
        if !residents[place].lookups.isEmpty, let packet = try? Packet(decoding: bytes) {
            for operation in residents[place].lookups.keys {
                residents[place].lookups[operation]?.received(packet, bytes: bytes.count, from: source)
            }
        }
        perform(residents[place].dht.receive(bytes.span, from: source, at: now), by: place)
    }

    private func perform(_ effects: [DHT.Effect], by place: Int) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let target): send(bytes, from: place, to: target)
            case .value(_, let operation):
                residents[place].lookups[operation]?.noteValue(at: now)
            case .finished(let operation, _):
                guard let lookup = residents[place].lookups.removeValue(forKey: operation) else { continue }
                finished.append((lookup, now))
            default: break
            }
        }
        guard let deadline = residents[place].dht.deadline else { return }
        if let wake = residents[place].wake, wake <= deadline { return }
        residents[place].wake = max(deadline, now)
        agenda.insert(.wake(place: place), at: max(deadline, now))
    }

    private func send(_ bytes: [UInt8], from place: Int, to target: Endpoint) {
        report.datagrams += 1
        if isMeasuring { sent = (sent.datagrams + 1, sent.bytes + bytes.count) }
        if !residents[place].lookups.isEmpty, let packet = try? Packet(decoding: bytes) {
            for operation in residents[place].lookups.keys {
                residents[place].lookups[operation]?.sent(packet, bytes: bytes.count, to: target)
            }
        }
        guard Int.random(in: 0..<1000, using: &random) >= plan.lossPermille, let other = places[target.address] else {
            return
        }
        let way = LatencyTable.delay(from: residents[place].region, to: residents[other].region)
        let jitter = random.duration(in: .zero...(.milliseconds(4)))
        let delay = way + residents[place].line + residents[other].line + jitter
        agenda.insert(.arrival(bytes, from: residents[place].endpoint, to: target), at: now.advanced(by: delay))
    }
}
