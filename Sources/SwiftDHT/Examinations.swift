internal import SansIO

/// Values whose examination was asked for, or waits for its turn.
///
/// What is out at a time is limited, so that the driver's queue never overflows; what waits is limited in bytes, and for
/// values to be stored by source as well, so that one flood does not stand before everyone else's values.
struct Examinations: Sendable {
    /// What becomes of a genuine value.
    enum Purpose: Sendable {
        /// It is stored for others, and acknowledged.
        case store(Arrival)
        /// It was stored by an earlier run, and is again.
        case restore(InfoHash, Life, IPAddress)
        /// It is reported to a get.
        case get(OperationID)
        /// It is reported to a listen.
        case listen(OperationID, KnownValues.Holder, until: Instant?)
    }

    /// Where and when a value came to be stored, and whom to tell.
    struct Arrival: Sendable {
        let key: InfoHash
        /// Unix seconds, as the sender says.
        let created: Int64?
        let source: Endpoint
        let transaction: UInt32
    }

    /// When a value was created, and when it vanishes.
    struct Life: Sendable {
        let created: Instant
        let expires: Instant
    }

    struct Item: Sendable {
        let value: Value
        var purposes: [Purpose]
        let source: SourceGroup?
    }

    private var items: [ExaminationID: Item] = [:]
    /// Items not asked for yet, oldest first.
    private var waiting: [ExaminationID] = []
    private var firstWaiting = 0
    private var out = 0
    private var bytes = 0
    private var lastID: UInt64 = 0
    private var byValue: [Value.ID: [ExaminationID]] = [:]
    private var perSource: [SourceGroup: Int] = [:]
    private var perOperation: [OperationID: Int] = [:]

    /// How many values are out or wait.
    var count: Int { items.count }

    /// Whether values for `operation` are out or wait.
    func concern(_ operation: OperationID) -> Bool { perOperation[operation] != nil }

    /// Adds a value; one that is there already is examined once, for all purposes. `false` when a limit stands against it.
    mutating func append(_ value: Value, for purpose: Purpose, configuration: Configuration) -> Bool {
        if let id = byValue[value.id]?.first(where: { items[$0]?.value == value }) {
            guard (items[id]?.purposes.count ?? 0) < configuration.examinationPurposeLimit else { return false }
            items[id]?.purposes.append(purpose)
            note(purpose)
            return true
        }
        let source: SourceGroup? =
            if case .store(let arrival) = purpose { SourceGroup(arrival.source.address) } else { nil }
        guard bytes + value.footprint <= configuration.examinationBytesLimit,
            items.count < configuration.examinationLimit
        else { return false }
        if let source {
            guard perSource[source, default: 0] < configuration.examinationsPerSource else { return false }
            perSource[source, default: 0] += 1
        }
        lastID += 1
        let id = ExaminationID(rawValue: lastID)
        items[id] = Item(value: value, purposes: [purpose], source: source)
        byValue[value.id, default: []].append(id)
        bytes += value.footprint
        waiting.append(id)
        note(purpose)
        return true
    }

    private mutating func note(_ purpose: Purpose) {
        if let operation = purpose.operation { perOperation[operation, default: 0] += 1 }
    }

    /// Takes the next value whose examination may be asked for now.
    mutating func next(configuration: Configuration) -> (ExaminationID, Value)? {
        guard out < configuration.examinationConcurrency, firstWaiting < waiting.count else { return nil }
        let id = waiting[firstWaiting]
        firstWaiting += 1
        if firstWaiting == waiting.count || firstWaiting > 1024 {
            waiting.removeSubrange(..<firstWaiting)
            firstWaiting = 0
        }
        guard let item = items[id] else { return nil }
        out += 1
        return (id, item.value)
    }

    /// Ends an examination; `nil` when it was not out.
    mutating func remove(_ id: ExaminationID) -> Item? {
        guard let item = items.removeValue(forKey: id) else { return nil }
        out -= 1
        bytes -= item.value.footprint
        byValue[item.value.id]?.removeAll { $0 == id }
        if byValue[item.value.id]?.isEmpty == true { byValue[item.value.id] = nil }
        if let source = item.source { Self.decrease(&perSource, source) }
        for purpose in item.purposes {
            if let operation = purpose.operation { Self.decrease(&perOperation, operation) }
        }
        return item
    }

    private static func decrease<Key>(_ counts: inout [Key: Int], _ key: Key) {
        guard let count = counts[key] else { return }
        counts[key] = count > 1 ? count - 1 : nil
    }
}

extension Examinations.Purpose {
    /// The operation that waits for the result.
    var operation: OperationID? {
        switch self {
        case .store, .restore: nil
        case .get(let operation), .listen(let operation, _, _): operation
        }
    }
}
